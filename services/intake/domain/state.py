"""The state of a request in intake, folded from its own events and those that it subscribes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from services.intake.domain.form import Form, form_of
from services.intake.events import FOLDED
from shared.contracts.assignment import WorkCompleted, WorkPaused
from shared.contracts.envelope import Event
from shared.contracts.facts import Applicant, DocumentRef, Verdict
from shared.contracts.intake import (
    ContactChanged,
    ContactChangeRequested,
    FormFact,
    HandoverConfirmed,
    SurveyAnswered,
    TrackingLinkRequested,
)
from shared.contracts.request_state import RequestState, apply_request_event
from shared.contracts.verification import RequestReturned
from shared.fast_replace import replace


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


@dataclass(frozen=True)
class State(RequestState):
    """State of a request; `returned` comes from verification, `pause` and `delivery` from assignment."""

    form: Form | None = None
    survey_until: date | None = None
    surveyed_at: datetime | None = None
    returned: ReturnedRound | None = None
    pause: Pause | None = None
    delivery: Delivery | None = None
    link_asked_at: datetime | None = None
    contact_change: int = 0
    requested_contact: Applicant | None = None

    @property
    def all_documents(self) -> tuple[DocumentRef, ...]:
        return (*(self.form.documents if self.form else ()), *(self.delivery.documents if self.delivery else ()))


def evolve(state: State, event: Event) -> State:
    """Return the state after an event; the order in which events of different services arrive does not matter."""
    if type(event.fact) not in FOLDED:
        return state
    if isinstance(event.fact, TrackingLinkRequested):
        return replace(state, link_asked_at=event.time)  # not in the history: the request itself did not change
    updated = apply_request_event(state, event)
    match event.fact:
        case FormFact() as form:
            updated = replace(updated, form=form_of(form))
        case ContactChangeRequested() | ContactChanged() as contact:
            updated = _apply_contact(updated, contact)
        case HandoverConfirmed(survey_until=day):
            updated = replace(updated, survey_until=day)
        case SurveyAnswered():
            updated = replace(updated, surveyed_at=event.time)
        case RequestReturned(round=number, verdicts=verdicts, respond_by=day):
            updated = replace(updated, returned=ReturnedRound(number, verdicts, day))
        case WorkPaused(pause=number, question=question, answer_by=day):
            updated = replace(updated, pause=Pause(number, question, day))
        case WorkCompleted(summary=summary, documents=documents, record_number=record, confirm_by=day):
            updated = replace(updated, delivery=Delivery(event.fact.delivery, summary, documents, record, day))
    return updated


def _apply_contact(state: State, fact: ContactChangeRequested | ContactChanged) -> State:
    if isinstance(fact, ContactChangeRequested):
        return replace(state, contact_change=fact.change, requested_contact=fact.applicant)
    form = replace(state.form, applicant=fact.applicant) if state.form else None
    return replace(state, form=form, requested_contact=None)
