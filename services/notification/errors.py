"""What is said when a command is refused; the sentences stand in words.toml."""

from __future__ import annotations

from shared.web.api.commands import RefusalMessages
from shared.web.views.words import load_words

_refusals = load_words("services.notification").refusals

REFUSAL_MESSAGES: RefusalMessages = {
    "message_unknown": (404, "", _refusals.message_unknown),
    "being_sent": (409, "", _refusals.being_sent),
    "superseded": (409, "", _refusals.superseded),
}
