"""Requests as officers see them, as plain values for pages and API."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.verification.domain.decisions import Rules, verification_due
from services.verification.domain.state import CHECKLIST, State
from shared.contracts.lifecycle import ENDED, Status
from shared.runtime.executor import Loaded
from shared.web.api import serializers
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
    target, overdue = target_date(state, rules), is_overdue(state, day, rules)
    return {**serializers.summary(loaded, target, overdue=overdue), "received_at": state.received_at}


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
        **serializers.details(state),
        "checklist": [{"item": item.value, "label": CHECKLIST_LABELS[item]} for item in CHECKLIST],
        "verdicts": _verdicts(state),
    }


def _verdicts(state: State) -> list[dict[str, Any]]:
    """Return the verdicts of the last decided round, which may be earlier than the current one."""
    return [verdict.model_dump(mode="json") for verdict in state.judgement.verdicts] if state.judgement else []
