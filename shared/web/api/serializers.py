"""Serializers and response models that several services share: documents, timeline, warnings and form fields."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from shared.contracts.claims import Claim
from shared.contracts.facts import DocumentKind, DocumentRef
from shared.contracts.history import HistoryEntry
from shared.contracts.lifecycle import Status
from shared.contracts.request_state import AnyStaffRequestState, StaffRequestState
from shared.contracts.stages import Stage, StageRules, stage_clock
from shared.runtime.executor import Loaded
from shared.web.views.employee_number import mask_employee_number
from shared.web.views.labels import EVENT_LABELS, STATUS_LABELS, WARNING_MESSAGES, actor_label

SUBJECT_LENGTH = 160
"""How many characters of a description a list item shows."""


class DocumentResponse(BaseModel):
    """A stored document; `size` is in bytes, `round` is the round of the request that it came with."""

    id: str
    kind: DocumentKind
    name: str
    size: int
    media_type: str
    sha256: str
    round: int


class TimelineEntryResponse(BaseModel):
    """An event of the request; `label` and `by` are texts for people."""

    time: datetime
    event: str
    label: str
    by: str
    note: str


class WarningResponse(BaseModel):
    """A warning about the request; `message` is a text for people."""

    code: str
    message: str


class ChecklistItemResponse(BaseModel):
    """An item of a checklist; `label` is a text for people."""

    item: str
    label: str


class RecommendationResponse(BaseModel):
    """An officer's recommendation to reject the request."""

    round: int
    reason: str
    by: str
    at: datetime


class RequestHeaderResponse(BaseModel):
    """What lists and details of requests have in common for staff.

    `subject` is the beginning of the description. `due` is the last day on which the current stage is in time; `overdue_days` are
    the working days since.
    """

    id: str
    number: str
    status: Status
    version: int
    name: str
    employee_number: str
    unit: str
    scope: str
    subject: str
    round: int
    submitted_at: datetime | None
    target_date: date | None
    stage: Stage | None
    due: date | None
    overdue: bool
    overdue_days: int
    lead: str | None
    lead_name: str | None
    percent: int | None
    claimed_by: str | None
    claimed_by_name: str | None
    claimed_at: datetime | None


class RequestSummaryResponse(RequestHeaderResponse):
    """A request in a list of staff; the employee number is masked, `warnings` are codes."""

    warnings: list[str]


class RequestDetailsResponse(RequestHeaderResponse):
    """A request with everything that was submitted and what happened since."""

    position: str
    email: str
    phone: str
    description: str
    letter_number: str
    letter_date: date | None
    documents: list[DocumentResponse]
    timeline: list[TimelineEntryResponse]
    warnings: list[WarningResponse]
    recommendation: RecommendationResponse | None


def documents(stored: Iterable[DocumentRef]) -> list[dict[str, Any]]:
    """`{id, kind, name, size, media_type, sha256, round}` of each document, without its storage key."""
    return [document.model_dump(mode="json", exclude={"key"}) for document in stored]


def timeline(history: Iterable[HistoryEntry], *, automatic: bool = False) -> list[dict[str, Any]]:
    """`{time, event, label, by, note}` of each event, oldest first.

    `automatic` says that the handover was confirmed automatically, because the period for objections passed.
    """
    return [
        {
            "time": entry.time,
            "event": entry.event,
            "label": EVENT_LABELS.get(entry.event, entry.event),
            "by": actor_label(entry.event, entry.by, automatic=automatic and entry.event == "HandoverConfirmed"),
            "note": entry.note,
        }
        for entry in history
    ]


def warnings(codes: Iterable[str]) -> list[dict[str, str]]:
    """`{code, message}` of each warning; an unknown code is its own message."""
    return [{"code": code, "message": WARNING_MESSAGES.get(code, code)} for code in codes]


def claim(held: Claim | None) -> dict[str, Any]:
    """The officer who checks the request, None unless one has claimed it: username, name and since when."""
    return {
        "claimed_by": held.officer.username if held else None,
        "claimed_by_name": held.officer.name if held else None,
        "claimed_at": held.at if held else None,
    }


def summary(
    loaded: Loaded[AnyStaffRequestState], target_date: date | None, day: date, rules: StageRules
) -> dict[str, Any]:
    """A request as an item of a list of staff; `lead` is a username."""
    state, applicant = loaded.state, loaded.state.applicant
    clock = stage_clock(state, rules)
    return {
        "id": loaded.id,
        "number": state.number,
        "status": state.status.value,
        "version": loaded.version,
        "name": applicant.name if applicant else "",
        "employee_number": mask_employee_number(applicant.employee_number) if applicant else "",
        "unit": applicant.unit if applicant else "",
        "scope": state.scope.value if state.scope else "",
        "subject": subject(state),
        "round": state.course.round,
        "submitted_at": state.submitted_at,
        "target_date": target_date,
        "stage": clock.stage.value if clock else None,
        "due": clock.due if clock else None,
        "overdue": clock is not None and clock.is_overdue(day),
        "overdue_days": clock.overdue_days(day, rules.calendar) if clock else 0,
        "lead": state.lead.username if state.lead else None,
        "lead_name": state.lead.name if state.lead else None,
        "percent": state.percent,
        **claim(state.active_claim),
        "warnings": list(state.warnings),
    }


def change_notice(number: str, status: Status) -> dict[str, str]:
    """Return what a live stream reports of a changed request."""
    return {"number": number, "status": status.value, "label": STATUS_LABELS[status]}


def subject(state: StaffRequestState) -> str:
    """The first words of the description."""
    return " ".join(state.description.split())[:SUBJECT_LENGTH]


def details(state: StaffRequestState) -> dict[str, Any]:
    """What a request shows besides its summary: the form with the whole employee number, documents, timeline, recommendation."""
    applicant, letter, given = state.applicant, state.letter, state.recommendation
    return {
        "employee_number": applicant.employee_number if applicant else "",
        "position": applicant.position if applicant else "",
        "email": applicant.email if applicant else "",
        "phone": applicant.phone if applicant else "",
        "description": state.description,
        "letter_number": letter.number if letter else "",
        "letter_date": letter.date if letter else None,
        "documents": documents(state.all_documents),
        "timeline": timeline(state.history, automatic=state.by_silence),
        "warnings": warnings(state.warnings),
        "recommendation": {"round": given.round, "reason": given.reason, "by": given.by.name, "at": given.at}
        if given
        else None,
    }
