"""Messages of refused commands."""

from __future__ import annotations

from shared.web.api.commands import RefusalMessages
from shared.web.views.words import load_words

WORDS = load_words("services.assignment")
_REFUSALS = WORDS.refusals

REQUEST_NOT_FOUND: str = _REFUSALS.not_your_request
LEAD_NOT_AVAILABLE: str = _REFUSALS.no_lead

_REFUSAL_STATUSES = {
    "not_your_request": (404, ""),
    "reason_missing": (422, "reason"),
    "text_missing": (422, "text"),
    "note_missing": (422, "note"),
    "question_missing": (422, "question"),
    "summary_missing": (422, "summary"),
    "target_in_the_past": (422, "target_date"),
    "same_lead": (422, "lead"),
    "same_target": (422, "target_date"),
    "not_overdue": (409, ""),
    "reminded_today": (409, ""),
    "percent_out_of_range": (422, "percent"),
    "documents_missing": (422, "documents"),
    "record_missing": (422, "documents"),
    "record_outdated": (409, ""),
}

REFUSAL_MESSAGES: RefusalMessages = {
    code: (status, field, _REFUSALS[code]) for code, (status, field) in _REFUSAL_STATUSES.items()
}
