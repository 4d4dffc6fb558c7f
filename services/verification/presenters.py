"""What officers see of requests, as plain values for pages and programs alike."""

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
    """What whoever listens is told of a request that changed."""
    return {"number": state.number, "status": state.status.value, "label": STATUS_LABELS[state.status]}


def item(loaded: Loaded[State], day: date, rules: Rules) -> dict[str, Any]:
    """A line of the queue on that day. `target_date` is the internal target of the check while the request waits for it,
    and the date set for the work once a lead is appointed.
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
        "overdue": overdue(state, day, rules),
        "lead": state.lead.username if state.lead else None,
        "lead_name": state.lead.name if state.lead else None,
        "percent": state.percent,
        "warnings": list(state.warnings),
    }


def target_date(state: State, rules: Rules) -> date | None:
    return verification_due(state, rules) or state.target_date


def overdue(state: State, day: date, rules: Rules) -> bool:
    """The day that the request is waited for has passed; never while the applicant's answer is awaited, nor after the end."""
    due = verification_due(state, rules) or (state.target_date if state.status in WORK_STATUSES else None)
    return due is not None and due < day


def line(loaded: Loaded[State], day: date, rules: Rules) -> dict[str, Any]:
    """The same as a page shows it: the day that somebody waits for, and how many working days ago it was if it has passed."""
    due = _due(loaded.state, rules)
    late = due is not None and overdue(loaded.state, day, rules)
    days = rules.calendar.working_days_between(due, day) if due and late else 0
    return {**item(loaded, day, rules), "due": due, "late": late, "late_days": days}


def _due(state: State, rules: Rules) -> date | None:
    if state.status is Status.RETURNED:
        return state.judgement.respond_by if state.judgement else None
    return target_date(state, rules) if state.status not in ENDED else None


def full(loaded: Loaded[State], day: date, rules: Rules) -> dict[str, Any]:
    """The request with everything that was sent, what is to be checked, and what officers found last."""
    state = loaded.state
    return {
        **item(loaded, day, rules),
        **serializers.form(state.applicant, state.letter, state.description),
        "documents": serializers.documents(documents(state)),
        "timeline": serializers.timeline(state.history, by_silence=state.by_silence),
        "checklist": [{"item": item.value, "label": CHECKLIST_LABELS[item]} for item in CHECKLIST],
        "warnings": serializers.warnings(state.warnings),
        "verdicts": _verdicts(state),
        "recommendation": _recommendation(state),
    }


def documents(state: State) -> tuple[DocumentRef, ...]:
    """What was sent and still counts, then what was handed over last."""
    return (*state.documents, *state.results)


def document(state: State, document_id: str) -> DocumentRef | None:
    return next((document for document in documents(state) if document.id == document_id), None)


def _verdicts(state: State) -> list[dict[str, Any]]:
    """The findings of the last round that was judged, which may be an earlier one than the present."""
    return [verdict.model_dump(mode="json") for verdict in state.judgement.verdicts] if state.judgement else []


def _recommendation(state: State) -> dict[str, Any] | None:
    given = state.recommendation
    return {"round": given.round, "reason": given.reason, "by": given.by.name, "at": given.at} if given else None
