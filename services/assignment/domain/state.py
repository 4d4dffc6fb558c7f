"""The state of assignment: a fold of its own events and those of other services, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from services.assignment.events import FOLDED
from shared.calendar import today
from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    ReminderRequested,
    TargetChanged,
    WorkCompleted,
    WorkPaused,
    WorkResumed,
)
from shared.contracts.envelope import Event
from shared.contracts.facts import Complexity, Staff
from shared.contracts.intake import SurveyAnswered
from shared.contracts.lifecycle import Status
from shared.contracts.request_state import StaffRequestState, apply_staff_request_event
from shared.contracts.verification import RequestReturned, RequestVerified
from shared.fast_replace import replace


@dataclass(frozen=True, slots=True)
class FailedChecklist:
    """The items for which a round was returned."""

    at: datetime
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SurveyAnswers:
    """The scores of U1 to U9, from 1 to 4; they leave the record in sums only, never beside the request."""

    at: datetime
    scores: tuple[int, ...]
    comment: str


@dataclass(frozen=True)
class State(StaffRequestState):
    """`stopped_on` is the day from which a pause moves the target."""

    verified_at: datetime | None = None
    former_lead: Staff | None = None
    complexity: Complexity | None = None
    note: str = ""
    assigned_at: datetime | None = None
    question: str = ""
    stopped_on: date | None = None
    summary: str = ""
    record_number: str = ""
    failed_checklists: tuple[FailedChecklist, ...] = ()
    survey: SurveyAnswers | None = None
    reminded_on: date | None = None


def evolve(state: State, event: Event) -> State:
    """Return the state after an event, the same for every order in which events of different services arrive."""
    if type(event.fact) not in FOLDED:
        return state
    if isinstance(event.fact, SurveyAnswered):
        # Not in the history, which staff read: it would show who answered, and when.
        return replace(state, survey=SurveyAnswers(event.time, event.fact.answers, event.fact.comment))
    updated = apply_staff_request_event(state, event)
    match event.fact:
        case RequestReturned(verdicts=verdicts):
            failed = FailedChecklist(event.time, tuple(verdict.id for verdict in verdicts if not verdict.ok))
            updated = replace(updated, failed_checklists=(*state.failed_checklists, failed))
        case RequestVerified():
            updated = replace(updated, verified_at=event.time)
        case LeadAssigned(complexity=complexity, note=note):
            updated = replace(updated, complexity=complexity, note=note, assigned_at=event.time)
        case LeadReassigned(previous=previous, target_date=day):
            updated = replace(updated, former_lead=previous, stopped_on=_stopped_on(state, day, event.time))
        case TargetChanged(target_date=day):
            updated = replace(updated, stopped_on=_stopped_on(state, day, event.time))
        case ReminderRequested():
            updated = replace(updated, reminded_on=today(event.time))
        case _:
            updated = _apply_progress(updated, event)
    return updated


def _apply_progress(state: State, event: Event) -> State:
    match event.fact:
        case WorkPaused(question=question):
            return replace(state, question=question, stopped_on=today(event.time))
        case WorkResumed():
            return replace(state, question="", stopped_on=None)
        case WorkCompleted(summary=summary, record_number=number):
            return replace(state, summary=summary, record_number=number)
        case _:
            return state


def _stopped_on(state: State, target: date, time: datetime) -> date | None:
    """Restart the pause at a target that is set during it: the target includes the days that have passed."""
    return state.stopped_on if target == state.target_date else state.stopped_on and today(time)


def has_open_answer(state: State) -> bool:
    """Return whether the applicant answered the open question and work is not resumed yet."""
    course = state.course
    return course.status is Status.IN_PROGRESS and course.resumed < course.pause == course.answered


def has_open_recommendation(state: State) -> bool:
    """Return whether an officer recommended rejection in this round and that is still undecided."""
    return state.status in (Status.SUBMITTED, Status.VERIFIED) and state.current_recommendation is not None
