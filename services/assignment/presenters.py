"""Requests as responses of the API and as values of pages."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.assignment.domain.decisions import resumed_target
from services.assignment.domain.state import State, has_open_recommendation
from services.assignment.errors import WORDS
from services.assignment.overdue_board import Board, ResponsibleParty
from shared.calendar import WorkingCalendar
from shared.contracts.history import HistoryEntry
from shared.contracts.lifecycle import Status
from shared.contracts.stages import StageRules
from shared.runtime.executor import Loaded
from shared.web.api import serializers
from shared.web.api.staff_notes import present_notes
from shared.web.views.employee_number import group_digits
from shared.web.views.formats import format_weekday_date

RUNNING_STATUSES = (Status.ASSIGNED, Status.IN_PROGRESS, Status.ON_HOLD, Status.DELIVERED)
"""Statuses from the assignment of a lead until the confirmation."""


def target_warnings(target: date | None, calendar: WorkingCalendar) -> list[dict[str, Any]]:
    """Return the warning about a target on a day off, with the next working day; an empty list for a working day."""
    if target is None or calendar.is_working_day(target):
        return []
    next_day = calendar.working_day_from(target)
    holiday = calendar.holiday(target)
    text = WORDS.target.holiday if holiday else WORDS.target.weekend
    days = {"day": format_weekday_date(target), "next": format_weekday_date(next_day)}
    return [
        {
            "code": "not_a_working_day",
            "message": text.format(**days, holiday=holiday),
            "next_working_day": next_day,
        }
    ]


def present_summary(loaded: Loaded[State], day: date, rules: StageRules) -> dict[str, Any]:
    """Return a request as an item of a list; `lead` is a username."""
    return serializers.summary(loaded, loaded.state.target_date, day, rules)


def present_row(loaded: Loaded[State], day: date, rules: StageRules) -> dict[str, Any]:
    """Return a row of a page's list."""
    return {**present_summary(loaded, day, rules), "advised": has_open_recommendation(loaded.state)}


def present_request(loaded: Loaded[State], day: date, rules: StageRules) -> dict[str, Any]:
    """Return a request with its form, documents and timeline, the recommendation, and the state of the work."""
    state = loaded.state
    return {
        **present_summary(loaded, day, rules),
        **serializers.details(state),
        "complexity": state.complexity.value if state.complexity else None,
        "note": state.note,
        "question": state.question or None,
        "answer_by": state.answer_by,
        "summary": state.summary or None,
        "record_number": state.record_number or None,
        "confirm_by": state.confirm_by,
    }


def present_page(loaded: Loaded[State], day: date, rules: StageRules) -> dict[str, Any]:
    """Return everything that the page of a request shows."""
    state = loaded.state
    return {
        **present_row(loaded, day, rules),
        **present_request(loaded, day, rules),
        "employee_number": group_digits(state.applicant.employee_number) if state.applicant else "",
        "by_silence": state.by_silence,
        "notes": present_notes(state.notes),
        "assigned_at": state.assigned_at,
        "resumed_target": resumed_target(state, day, rules),
        "objection": objection(state),
        "paused": _last_entry(state, "WorkPaused") if state.status is Status.ON_HOLD else None,
        "ending": _ending_entry(state),
    }


def objection(state: State) -> HistoryEntry | None:
    """Return the objection that reopened the work, until it is handed over again."""
    course = state.course
    reopened = course.contested == course.delivery > 0 and state.status in (Status.IN_PROGRESS, Status.ON_HOLD)
    return _last_entry(state, "HandoverContested") if reopened else None


def _ending_entry(state: State) -> HistoryEntry | None:
    """Return the event that ended the request, if it has ended."""
    endings = {
        Status.COMPLETED: "HandoverConfirmed",
        Status.REJECTED: "RequestRejected",
        Status.WITHDRAWN: "RequestWithdrawn",
        Status.EXPIRED: "RequestExpired",
    }
    return _last_entry(state, endings[state.status]) if state.status in endings else None


def _last_entry(state: State, event: str) -> HistoryEntry | None:
    return next((entry for entry in reversed(state.history) if entry.event == event), None)


def present_board(board: Board) -> dict[str, Any]:
    """Return the overdue board as the response of the API."""
    return {
        "total": board.total,
        "stages": [
            {
                "stage": stage.stage,
                "count": stage.count,
                "overdue_days": max(map(board.overdue_days, stage.requests), default=0),
                "items": [present_summary(loaded, board.day, board.rules) for loaded in stage.requests],
            }
            for stage in board.stages
        ],
        "people": [present_responsible(party, board) for party in board.people],
    }


def present_responsible(party: ResponsibleParty, board: Board) -> dict[str, Any]:
    """Return those who have to act as an item of the board."""
    return {
        "responsible": party.key,
        "name": party.name,
        "counts": party.counts,
        "total": party.total,
        "overdue_days": board.overdue_days(party.oldest),
        "reminded_today": party.oldest.state.reminded_on == board.day,
    }
