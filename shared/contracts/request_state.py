"""What several services fold of a request: its course and history, its form, and the progress of the work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from shared.contracts.assignment import (
    LeadAssigned,
    LeadReassigned,
    TargetChanged,
    WorkCompleted,
    WorkNoteAdded,
    WorkPaused,
    WorkProgressed,
    WorkResumed,
)
from shared.contracts.claims import Claim, active_claim, advance_claim
from shared.contracts.envelope import Event
from shared.contracts.facts import Applicant, DocumentRef, Letter, Scope, Staff
from shared.contracts.history import HistoryEntry, add_to_history
from shared.contracts.intake import (
    ContactChanged,
    FormFact,
    HandoverConfirmed,
    RequestSubmitted,
)
from shared.contracts.lifecycle import Lifecycle, Status, advance
from shared.contracts.notes import StaffNote, add_note
from shared.contracts.verification import (
    ClaimReleased,
    NoteAdded,
    RecommendationWithdrawn,
    RejectionRecommended,
    RequestClaimed,
    RequestReturned,
)
from shared.fast_replace import replace


@dataclass(frozen=True)
class RequestState:
    """A request in intake, verification and assignment; `by_silence` says that it was confirmed automatically."""

    course: Lifecycle = field(default_factory=Lifecycle)
    history: tuple[HistoryEntry, ...] = ()
    number: str = ""
    submitted_at: datetime | None = None
    by_silence: bool = False
    lead: Staff | None = None
    target_date: date | None = None
    percent: int | None = None
    claim: Claim | None = None

    @property
    def status(self) -> Status:
        return self.course.status

    @property
    def active_claim(self) -> Claim | None:
        """Which officer checks the current round; None if nobody in particular does, or if it is decided."""
        return active_claim(self.claim, self.course)

    @property
    def all_documents(self) -> tuple[DocumentRef, ...]:
        """The current documents of the form, then those of the last handover."""
        return ()


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A recommendation of an officer to reject, made in one round."""

    round: int
    reason: str
    by: Staff
    at: datetime


@dataclass(frozen=True)
class StaffRequestState(RequestState):
    """A request as staff see it, with its form; `results` are the documents of the last handover.

    The applicant was asked to complete the form by `respond_by`, to answer a question by `answer_by`, to confirm by `confirm_by`.
    """

    applicant: Applicant | None = None
    description: str = ""
    scope: Scope | None = None
    letter: Letter | None = None
    documents: tuple[DocumentRef, ...] = ()
    warnings: tuple[str, ...] = ()
    recommendation: Recommendation | None = None
    results: tuple[DocumentRef, ...] = ()
    respond_by: date | None = None
    answer_by: date | None = None
    confirm_by: date | None = None
    notes: tuple[StaffNote, ...] = ()

    @property
    def current_recommendation(self) -> Recommendation | None:
        """The recommendation to reject the request that was given in its current round."""
        given = self.recommendation
        return given if given is not None and given.round == self.course.round else None

    @property
    def all_documents(self) -> tuple[DocumentRef, ...]:
        return (*self.documents, *self.results)


AnyRequestState = TypeVar("AnyRequestState", bound=RequestState)
AnyStaffRequestState = TypeVar("AnyStaffRequestState", bound=StaffRequestState)


def apply_request_event(state: AnyRequestState, event: Event) -> AnyRequestState:
    """Return the state with the shared fields after an event, the same for every order of events of different services.

    A claim is not in the history, which applicants see too.
    """
    if isinstance(event.fact, RequestClaimed | ClaimReleased):
        return replace(state, claim=advance_claim(state.claim, event))
    course, history = advance(state.course, event.fact), add_to_history(state.history, event)
    updated = replace(state, course=course, history=history)
    match event.fact:
        case RequestSubmitted(number=number):
            updated = replace(updated, number=number, submitted_at=event.time)
        case HandoverConfirmed(automatic=automatic):
            updated = replace(updated, by_silence=automatic)
        case LeadAssigned(lead=lead, target_date=day) | LeadReassigned(lead=lead, target_date=day):
            updated = replace(updated, lead=lead, target_date=day)
        case WorkResumed(target_date=day) | TargetChanged(target_date=day):
            updated = replace(updated, target_date=day)
        case WorkProgressed(percent=percent) if percent is not None:
            updated = replace(updated, percent=percent)
    return updated


def apply_staff_request_event(state: AnyStaffRequestState, event: Event) -> AnyStaffRequestState:
    """Like `apply_request_event`, with the form, the recommendation, the results and the applicant's deadlines.

    Notes among staff are apart from the history, which is shown to applicants.
    """
    if isinstance(event.fact, NoteAdded | WorkNoteAdded):
        return replace(state, notes=add_note(state.notes, event))
    updated = apply_request_event(state, event)
    match event.fact:
        case FormFact() as form:
            return replace(
                updated,
                applicant=form.applicant,
                description=form.description,
                scope=form.scope,
                letter=form.letter,
                documents=form.documents,
                warnings=form.warnings,
            )
        case ContactChanged(applicant=applicant):
            return replace(updated, applicant=applicant)
        case RejectionRecommended(round=number, reason=reason, by=by):
            return replace(updated, recommendation=Recommendation(number, reason, by, event.time))
        case RecommendationWithdrawn():
            return replace(updated, recommendation=None)
        case RequestReturned(respond_by=day):
            return replace(updated, respond_by=day)
        case WorkPaused(answer_by=day):
            return replace(updated, answer_by=day)
        case WorkResumed():
            return replace(updated, answer_by=None)
        case WorkCompleted(documents=documents, confirm_by=day):
            return replace(updated, results=documents, confirm_by=day)
        case _:
            return updated


def find_document(state: RequestState, document_id: str) -> DocumentRef | None:
    return next((document for document in state.all_documents if document.id == document_id), None)
