"""Serializers and response models that several services share: documents, timeline, warnings and form fields."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from shared.contracts.facts import Applicant, ChecklistItem, DocumentKind, DocumentRef, Letter
from shared.contracts.history import HistoryEntry
from shared.contracts.lifecycle import Status
from shared.web.views.labels import EVENT_LABELS, WARNING_MESSAGES, actor_label


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

    item: ChecklistItem
    label: str


class RecommendationResponse(BaseModel):
    """An officer's recommendation to reject the request."""

    round: int
    reason: str
    by: str
    at: datetime


class RequestHeaderResponse(BaseModel):
    """What lists and details of requests have in common for staff."""

    id: str
    number: str
    status: Status
    version: int
    name: str
    employee_number: str
    unit: str
    scope: str
    round: int
    submitted_at: datetime | None
    target_date: date | None
    overdue: bool
    lead: str | None
    lead_name: str | None
    percent: int | None


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


def form(applicant: Applicant | None, letter: Letter | None, description: str) -> dict[str, Any]:
    """The fields of the form besides name, unit and scope, with the whole employee number."""
    return {
        "employee_number": applicant.employee_number if applicant else "",
        "position": applicant.position if applicant else "",
        "email": applicant.email if applicant else "",
        "phone": applicant.phone if applicant else "",
        "description": description,
        "letter_number": letter.number if letter else "",
        "letter_date": letter.date if letter else None,
    }
