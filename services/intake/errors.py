"""Refusals of intake as sentences: the status and the field here, the words in templates/words.toml."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts.facts import ChecklistItem
from shared.runtime.decider import Refusal
from shared.web.api.commands import RefusalMessages, refusal_problem
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.views.labels import OPEN_ITEM_LABELS
from shared.web.views.words import fill, load_words

_words = load_words("services.intake").refusals

LETTER, REQUIREMENTS, REPLACES = "letter", "requirements", "replaces"

_STATUS_AND_FIELD: Mapping[str, tuple[int, str]] = {
    "letter_missing": (422, LETTER),
    "letters_many": (422, LETTER),
    "letter_in_future": (422, "letter_date"),
    "requirements_missing": (422, REQUIREMENTS),
    "requirements_many": (422, REQUIREMENTS),
    "document_misplaced": (422, REQUIREMENTS),
    "document_unknown": (422, REPLACES),
    "item_untouched": (422, ""),
    "reason_missing": (422, "reason"),
    "text_missing": (422, "text"),
    "answers_unfit": (422, "answers"),
    "survey_answered": (409, ""),
    "survey_closed": (409, ""),
}
SENTENCES: RefusalMessages = {
    code: (status, field, str(_words[code])) for code, (status, field) in _STATUS_AND_FIELD.items()
}

UNKNOWN: str = _words.unknown

FIELD_BY_ITEM: Mapping[ChecklistItem, str] = {
    ChecklistItem.FORM: "",
    ChecklistItem.LETTER: LETTER,
    ChecklistItem.SCOPE: "scope",
    ChecklistItem.DOCUMENTS: REQUIREMENTS,
}
"""The field by which a failed item is completed."""


def intake_refusal_problem(refusal: Refusal, version: int) -> Problem:
    """The refusal as the applicant reads it; items that wait are named one by one, each at its field."""
    if refusal.code != "item_untouched":
        return refusal_problem(refusal, SENTENCES, version)
    waiting: tuple[ChecklistItem, ...] = refusal.facts["items"]
    return validation_problem(
        FieldError(FIELD_BY_ITEM[item], str(fill(_words.item_waits, item=OPEN_ITEM_LABELS[item]))) for item in waiting
    )
