"""The state of a request in verification, folded from its own events and those that it subscribes to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.verification.events import PUBLISHES, SUBSCRIBES_TO
from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    WorkCompleted,
    WorkProgressed,
    WorkResumed,
)
from shared.contracts.envelope import Event
from shared.contracts.facts import Applicant, ChecklistItem, DocumentRef, Fact, Letter, Scope, Staff, Verdict
from shared.contracts.history import HistoryEntry, add_to_history
from shared.contracts.intake import (
    HandoverConfirmed,
    RequestResubmitted,
    RequestSubmitted,
)
from shared.contracts.lifecycle import Lifecycle, Status, advance
from shared.contracts.verification import RejectionRecommended, RequestReturned, RequestVerified

CHECKLIST: tuple[ChecklistItem, ...] = tuple(ChecklistItem)


@dataclass(frozen=True, slots=True)
class Judgement:
    """An officer's verdicts on one round."""

    round: int
    verdicts: tuple[Verdict, ...]
    by: Staff
    at: datetime
    acknowledged: tuple[str, ...] = ()
    respond_by: date | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """An officer's advice to reject, given in one round."""

    round: int
    reason: str
    by: Staff
    at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """State of a request.

    `received_at` is when the current round was received; lead, target_date and percent come from assignment, for the lists.
    """

    course: Lifecycle = field(default_factory=Lifecycle)
    history: tuple[HistoryEntry, ...] = ()
    number: str = ""
    submitted_at: datetime | None = None
    received_at: datetime | None = None
    applicant: Applicant | None = None
    description: str = ""
    scope: Scope | None = None
    letter: Letter | None = None
    documents: tuple[DocumentRef, ...] = ()
    warnings: tuple[str, ...] = ()
    by_silence: bool = False
    judgement: Judgement | None = None
    recommendation: Recommendation | None = None
    lead: Staff | None = None
    target_date: date | None = None
    percent: int | None = None
    results: tuple[DocumentRef, ...] = ()

    @property
    def status(self) -> Status:
        return self.course.status

    @property
    def decided_by(self) -> str:
        """The name of the officer who decided the current round, "" while it is undecided."""
        judged = self.judgement is not None and self.judgement.round == self.course.round
        return self.judgement.by.name if judged and self.judgement else ""


def initial() -> State:
    return State()


def evolve(state: State, event: Event) -> State:
    """Return the state after an event; the order in which events of different services arrive does not matter."""
    if type(event.fact) not in SUBSCRIBES_TO | PUBLISHES:
        return state
    updated = replace(state, course=advance(state.course, event.fact), history=add_to_history(state.history, event))
    match event.fact.owner:
        case "intake":
            return _apply_intake(updated, event)
        case "verification":
            return _apply_verification(updated, event)
        case _:
            return _apply_assignment(updated, event.fact)


def _apply_intake(state: State, event: Event) -> State:
    match event.fact:
        case RequestSubmitted(number=number):
            return replace(_apply_form(state, event.fact, event.time), number=number, submitted_at=event.time)
        case RequestResubmitted():
            return _apply_form(state, event.fact, event.time)
        case HandoverConfirmed(automatic=automatic):
            return replace(state, by_silence=automatic)
        case _:
            return state


def _apply_form(state: State, form: RequestSubmitted | RequestResubmitted, time: datetime) -> State:
    return replace(
        state,
        received_at=time,
        applicant=form.applicant,
        description=form.description,
        scope=form.scope,
        letter=form.letter,
        documents=form.documents,
        warnings=form.warnings,
    )


def _apply_verification(state: State, event: Event) -> State:
    match event.fact:
        case RequestVerified(round=number, verdicts=verdicts, by=by, acknowledged=codes):
            return replace(state, judgement=Judgement(number, verdicts, by, event.time, acknowledged=codes))
        case RequestReturned(round=number, verdicts=verdicts, by=by, respond_by=day):
            return replace(state, judgement=Judgement(number, verdicts, by, event.time, respond_by=day))
        case RejectionRecommended(round=number, reason=reason, by=by):
            return replace(state, recommendation=Recommendation(number, reason, by, event.time))
        case _:
            return state


def _apply_assignment(state: State, fact: Fact) -> State:
    match fact:
        case LeadAssigned(lead=lead, target_date=day) | LeadReassigned(lead=lead, target_date=day):
            return replace(state, lead=lead, target_date=day)
        case WorkResumed(target_date=day):
            return replace(state, target_date=day)
        case WorkProgressed(percent=percent) if percent is not None:
            return replace(state, percent=percent)
        case WorkCompleted(documents=documents):
            return replace(state, results=documents)
        case _:
            return state
