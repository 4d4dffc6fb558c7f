"""The checklist form: parsing an officer's decision, and its errors item by item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from services.verification.domain.commands import ReturnRequest, VerifyRequest
from services.verification.domain.state import State
from services.verification.errors import TEXTS
from services.verification.schemas import Finding, ReturnBody, VerificationBody, to_verdicts
from shared.contracts.checklist import CheckItem
from shared.contracts.facts import ChecklistItem, DocumentKind, Staff
from shared.runtime.decider import Refusal
from shared.text.cleaning import parse_number
from shared.web.api.problems import validation_problem
from shared.web.api.validation import FieldError, InputModel, field_errors
from shared.web.documents.previews import DocumentPreviews
from shared.web.documents.viewer import VIEW_FIELDS, DocumentList, ViewerLink, proof_link
from shared.web.forms.posted_form import PostedForm
from shared.web.views.words import fill

VERIFY_BUTTON, RETURN_BUTTON = "verify", "return"
ACKNOWLEDGED_FIELD, WITHDRAW_FIELD = "acknowledged", "withdraw_recommendation"
ROUND_FIELD, CORRECTIONS_FIELD = "round", "corrections"
MAX_ROUND = 1_000_000
MAX_KEY = 9
"""The last row that is answered by a digit."""


Checklist = tuple[CheckItem, ...]
YES, NO = "yes", "no"


def verdict_field(item: CheckItem) -> str:
    return f"ok_{item.id}"


def note_field(item: CheckItem) -> str:
    return f"note_{item.id}"


def field_labels(checklist: Checklist) -> dict[str, str]:
    """Return the labels of the fields in the error summary, in the order of the page."""
    fields = {field(item): item.label for item in checklist for field in (verdict_field, note_field)}
    return {**fields, WITHDRAW_FIELD: TEXTS.check.withdraw, ACKNOWLEDGED_FIELD: TEXTS.check.warnings}


@dataclass(frozen=True, slots=True)
class ChecklistRow:
    """An item as the page shows it: its fields, what is chosen, where to look, and what an earlier round found.

    `carried` says that the item passed in the round before, so that this verdict is filled in.
    """

    item: CheckItem
    verdict: str
    note: str
    label: str
    chosen: str
    proof: ViewerLink | None
    earlier: str
    carried: bool
    key: int = 0
    """The digit on the keyboard, 0 without one."""


def checklist_rows(
    state: State, checklist: Checklist, posted: PostedForm, proofs: Mapping[ChecklistItem, ViewerLink]
) -> list[ChecklistRow]:
    """Return the rows of the checklist; in a later round those that failed before come first."""
    judgement = state.judgement
    judged = judgement.verdicts if judgement and judgement.round < state.course.round else ()
    passed = {verdict.id for verdict in judged if verdict.ok}
    notes = {verdict.id: _earlier_note(state, verdict.note) for verdict in judged if not verdict.ok}
    rows = [
        ChecklistRow(
            item,
            verdict_field(item),
            note_field(item),
            item.label,
            posted.text(verdict_field(item), YES if item.id in passed else ""),
            proofs.get(item.concerns),
            notes.get(item.id, ""),
            item.id in passed,
        )
        for item in checklist
    ]
    ordered = sorted(rows, key=lambda row: row.carried)
    return [replace(row, key=key if key <= MAX_KEY else 0) for key, row in enumerate(ordered, 1)]


def _earlier_note(state: State, note: str) -> str:
    judgement = state.judgement
    return fill(TEXTS.check.earlier, round=judgement.round, by=judgement.by.name, note=note) if judgement else ""


async def find_proofs(previews: DocumentPreviews, documents: DocumentList) -> dict[ChecklistItem, ViewerLink]:
    """Return the page on which each item can be checked: the signature is on the last page of the letter."""
    letter = next((document for document in documents.current if document.kind is DocumentKind.LETTER), None)
    requirements = [document for document in documents.current if document.kind is DocumentKind.REQUIREMENT]
    found = {}
    if letter and (pages := await previews.count_pages(letter)):
        found[ChecklistItem.LETTER] = proof_link(fill(TEXTS.check.proof_page, page=pages), letter, pages)
        found[ChecklistItem.SCOPE] = proof_link(fill(TEXTS.check.proof_page, page=1), letter, 1)
    if requirements:
        label = fill(TEXTS.check.proof_files, count=len(requirements))
        found[ChecklistItem.DOCUMENTS] = proof_link(label, requirements[0], 1)
    return found


class ChecklistForm(InputModel):
    """What the page of a checklist sends beside a verdict and a note for each item."""

    round: int = Field(ge=1, le=MAX_ROUND)
    corrections: int | None = Field(None, ge=0, le=MAX_ROUND)
    acknowledged: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    withdraw_recommendation: Literal["yes"] | None = None


def _parse_findings(posted: PostedForm, checklist: Checklist) -> tuple[Finding, ...]:
    """Return the items that have a verdict; the note of an item that passed is dropped. Raises Problem 422."""
    findings, errors = list[Finding](), list[FieldError]()
    for item in checklist:
        verdict = posted.text(verdict_field(item))
        note = posted.text(note_field(item)) if verdict == NO else ""
        try:
            finding = Finding(item=item.id, ok=verdict == YES, note=note)
        except ValidationError as error:
            errors += [FieldError(note_field(item), one.message) for one in field_errors(error.errors())]
        else:
            findings += [finding] if verdict in (YES, NO) else []
    if errors:
        raise validation_problem(errors)
    return tuple(findings)


def has_input(posted: PostedForm, checklist: Checklist) -> bool:
    """Whether any field of the checklist was filled in."""
    return any(text.strip() for name in field_labels(checklist) for text in posted.many(name))


def displayed_round(posted: PostedForm, current_round: int) -> int:
    """Return the round that the page showed when the form was filled in."""
    return _displayed_number(posted, ROUND_FIELD, current_round)


def displayed_corrections(posted: PostedForm, current_corrections: int) -> int:
    """Return how often the request had been corrected when the form was filled in."""
    return _displayed_number(posted, CORRECTIONS_FIELD, current_corrections)


def _displayed_number(posted: PostedForm, field: str, current: int) -> int:
    shown = parse_number(posted.text(field))
    return current if shown is None else shown


def parse_decision(
    posted: PostedForm, by: Staff, checklist: Checklist
) -> tuple[VerifyRequest | ReturnRequest, VerificationBody | ReturnBody]:
    """Return the command of the pressed button, and the equivalent body of the API. Raises Problem 422."""
    form = posted.validate(ChecklistForm, *VIEW_FIELDS, *field_labels(checklist))
    findings = _parse_findings(posted, checklist)
    if posted.button == VERIFY_BUTTON:
        withdrawn = form.withdraw_recommendation is not None
        body = VerificationBody(
            checklist=findings, acknowledged_warnings=form.acknowledged, withdraw_recommendation=withdrawn
        )
        seen = (form.round, withdrawn, form.corrections)
        return VerifyRequest(by, to_verdicts(findings, checklist), form.acknowledged, *seen), body
    if posted.button == RETURN_BUTTON:
        return ReturnRequest(by, to_verdicts(findings, checklist), form.round, form.corrections), ReturnBody(
            checklist=findings
        )
    raise validation_problem([FieldError("", TEXTS.wrong.button)])


def checklist_errors(refusals: Iterable[Refusal], checklist: Checklist) -> list[FieldError]:
    """Return the refusals as errors of their fields, in the order of the page."""
    errors = [
        FieldError(field, TEXTS.wrong[refusal.code])
        for refusal in refusals
        for field in _error_fields(refusal, checklist)
    ]
    return sorted(errors, key=lambda error: list(field_labels(checklist)).index(error.field))


def _error_fields(refusal: Refusal, checklist: Checklist) -> Iterable[str]:
    items = refusal.params.get("items", ())
    match refusal.code:
        case "note_missing":
            return [note_field(item) for item in items]
        case "warning_open":
            return [ACKNOWLEDGED_FIELD]
        case "recommendation_open":
            return [WITHDRAW_FIELD]
        case "nothing_failed":
            return [verdict_field(checklist[0])]
        case _:
            return [verdict_field(item) for item in items]
