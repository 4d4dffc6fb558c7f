"""Messages of verification's refusals, from templates/words.toml."""

from __future__ import annotations

from shared.web.api.commands import RefusalMessages
from shared.web.views.words import load_words

TEXTS = load_words("services.verification")
_REFUSALS = TEXTS.refusals

REQUEST_NOT_FOUND: str = _REFUSALS.unknown
DOCUMENT_NOT_FOUND: str = _REFUSALS.no_document
NO_OFFICER: str = _REFUSALS.no_officer

_STATUS_AND_FIELD = {
    "items_missing": (422, "checklist"),
    "item_duplicate": (422, "checklist"),
    "note_missing": (422, "checklist"),
    "item_failed": (422, "checklist"),
    "nothing_failed": (422, "checklist"),
    "warning_open": (422, "acknowledged_warnings"),
    "reason_missing": (422, "reason"),
    "text_missing": (422, "text"),
    "already_recommended": (409, ""),
    "recommendation_open": (409, ""),
    "not_recommended": (409, ""),
    "already_claimed": (409, ""),
    "not_claimed": (409, ""),
}

REFUSAL_MESSAGES: RefusalMessages = {
    code: (status, field, _REFUSALS[code]) for code, (status, field) in _STATUS_AND_FIELD.items()
}
