"""Requests as officers see them, as plain values for pages and API."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.verification.domain.decisions import Rules, verification_due
from services.verification.domain.state import CHECKLIST, State
from shared.contracts.facts import DocumentRef
from shared.contracts.lifecycle import ENDED, Status
from shared.runtime.executor import Loaded
from shared.web.api import serializers
from shared.web.views.employee_number import mask_employee_number
from shared.web.views.labels import CHECKLIST_LABELS, STATUS_LABELS

WORK_STATUSES = frozenset({Status.ASSIGNED, Status.IN_PROGRESS})


def change_notice(state: State) -> dict[str, Any]:
    """Return what a live stream reports of a changed request."""
    return {"number": state.number, "status": state.status.value, "label": STATUS_LABELS[state.status]}


def present_summary(loaded: Loaded[State], day: date, rules: Rules) -> dict[str, Any]:
    """Return an item of the queue.

    `target_date` is the internal target while the request awaits an officer, and that of the work once a lead is assigned.
    """
    state = loaded.state
    target = target_date(state, rules)
    return {
        "id": loaded.id,
        "number": state.number,
        "status": state.status.value,
        "version": loaded.version,
        "name": state.applicant.name if state.applicant else "",
        "employee_number": mask_employee_number(state.applicant.employee_number) if state.applicant else "",
        "unit": state.applicant.unit if state.applicant else "",
        "scope": state.scope.value if state.scope else "",
        "round": state.course.round,
        "submitted_at": state.submitted_at,
        "received_at": state.received_at,
        "target_date": target,
        "overdue": is_overdue(state, day, rules),
        "lead": state.lead.username if state.lead else None,
        "lead_name": state.lead.name if state.lead else None,
        "percent": state.percent,
        "warnings": list(state.warnings),
    }


def target_date(state: State, rules: Rules) -> date | None:
    return verification_due(state, rules) or state.target_date


def is_overdue(state: State, day: date, rules: Rules) -> bool:
    """Whether the target date has passed; never while the applicant is to respond, nor after the end."""
    due = verification_due(state, rules) or (state.target_date if state.status in WORK_STATUSES else None)
    return due is not None and due < day


def present_row(loaded: Loaded[State], day: date, rules: Rules) -> dict[str, Any]:
    """Return the summary with the next deadline, and by how many working days it has passed."""
    due = _due(loaded.state, rules)
    is_late = due is not None and is_overdue(loaded.state, day, rules)
    days = rules.calendar.working_days_between(due, day) if due and is_late else 0
    return {**present_summary(loaded, day, rules), "due": due, "late": is_late, "late_days": days}


def _due(state: State, rules: Rules) -> date | None:
    if state.status is Status.RETURNED:
        return state.judgement.respond_by if state.judgement else None
    return target_date(state, rules) if state.status not in ENDED else None


def present_request(loaded: Loaded[State], day: date, rules: Rules) -> dict[str, Any]:
    """Return the request with all submitted fields, the checklist, and the last verdicts."""
    state = loaded.state
    return {
        **present_summary(loaded, day, rules),
        **serializers.form(state.applicant, state.letter, state.description),
        "documents": serializers.documents(list_documents(state)),
        "timeline": serializers.timeline(state.history, automatic=state.by_silence),
        "checklist": [{"item": item.value, "label": CHECKLIST_LABELS[item]} for item in CHECKLIST],
        "warnings": serializers.warnings(state.warnings),
        "verdicts": _verdicts(state),
        "recommendation": _recommendation(state),
    }


def list_documents(state: State) -> tuple[DocumentRef, ...]:
    """Return the current documents of the form, then those of the last delivery."""
    return (*state.documents, *state.results)


def find_document(state: State, document_id: str) -> DocumentRef | None:
    return next((document for document in list_documents(state) if document.id == document_id), None)


def _verdicts(state: State) -> list[dict[str, Any]]:
    """Return the verdicts of the last decided round, which may be earlier than the current one."""
    return [verdict.model_dump(mode="json") for verdict in state.judgement.verdicts] if state.judgement else []


def _recommendation(state: State) -> dict[str, Any] | None:
    given = state.recommendation
    return {"round": given.round, "reason": given.reason, "by": given.by.name, "at": given.at} if given else None
