"""The state of assignment: a fold of its own events and those of other services, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.assignment.events import PUBLISHES, SUBSCRIBES_TO
from shared.calendar import today
from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    WorkCompleted,
    WorkPaused,
    WorkProgressed,
    WorkResumed,
)
from shared.contracts.envelope import Event
from shared.contracts.facts import Applicant, Complexity, DocumentRef, Letter, Scope, Staff
from shared.contracts.history import HistoryEntry, add_to_history
from shared.contracts.intake import HandoverConfirmed, RequestResubmitted, RequestSubmitted
from shared.contracts.lifecycle import Lifecycle, Status, advance
from shared.contracts.verification import RejectionRecommended, RequestVerified

CLOCK_RUNNING_STATUSES = (Status.ASSIGNED, Status.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A recommendation of an officer to reject, made in one round."""

    round: int
    reason: str
    by: Staff
    at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """`stopped_on` is the day from which a pause moves the target; `results` are those of the last delivery."""

    course: Lifecycle = field(default_factory=Lifecycle)
    history: tuple[HistoryEntry, ...] = ()
    number: str = ""
    submitted_at: datetime | None = None
    applicant: Applicant | None = None
    description: str = ""
    scope: Scope | None = None
    letter: Letter | None = None
    documents: tuple[DocumentRef, ...] = ()
    warnings: tuple[str, ...] = ()
    by_silence: bool = False
    recommendation: Recommendation | None = None
    verified_at: datetime | None = None
    lead: Staff | None = None
    former_lead: Staff | None = None
    complexity: Complexity | None = None
    target_date: date | None = None
    note: str = ""
    assigned_at: datetime | None = None
    percent: int | None = None
    question: str = ""
    answer_by: date | None = None
    stopped_on: date | None = None
    summary: str = ""
    results: tuple[DocumentRef, ...] = ()
    record_number: str = ""
    confirm_by: date | None = None

    @property
    def status(self) -> Status:
        return self.course.status


def initial() -> State:
    return State()


def evolve(state: State, event: Event) -> State:
    """Return the state after an event, the same for every order in which events of different services arrive."""
    if type(event.fact) not in SUBSCRIBES_TO | PUBLISHES:
        return state
    updated = replace(state, course=advance(state.course, event.fact), history=add_to_history(state.history, event))
    match event.fact.owner:
        case "intake":
            return _apply_intake_event(updated, event)
        case "verification":
            return _apply_verification_event(updated, event)
        case _:
            return _apply_own_event(updated, event)


def _apply_intake_event(state: State, event: Event) -> State:
    match event.fact:
        case RequestSubmitted(number=number):
            return replace(_apply_form(state, event.fact), number=number, submitted_at=event.time)
        case RequestResubmitted():
            return _apply_form(state, event.fact)
        case HandoverConfirmed(automatic=automatic):
            return replace(state, by_silence=automatic)
        case _:
            return state


def _apply_form(state: State, form: RequestSubmitted | RequestResubmitted) -> State:
    return replace(
        state,
        applicant=form.applicant,
        description=form.description,
        scope=form.scope,
        letter=form.letter,
        documents=form.documents,
        warnings=form.warnings,
    )


def _apply_verification_event(state: State, event: Event) -> State:
    match event.fact:
        case RequestVerified():
            return replace(state, verified_at=event.time)
        case RejectionRecommended(round=number, reason=reason, by=by):
            return replace(state, recommendation=Recommendation(number, reason, by, event.time))
        case _:
            return state


def _apply_own_event(state: State, event: Event) -> State:
    match event.fact:
        case LeadAssigned(lead=lead, complexity=complexity, target_date=day, note=note):
            return replace(state, lead=lead, complexity=complexity, target_date=day, note=note, assigned_at=event.time)
        case LeadReassigned(lead=lead, previous=previous, target_date=day):
            return replace(_apply_target(state, day, event.time), lead=lead, former_lead=previous)
        case WorkProgressed(percent=percent) if percent is not None:
            return replace(state, percent=percent)
        case WorkPaused(question=question, answer_by=day):
            return replace(state, question=question, answer_by=day, stopped_on=today(event.time))
        case WorkResumed(target_date=day):
            return replace(state, target_date=day, question="", answer_by=None, stopped_on=None)
        case WorkCompleted(summary=summary, documents=results, record_number=number, confirm_by=day):
            return replace(state, summary=summary, results=results, record_number=number, confirm_by=day)
        case _:
            return state


def _apply_target(state: State, target: date, time: datetime) -> State:
    """Restart the pause at a target that is set during it: the target includes the days that have passed."""
    if target == state.target_date:
        return state
    return replace(state, target_date=target, stopped_on=state.stopped_on and today(time))


def has_open_answer(state: State) -> bool:
    """Return whether the applicant answered the open question and work is not resumed yet."""
    course = state.course
    return course.status is Status.IN_PROGRESS and course.resumed < course.pause == course.answered


def due(state: State) -> date | None:
    """Return the target while it can be missed.

    On hold that is only a target that was missed before; after a handover there is none.
    """
    target = state.target_date
    missed_before = target and state.status is Status.ON_HOLD and state.stopped_on and target < state.stopped_on
    return target if state.status in CLOCK_RUNNING_STATUSES or missed_before else None


def overdue(state: State, day: date) -> bool:
    target = due(state)
    return target is not None and target < day


def advised(state: State) -> bool:
    """Return whether an officer recommended rejection in this round and that is still undecided."""
    recommendation = state.recommendation
    undecided = state.status in (Status.SUBMITTED, Status.VERIFIED)
    return undecided and recommendation is not None and recommendation.round == state.course.round
