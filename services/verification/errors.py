"""Why a decision of an officer is refused, in the words of this service's pages."""

from __future__ import annotations

from shared.web.api.commands import RefusalMessages
from shared.web.views.words import load_words

WORDS = load_words("services.verification")
_REFUSALS = WORDS.refusals

UNKNOWN: str = _REFUSALS.unknown
NO_DOCUMENT: str = _REFUSALS.no_document
NOT_DRAWABLE: str = _REFUSALS.not_drawable

_CODES = {
    "items_missing": (422, "checklist"),
    "item_duplicate": (422, "checklist"),
    "note_missing": (422, "checklist"),
    "item_failed": (422, "checklist"),
    "nothing_failed": (422, "checklist"),
    "warning_open": (422, "acknowledged_warnings"),
    "reason_missing": (422, "reason"),
    "already_recommended": (409, ""),
}

SENTENCES: RefusalMessages = {code: (status, field, _REFUSALS[code]) for code, (status, field) in _CODES.items()}
