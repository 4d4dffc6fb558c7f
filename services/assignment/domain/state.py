"""What assignment knows of a request: a fold of its own events and the other services' alike, in whatever order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from shared.calendar import today
from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    RequestRejected,
    WorkCompleted,
    WorkPaused,
    WorkProgressed,
    WorkResumed,
    WorkStarted,
)
from shared.contracts.envelope import Event
from shared.contracts.facts import Applicant, Complexity, DocumentRef, Fact, Letter, Scope, Staff
from shared.contracts.history import HistoryEntry, add_to_history
from shared.contracts.intake import (
    ApplicantAnswered,
    HandoverConfirmed,
    HandoverContested,
    RequestExpired,
    RequestResubmitted,
    RequestSubmitted,
    RequestWithdrawn,
)
from shared.contracts.lifecycle import ENDED, Lifecycle, Status, advance
from shared.contracts.verification import RejectionRecommended, RequestReturned, RequestVerified
from shared.storage.port import COLUMNS_VERSION, Column, Scalar
from shared.text.search import request_search_text

_FROM_INTAKE: set[type[Fact]] = {RequestSubmitted, RequestResubmitted, RequestExpired, RequestWithdrawn}
_FROM_INTAKE |= {ApplicantAnswered, HandoverConfirmed, HandoverContested}
_FROM_VERIFICATION: set[type[Fact]] = {RequestReturned, RequestVerified, RejectionRecommended}
_OWN_EVENTS: set[type[Fact]] = {RequestRejected, LeadAssigned, LeadReassigned}
_OWN_EVENTS |= {WorkStarted, WorkProgressed, WorkPaused, WorkResumed, WorkCompleted}
SUBSCRIBES_TO: frozenset[type[Fact]] = frozenset(_FROM_INTAKE | _FROM_VERIFICATION)
OWN_EVENTS: frozenset[type[Fact]] = frozenset(_OWN_EVENTS)

CLOCK_RUNNING_STATUSES = (Status.ASSIGNED, Status.IN_PROGRESS)

INDEXED_COLUMNS = (
    *map(Column, ("number", "submitted_at", "target_date", "due", "search")),
    *(Column(name, ordered_by="submitted_at") for name in ("status", "unit", "scope")),
    Column("lead", ordered_by="target_date"),
    *(Column(name, "integer", ordered_by="submitted_at") for name in ("open", "advised")),
    Column(COLUMNS_VERSION, "integer"),
)
COLUMNS_VERSION_NUMBER = 1
"""Raised with every change of what `columns` makes of a state; a start then derives those of stored documents again."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """An officer's advice to reject, given in one round."""

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
    """The state after the event, the same whatever the order in which the services were heard."""
    if type(event.fact) not in SUBSCRIBES_TO | OWN_EVENTS:
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
    """A target that is set during a pause already reckons with the days that have passed."""
    if target == state.target_date:
        return state
    return replace(state, target_date=target, stopped_on=state.stopped_on and today(time))


def has_open_answer(state: State) -> bool:
    """The applicant answered the question that is open, and work is not resumed yet."""
    course = state.course
    return course.status is Status.IN_PROGRESS and course.resumed < course.pause == course.answered


def due(state: State) -> date | None:
    """The target as long as it can be missed: on hold only if it was missed before, and never once the work is handed over."""
    target = state.target_date
    missed_before = target and state.status is Status.ON_HOLD and state.stopped_on and target < state.stopped_on
    return target if state.status in CLOCK_RUNNING_STATUSES or missed_before else None


def overdue(state: State, day: date) -> bool:
    target = due(state)
    return target is not None and target < day


def advised(state: State) -> bool:
    """An officer advised in this round to reject, and that is still open."""
    given = state.recommendation
    undecided = state.status in (Status.SUBMITTED, Status.VERIFIED)
    return undecided and given is not None and given.round == state.course.round


def columns(state: State) -> Mapping[str, Scalar]:
    """What requests are found by; `due` below today is overdue."""
    submitted = state.submitted_at.astimezone(UTC) if state.submitted_at else None
    return {
        COLUMNS_VERSION: COLUMNS_VERSION_NUMBER,
        "number": state.number,
        "status": state.status.value,
        "open": int(state.status not in ENDED),
        "advised": int(advised(state)),
        "submitted_at": submitted.isoformat(timespec="microseconds") if submitted else None,
        "unit": state.applicant.unit if state.applicant else "",
        "scope": state.scope.value if state.scope else None,
        "lead": state.lead.username if state.lead else None,
        "target_date": _iso_date(state.target_date),
        "due": _iso_date(due(state)),
        "search": request_search_text(state.number, state.applicant, state.letter, state.description, state.lead),
    }


def _iso_date(day: date | None) -> str | None:
    return day.isoformat() if day else None
