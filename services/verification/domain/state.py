"""The state of a request in verification, folded from its own events and those that it subscribes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from services.verification.events import FOLDED
from shared.contracts.envelope import Event
from shared.contracts.facts import DocumentRef, Staff, Verdict
from shared.contracts.history import add_to_history
from shared.contracts.intake import RequestCorrected, RequestResubmitted, RequestSubmitted
from shared.contracts.request_state import StaffRequestState, apply_staff_request_event
from shared.contracts.verification import ClaimReleased, RequestClaimed, RequestReturned, RequestVerified
from shared.fast_replace import replace


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
class ReplacedDocument:
    """A document of an earlier round, which the applicant left out or replaced in `until_round`."""

    document: DocumentRef
    until_round: int


@dataclass(frozen=True)
class State(StaffRequestState):
    """State of a request; `received_at` is when the current round was received."""

    received_at: datetime | None = None
    judgement: Judgement | None = None
    replaced: tuple[ReplacedDocument, ...] = ()

    @property
    def corrections(self) -> int:
        """How often the applicant corrected the form without a new round."""
        return sum(entry.event == RequestCorrected.type() for entry in self.history)

    @property
    def decided_by(self) -> str:
        """The name of the officer who decided the current round, "" while it is undecided."""
        judged = self.judgement is not None and self.judgement.round == self.course.round
        return self.judgement.by.name if judged and self.judgement else ""


def evolve(state: State, event: Event) -> State:
    """Return the state after an event; the order in which events of different services arrive does not matter."""
    if type(event.fact) not in FOLDED:
        return state
    updated = apply_staff_request_event(state, event)
    match event.fact:
        case RequestSubmitted():
            return replace(updated, received_at=event.time)
        case RequestResubmitted(round=number):
            gone = _replaced_documents(state.documents, updated.documents, number)
            return replace(updated, received_at=event.time, replaced=(*state.replaced, *gone))
        case RequestVerified(round=number, verdicts=verdicts, by=by, acknowledged=codes):
            return replace(updated, judgement=Judgement(number, verdicts, by, event.time, acknowledged=codes))
        case RequestReturned(round=number, verdicts=verdicts, by=by, respond_by=day):
            return replace(updated, judgement=Judgement(number, verdicts, by, event.time, respond_by=day))
        case RequestClaimed() | ClaimReleased():
            return replace(updated, history=add_to_history(updated.history, event))
        case _:
            return updated


def _replaced_documents(
    earlier: tuple[DocumentRef, ...], current: tuple[DocumentRef, ...], round_number: int
) -> tuple[ReplacedDocument, ...]:
    ids = {document.id for document in current}
    return tuple(ReplacedDocument(document, round_number) for document in earlier if document.id not in ids)


def previous_version(state: State, document: DocumentRef) -> DocumentRef | None:
    """Return the document in whose place this one came: the letter, the file of the same name, or the one in the same position."""
    gone = [
        replaced.document
        for replaced in state.replaced
        if replaced.until_round == document.round and replaced.document.kind is document.kind
    ]
    if same_name := [earlier for earlier in gone if earlier.name == document.name]:
        return same_name[0]
    names = {current.name for current in state.documents}
    others = [earlier for earlier in gone if earlier.name not in names]
    gone_names = {earlier.name for earlier in gone}
    arrived = [
        current for current in state.documents if current.round == document.round and current.kind is document.kind
    ]
    unmatched = [new for new in arrived if new.name not in gone_names]
    position = unmatched.index(document) if document in unmatched else len(others)
    return others[position] if position < len(others) else None
