"""Messages of intake's refusals: status and field here, texts in templates/words.toml."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts.facts import ChecklistItem
from shared.runtime.decider import Refusal
from shared.web.api.commands import RefusalMessages, refusal_problem
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError
from shared.web.views.labels import OPEN_ITEM_LABELS
from shared.web.views.words import fill, load_words

_texts = load_words("services.intake").refusals

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
    "nothing_changed": (422, ""),
    "being_checked": (409, ""),
    "contact_outdated": (409, ""),
    "reason_missing": (422, "reason"),
    "text_missing": (422, "text"),
    "answers_unfit": (422, "answers"),
    "survey_answered": (409, ""),
    "survey_closed": (409, ""),
}
REFUSAL_MESSAGES: RefusalMessages = {
    code: (status, field, str(_texts[code])) for code, (status, field) in _STATUS_AND_FIELD.items()
}

INVALID_CONTACT_CODE: str = load_words("services.intake").contact.invalid
NOT_FOUND: str = _texts.unknown

FIELD_BY_ITEM: Mapping[ChecklistItem, str] = {
    ChecklistItem.FORM: "",
    ChecklistItem.LETTER: LETTER,
    ChecklistItem.SCOPE: "scope",
    ChecklistItem.DOCUMENTS: REQUIREMENTS,
}
"""The form field that completes a failed item."""


def intake_refusal_problem(refusal: Refusal, version: int) -> Problem:
    """Return the problem that describes a refusal to the applicant; unaddressed items are reported at their fields."""
    if refusal.code != "item_untouched":
        return refusal_problem(refusal, REFUSAL_MESSAGES, version)
    items: tuple[ChecklistItem, ...] = refusal.params["items"]
    return validation_problem(
        FieldError(FIELD_BY_ITEM[item], str(fill(_texts.item_waits, item=OPEN_ITEM_LABELS[item]))) for item in items
    )
