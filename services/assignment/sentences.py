"""Why a step of head or lead is refused, in the words of this service's pages."""

from __future__ import annotations

from shared.web.commands import Sentences
from shared.web.words import read_words

WORDS = read_words("services.assignment")
_REFUSALS = WORDS.refusals

UNKNOWN: str = _REFUSALS.not_your_request
NO_LEAD: str = _REFUSALS.no_lead

_CODES = {
    "not_your_request": (404, ""),
    "reason_missing": (422, "reason"),
    "note_missing": (422, "note"),
    "question_missing": (422, "question"),
    "summary_missing": (422, "summary"),
    "target_in_the_past": (422, "target_date"),
    "same_lead": (422, "lead"),
    "percent_out_of_range": (422, "percent"),
    "documents_missing": (422, "documents"),
    "record_missing": (422, "documents"),
    "record_outdated": (409, ""),
}

SENTENCES: Sentences = {code: (status, field, _REFUSALS[code]) for code, (status, field) in _CODES.items()}
