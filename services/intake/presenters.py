"""A request as its applicant may see it, as plain values for pages and API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.intake.domain.commands import (
    AnswerQuestion,
    AnswerSurvey,
    ChangeContact,
    Command,
    ConfirmHandover,
    ContestHandover,
    CorrectRequest,
    ResubmitRequest,
    WithdrawRequest,
)
from services.intake.domain.decisions import ALLOWED_STATUSES
from services.intake.domain.form import Form
from services.intake.domain.state import State
from shared.contracts.lifecycle import Status
from shared.runtime.conflict import conflict_refusal
from shared.runtime.decider import Refusal
from shared.web.api import serializers
from shared.web.views.employee_number import group_digits, mask_employee_number
from shared.web.views.labels import OPEN_ITEM_LABELS, SCOPE_LABELS, STATUS_LABELS

EVENTS_WITH_NOTE_TO_LEAD = frozenset({"LeadAssigned"})
"""Events whose note is meant for staff, not for the applicant."""

WORK_STATUSES = frozenset({Status.ASSIGNED, Status.IN_PROGRESS})


def present_request(state: State, day: date) -> dict[str, Any]:
    """Return the request as its applicant follows it; the Nomor Pegawai is masked because links may be shared."""
    status = state.status
    return {
        "number": state.number,
        "status": status.value,
        "status_label": STATUS_LABELS[status],
        "round": state.course.round,
        "submitted_at": state.submitted_at,
        "lead": state.lead.name if state.lead else None,
        "percent": state.percent,
        "target_date": state.target_date,
        "overdue": is_overdue(state, day),
        **(_summary(state.form) if state.form else {}),
        "timeline": _timeline(state),
        "documents": serializers.documents(state.all_documents),
        "open_items": open_items(state),
        "question": state.pause.question if state.pause and status is Status.ON_HOLD else None,
        "summary": state.delivery.summary if state.delivery else None,
        "record_number": state.delivery.record_number if state.delivery else None,
        "deadlines": deadlines(state),
        "survey_open": is_survey_open(state, day),
        "contact_unconfirmed": state.requested_contact is not None,
    }


def _summary(form: Form) -> dict[str, Any]:
    return {
        "name": form.applicant.name,
        "employee_number": mask_employee_number(form.applicant.employee_number),
        "unit": form.applicant.unit,
        "position": form.applicant.position,
        "description": form.description,
        "scope": form.scope.value,
        "scope_label": SCOPE_LABELS[form.scope],
        "letter_number": form.letter.number,
        "letter_date": form.letter.date,
        "warnings": serializers.warnings(form.warnings),
    }


def present_form(form: Form) -> dict[str, Any]:
    """Return all submitted fields unmasked, for the receipt and for corrections."""
    applicant = form.applicant
    return {
        **_summary(form),
        "employee_number": group_digits(applicant.employee_number),
        "email": applicant.email,
        "phone": applicant.phone,
    }


def is_overdue(state: State, day: date) -> bool:
    """Whether the target date has passed while work is under way; neither on hold nor after the delivery."""
    return state.target_date is not None and state.target_date < day and state.status in WORK_STATUSES


def _timeline(state: State) -> list[dict[str, Any]]:
    entries = serializers.timeline(state.history, automatic=state.by_silence)
    return [{**entry, "note": ""} if entry["event"] in EVENTS_WITH_NOTE_TO_LEAD else entry for entry in entries]


def open_items(state: State) -> list[dict[str, str]]:
    """Return the items that the applicant must complete, each with the officer's note."""
    if state.status is not Status.RETURNED or state.returned is None:
        return []
    return [
        {"item": verdict.item.value, "label": OPEN_ITEM_LABELS[verdict.item], "note": verdict.note}
        for verdict in state.returned.failed
    ]


def deadlines(state: State) -> dict[str, date]:
    """Return the last day of each action that is open to the applicant at the current status."""
    match state.status:
        case Status.RETURNED if state.returned:
            return {"respond_by": state.returned.respond_by}
        case Status.ON_HOLD if state.pause:
            return {"answer_by": state.pause.answer_by}
        case Status.DELIVERED if state.delivery:
            return {"confirm_by": state.delivery.confirm_by}
        case Status.COMPLETED if state.survey_until and not state.surveyed_at:
            return {"survey_until": state.survey_until}
        case _:
            return {}


def is_survey_open(state: State, day: date) -> bool:
    last_day = deadlines(state).get("survey_until")
    return last_day is not None and day <= last_day


ACTIONS: Mapping[str, type[Command]] = {
    "lengkapi": ResubmitRequest,
    "jawab": AnswerQuestion,
    "konfirmasi": ConfirmHandover,
    "keberatan": ContestHandover,
    "survei": AnswerSurvey,
    "perbaiki": CorrectRequest,
    "kontak": ChangeContact,
    "batalkan": WithdrawRequest,
}
"""Commands of applicants by the path of their page; the first open one is the expected next step."""


def open_actions(state: State, day: date) -> tuple[str, ...]:
    """Return the actions that are open at the current status on that day."""
    allowed = (name for name, command in ACTIONS.items() if state.status in ALLOWED_STATUSES[command])
    closed = set() if is_survey_open(state, day) else {"survei"}
    closed |= {"perbaiki"} if state.active_claim else set()
    return tuple(name for name in allowed if name not in closed)


def closed_action_refusal(state: State, action: str) -> Refusal:
    """Return why an action is closed: survey_answered, survey_closed, or moved_on with the event that closed it."""
    if action == "survei" and state.status is Status.COMPLETED:
        return Refusal("survey_answered", at=state.surveyed_at) if state.surveyed_at else Refusal("survey_closed")
    if action == "perbaiki" and state.active_claim:
        return Refusal("being_checked", at=state.active_claim.at)
    return conflict_refusal(state.status, state.history)
