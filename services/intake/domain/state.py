"""The state of a request in intake, folded from its own events and those that it subscribes to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.intake.domain.form import Form, form_of
from services.intake.events import PUBLISHES, SUBSCRIBES_TO
from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    WorkCompleted,
    WorkPaused,
    WorkProgressed,
    WorkResumed,
)
from shared.contracts.envelope import Event
from shared.contracts.facts import DocumentRef, Fact, Staff, Verdict
from shared.contracts.history import HistoryEntry, add_to_history
from shared.contracts.intake import (
    HandoverConfirmed,
    RequestResubmitted,
    RequestSubmitted,
    SurveyAnswered,
    TrackingLinkRequested,
)
from shared.contracts.lifecycle import Lifecycle, Status, advance
from shared.contracts.verification import RequestReturned


@dataclass(frozen=True, slots=True)
class ReturnedRound:
    """The verdicts of a round that was returned, and the deadline for completing it."""

    round: int
    verdicts: tuple[Verdict, ...]
    respond_by: date

    @property
    def failed(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if not verdict.ok)


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of the work with the lead's question."""

    pause: int
    question: str
    answer_by: date


@dataclass(frozen=True, slots=True)
class Delivery:
    """The last delivery; its documents include the handover record."""

    delivery: int
    summary: str
    documents: tuple[DocumentRef, ...]
    record_number: str
    confirm_by: date


@dataclass(frozen=True, slots=True)
class State:
    """State of a request.

    `returned` comes from verification; lead, target_date, percent, pause and delivery come from assignment.
    """

    course: Lifecycle = field(default_factory=Lifecycle)
    history: tuple[HistoryEntry, ...] = ()
    number: str = ""
    submitted_at: datetime | None = None
    form: Form | None = None
    survey_until: date | None = None
    by_silence: bool = False
    surveyed_at: datetime | None = None
    returned: ReturnedRound | None = None
    lead: Staff | None = None
    target_date: date | None = None
    percent: int | None = None
    pause: Pause | None = None
    delivery: Delivery | None = None
    link_asked_at: datetime | None = None

    @property
    def status(self) -> Status:
        return self.course.status


def initial() -> State:
    return State()


def evolve(state: State, event: Event) -> State:
    """Return the state after an event; the order in which events of different services arrive does not matter."""
    if type(event.fact) not in SUBSCRIBES_TO | PUBLISHES:
        return state
    if isinstance(event.fact, TrackingLinkRequested):
        return replace(state, link_asked_at=event.time)  # not in the history: the request itself did not change
    updated = replace(state, course=advance(state.course, event.fact), history=add_to_history(state.history, event))
    if event.fact.owner == "intake":
        return _apply_own(updated, event)
    return _apply_foreign(updated, event.fact)


def _apply_own(state: State, event: Event) -> State:
    match event.fact:
        case RequestSubmitted(number=number):
            return replace(state, number=number, submitted_at=event.time, form=form_of(event.fact))
        case RequestResubmitted():
            return replace(state, form=form_of(event.fact))
        case HandoverConfirmed(automatic=automatic, survey_until=day):
            return replace(state, by_silence=automatic, survey_until=day)
        case SurveyAnswered():
            return replace(state, surveyed_at=event.time)
        case _:
            return state


def _apply_foreign(state: State, fact: Fact) -> State:
    updated = state
    match fact:
        case RequestReturned(round=number, verdicts=verdicts, respond_by=day):
            updated = replace(state, returned=ReturnedRound(number, verdicts, day))
        case LeadAssigned(lead=lead, target_date=day) | LeadReassigned(lead=lead, target_date=day):
            updated = replace(state, lead=lead, target_date=day)
        case WorkProgressed(percent=percent) if percent is not None:
            updated = replace(state, percent=percent)
        case WorkPaused(pause=number, question=question, answer_by=day):
            updated = replace(state, pause=Pause(number, question, day))
        case WorkResumed(target_date=day):
            updated = replace(state, target_date=day)
        case WorkCompleted():
            updated = replace(state, delivery=_delivery(fact))
    return updated


def _delivery(fact: WorkCompleted) -> Delivery:
    return Delivery(fact.delivery, fact.summary, fact.documents, fact.record_number, fact.confirm_by)
