"""The state of assignment: a fold of its own events and those of other services, in any order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from services.assignment.events import PUBLISHES, SUBSCRIBES_TO
from shared.calendar import today
from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    TargetChanged,
    WorkCompleted,
    WorkPaused,
    WorkResumed,
)
from shared.contracts.envelope import Event
from shared.contracts.facts import Complexity, Staff
from shared.contracts.lifecycle import Status
from shared.contracts.request_state import StaffRequestState, apply_staff_request_event
from shared.contracts.verification import RequestVerified


@dataclass(frozen=True, slots=True)
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


def evolve(state: State, event: Event) -> State:
    """Return the state after an event, the same for every order in which events of different services arrive."""
    if type(event.fact) not in SUBSCRIBES_TO | PUBLISHES:
        return state
    updated = apply_staff_request_event(state, event)
    match event.fact:
        case RequestVerified():
            updated = replace(updated, verified_at=event.time)
        case LeadAssigned(complexity=complexity, note=note):
            updated = replace(updated, complexity=complexity, note=note, assigned_at=event.time)
        case LeadReassigned(previous=previous, target_date=day):
            updated = replace(updated, former_lead=previous, stopped_on=_stopped_on(state, day, event.time))
        case TargetChanged(target_date=day):
            updated = replace(updated, stopped_on=_stopped_on(state, day, event.time))
        case WorkPaused(question=question):
            updated = replace(updated, question=question, stopped_on=today(event.time))
        case WorkResumed():
            updated = replace(updated, question="", stopped_on=None)
        case WorkCompleted(summary=summary, record_number=number):
            updated = replace(updated, summary=summary, record_number=number)
    return updated


def _stopped_on(state: State, target: date, time: datetime) -> date | None:
    """Restart the pause at a target that is set during it: the target includes the days that have passed."""
    return state.stopped_on if target == state.target_date else state.stopped_on and today(time)


def has_open_answer(state: State) -> bool:
    """Return whether the applicant answered the open question and work is not resumed yet."""
    course = state.course
    return course.status is Status.IN_PROGRESS and course.resumed < course.pause == course.answered


def has_open_recommendation(state: State) -> bool:
    """Return whether an officer recommended rejection in this round and that is still undecided."""
    recommendation = state.recommendation
    undecided = state.status in (Status.SUBMITTED, Status.VERIFIED)
    return undecided and recommendation is not None and recommendation.round == state.course.round
