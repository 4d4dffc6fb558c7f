"""What is said when a command is refused; the sentences stand in words.toml."""

from __future__ import annotations

from shared.web.commands import Sentences
from shared.web.words import read_words

_refusals = read_words("services.notification").refusals

SENTENCES: Sentences = {
    "message_unknown": (404, "", _refusals.message_unknown),
    "being_sent": (409, "", _refusals.being_sent),
    "superseded": (409, "", _refusals.superseded),
}
