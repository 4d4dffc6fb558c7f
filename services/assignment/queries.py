"""What the structural head and the leads see of requests, as plain values for pages and programs alike."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.assignment.state import State, overdue
from shared.contracts.facts import DocumentRef, Staff
from shared.runtime.execution import Kept
from shared.storage.port import Find, Scalar
from shared.web import shapes
from shared.web.employee_number import masked


def find_requests(
    *,
    status: str = "",
    lead: str = "",
    overdue_on: date | None = None,
    search: str = "",
    open_only: bool = False,
    after: tuple[Scalar, str] | None = None,
    before: tuple[Scalar, str] | None = None,
    limit: int = 50,
) -> Find:
    """Requests in the order in which they were submitted; with `overdue_on`, those whose target has passed on that day."""
    where: dict[str, Scalar | tuple[Scalar, ...]] = {"open": 1} if open_only else {}
    where |= {name: value for name, value in (("status", status), ("lead", lead)) if value}
    below = {"due": overdue_on.isoformat()} if overdue_on else {}
    return Find(
        "submitted_at", where=where, below=below, search=search.lower(), after=after, before=before, limit=limit
    )


def find_work(lead: str, after: tuple[Scalar, str] | None = None, limit: int = 50) -> Find:
    """A lead's open work, the nearest target first."""
    return Find("target_date", where={"lead": lead, "open": 1}, after=after, limit=limit)


def count_open(lead: str) -> Find:
    return Find("target_date", where={"lead": lead, "open": 1})


def count_overdue(lead: str, day: date) -> Find:
    return Find("target_date", where={"lead": lead, "open": 1}, below={"due": day.isoformat()})


def is_lead(state: State, by: Staff) -> bool:
    """Whether the request is this person's work; to anybody else of the technical staff it is not there."""
    return state.lead is not None and state.lead.username == by.username


def item(kept: Kept[State], day: date) -> dict[str, Any]:
    """A line of the list on that day; `lead` is a user name."""
    state = kept.state
    return {
        "id": kept.id,
        "number": state.number,
        "status": state.status.value,
        "version": kept.version,
        "name": state.applicant.name if state.applicant else "",
        "employee_number": masked(state.applicant.employee_number) if state.applicant else "",
        "unit": state.applicant.unit if state.applicant else "",
        "scope": state.scope.value if state.scope else "",
        "round": state.course.round,
        "submitted_at": state.submitted_at,
        "target_date": state.target_date,
        "overdue": overdue(state, day),
        "lead": state.lead.username if state.lead else None,
        "lead_name": state.lead.name if state.lead else None,
        "percent": state.percent,
        "warnings": list(state.warnings),
    }


def full(kept: Kept[State], day: date) -> dict[str, Any]:
    """The request with everything that was sent, what was advised, and how the work stands."""
    state = kept.state
    return {
        **item(kept, day),
        **shapes.form(state.applicant, state.letter, state.description),
        "documents": shapes.documents(documents(state)),
        "timeline": shapes.timeline(state.history, by_silence=state.by_silence),
        "warnings": shapes.warnings(state.warnings),
        "recommendation": _recommendation(state),
        "complexity": state.complexity.value if state.complexity else None,
        "note": state.note,
        "question": state.question or None,
        "answer_by": state.answer_by,
        "summary": state.summary or None,
        "record_number": state.record_number or None,
        "confirm_by": state.confirm_by,
    }


def documents(state: State) -> tuple[DocumentRef, ...]:
    """What was sent and still counts, then what was handed over last."""
    return (*state.documents, *state.results)


def document(state: State, document_id: str) -> DocumentRef | None:
    return next((document for document in documents(state) if document.id == document_id), None)


def _recommendation(state: State) -> dict[str, Any] | None:
    given = state.recommendation
    return {"round": given.round, "reason": given.reason, "by": given.by.name, "at": given.at} if given else None
