"""Messages of refused commands."""

from __future__ import annotations

from shared.web.api.commands import RefusalMessages
from shared.web.views.words import load_words

WORDS = load_words("services.notification")
_REFUSALS = WORDS.refusals

REFUSAL_MESSAGES: RefusalMessages = {
    "message_unknown": (404, "", _REFUSALS.message_unknown),
    "being_sent": (409, "", _REFUSALS.being_sent),
    "superseded": (409, "", _REFUSALS.superseded),
}
