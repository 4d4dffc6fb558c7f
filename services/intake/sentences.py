"""Refusals of intake as sentences: the status and the field here, the words in templates/words.toml."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts.facts import ChecklistItem
from shared.runtime.decider import Refusal
from shared.web.bodies import FieldError
from shared.web.commands import Sentences, problem_of
from shared.web.labels import OPEN_ITEM_LABELS
from shared.web.problems import Problem, invalid
from shared.web.words import fill, read_words

_words = read_words("services.intake").refusals

LETTER, REQUIREMENTS, REPLACES = "letter", "requirements", "replaces"

_ABOUT: Mapping[str, tuple[int, str]] = {
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
SENTENCES: Sentences = {code: (status, field, str(_words[code])) for code, (status, field) in _ABOUT.items()}

UNKNOWN: str = _words.unknown

FIELD_OF: Mapping[ChecklistItem, str] = {
    ChecklistItem.FORM: "",
    ChecklistItem.LETTER: LETTER,
    ChecklistItem.SCOPE: "scope",
    ChecklistItem.DOCUMENTS: REQUIREMENTS,
}
"""The field by which a failed item is completed."""


def refused(refusal: Refusal, version: int) -> Problem:
    """The refusal as the applicant reads it; items that wait are named one by one, each at its field."""
    if refusal.code != "item_untouched":
        return problem_of(refusal, SENTENCES, version)
    waiting: tuple[ChecklistItem, ...] = refusal.facts["items"]
    return invalid(
        FieldError(FIELD_OF[item], str(fill(_words.item_waits, item=OPEN_ITEM_LABELS[item]))) for item in waiting
    )
