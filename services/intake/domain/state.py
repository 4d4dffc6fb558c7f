"""What intake keeps of a request, as the fold of its own facts and of those that it hears."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.intake.domain.form import Form, form_of
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
from shared.contracts.facts import DocumentRef, Fact, Staff, Verdict
from shared.contracts.history import HistoryEntry, add_to_history
from shared.contracts.intake import (
    ApplicantAnswered,
    HandoverConfirmed,
    HandoverContested,
    RequestExpired,
    RequestResubmitted,
    RequestSubmitted,
    RequestWithdrawn,
    SurveyAnswered,
    TrackingLinkRequested,
)
from shared.contracts.lifecycle import Lifecycle, Status, advance
from shared.contracts.verification import RequestReturned, RequestVerified

SUBSCRIBES_TO: frozenset[type[Fact]] = frozenset(
    {
        RequestReturned,
        RequestVerified,
        RequestRejected,
        LeadAssigned,
        LeadReassigned,
        WorkStarted,
        WorkProgressed,
        WorkPaused,
        WorkResumed,
        WorkCompleted,
    }
)
OWN: frozenset[type[Fact]] = frozenset(
    {
        RequestSubmitted,
        RequestResubmitted,
        RequestExpired,
        RequestWithdrawn,
        ApplicantAnswered,
        HandoverConfirmed,
        HandoverContested,
        SurveyAnswered,
        TrackingLinkRequested,
    }
)


@dataclass(frozen=True, slots=True)
class ReturnedRound:
    """What an officer found missing in one round, and until when it is waited for."""

    round: int
    verdicts: tuple[Verdict, ...]
    respond_by: date

    @property
    def failed(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if not verdict.ok)


@dataclass(frozen=True, slots=True)
class Pause:
    """The lead's question, the answer to which is awaited."""

    pause: int
    question: str
    answer_by: date


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was handed over last, with the handover record among the documents."""

    delivery: int
    summary: str
    documents: tuple[DocumentRef, ...]
    record_number: str
    confirm_by: date


@dataclass(frozen=True, slots=True)
class State:
    """`returned` is verification's; lead, target, percent, pause and delivery are assignment's; the rest is intake's own."""

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
    """The state after the event, the same whatever the order in which the services were heard."""
    if type(event.fact) not in SUBSCRIBES_TO | OWN:
        return state
    if isinstance(event.fact, TrackingLinkRequested):
        return replace(state, link_asked_at=event.time)  # no part of the history: nothing about the request changed
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
    match fact:
        case RequestReturned(round=number, verdicts=verdicts, respond_by=day):
            return replace(state, returned=ReturnedRound(number, verdicts, day))
        case LeadAssigned(lead=lead, target_date=day) | LeadReassigned(lead=lead, target_date=day):
            return replace(state, lead=lead, target_date=day)
        case WorkProgressed(percent=percent) if percent is not None:
            return replace(state, percent=percent)
        case WorkPaused(pause=number, question=question, answer_by=day):
            return replace(state, pause=Pause(number, question, day))
        case WorkResumed(target_date=day):
            return replace(state, target_date=day)
        case WorkCompleted():
            return replace(state, delivery=_delivery(fact))
        case _:
            return state


def _delivery(fact: WorkCompleted) -> Delivery:
    return Delivery(fact.delivery, fact.summary, fact.documents, fact.record_number, fact.confirm_by)
