"""The checklist as a form: what an officer chose, and what is missing, item by item."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from services.verification.domain.commands import ReturnRequest, VerifyRequest
from services.verification.errors import WORDS
from services.verification.pages.document_viewer import DOCUMENT_FIELD, PAGE
from services.verification.schemas import Finding, Note, Return, Verification, verdicts
from shared.contracts.facts import ChecklistItem, Staff
from shared.runtime.decider import Refusal
from shared.web.api.problems import validation_problem
from shared.web.api.validation import FieldError, InputModel
from shared.web.forms.posted_form import PostedForm
from shared.web.views.labels import CHECKLIST_LABELS

VERIFY_BUTTON, RETURN_BUTTON = "verify", "return"
ACKNOWLEDGED_FIELD, ROUND_FIELD = "acknowledged", "round"
_MAX_ROUND = 1_000_000


def verdict_field(item: ChecklistItem) -> str:
    return f"ok_{item}"


def note_field(item: ChecklistItem) -> str:
    return f"note_{item}"


FIELD_LABELS = {field(item): label for item, label in CHECKLIST_LABELS.items() for field in (verdict_field, note_field)}
FIELD_LABELS[ACKNOWLEDGED_FIELD] = WORDS.check.warnings
"""What the summary of what is wrong calls each field, in the order of the page."""


class _ChecklistForm(InputModel):
    round: int = Field(ge=1, le=_MAX_ROUND)
    acknowledged: Annotated[tuple[str, ...], Field(max_length=20)] = ()


_FIELDS: dict[str, Any] = {
    **{verdict_field(item): (Literal["yes", "no"] | None, None) for item in ChecklistItem},
    **{note_field(item): (Note, "") for item in ChecklistItem},
}
_Checklist = create_model("_Checklist", __base__=_ChecklistForm, **_FIELDS)


def has_input(posted: PostedForm) -> bool:
    """Whether anything was ticked or written."""
    return any(text.strip() for name in FIELD_LABELS for text in posted.many(name))


def displayed_round(posted: PostedForm, now: int) -> int:
    """The round that was on the page when it was filled in."""
    text = posted.text(ROUND_FIELD)
    return int(text) if text.isdecimal() and text.isascii() and len(text) < len(str(_MAX_ROUND)) else now


def parse_decision(posted: PostedForm, by: Staff) -> tuple[VerifyRequest | ReturnRequest, Verification | Return]:
    """The command of the button that was pressed, and what a program would have sent. Raises Problem 422."""
    sent = posted.validate(_Checklist, DOCUMENT_FIELD, PAGE)
    findings = tuple(_findings(sent))
    if posted.button == VERIFY_BUTTON:
        asked = Verification(checklist=findings, acknowledged_warnings=sent.acknowledged)
        return VerifyRequest(by, verdicts(findings), sent.acknowledged, sent.round), asked
    if posted.button == RETURN_BUTTON:
        return ReturnRequest(by, verdicts(findings), sent.round), Return(checklist=findings)
    raise validation_problem([FieldError("", WORDS.wrong.button)])


def _findings(sent: _ChecklistForm) -> Iterable[Finding]:
    """The items that were judged. What was written under one that is right after all is for nobody."""
    for item in ChecklistItem:
        verdict, note = getattr(sent, verdict_field(item)), getattr(sent, note_field(item))
        if verdict is not None:
            yield Finding(item=item, ok=verdict == "yes", note="" if verdict == "yes" else note)


def checklist_errors(refusals: Iterable[Refusal]) -> list[FieldError]:
    """Each shortcoming beside the item that it is about, in the order of the page."""
    found = [FieldError(field, WORDS.wrong[refusal.code]) for refusal in refusals for field in _error_fields(refusal)]
    return sorted(found, key=lambda error: list(FIELD_LABELS).index(error.field))


def _error_fields(refusal: Refusal) -> Iterable[str]:
    items = refusal.facts.get("items", ())
    match refusal.code:
        case "note_missing":
            return [note_field(item) for item in items]
        case "warning_open":
            return [ACKNOWLEDGED_FIELD]
        case "nothing_failed":
            return [verdict_field(next(iter(ChecklistItem)))]
        case _:
            return [verdict_field(item) for item in items]
