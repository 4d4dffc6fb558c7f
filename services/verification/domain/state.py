"""The state of a request in verification, folded from its own events and those that it subscribes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from services.verification.events import PUBLISHES, SUBSCRIBES_TO
from shared.contracts.envelope import Event
from shared.contracts.facts import ChecklistItem, Staff, Verdict
from shared.contracts.history import add_to_history
from shared.contracts.intake import RequestResubmitted, RequestSubmitted
from shared.contracts.request_state import StaffRequestState, apply_staff_request_event
from shared.contracts.verification import ClaimReleased, RequestClaimed, RequestReturned, RequestVerified

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
class State(StaffRequestState):
    """State of a request; `received_at` is when the current round was received."""

    received_at: datetime | None = None
    judgement: Judgement | None = None

    @property
    def decided_by(self) -> str:
        """The name of the officer who decided the current round, "" while it is undecided."""
        judged = self.judgement is not None and self.judgement.round == self.course.round
        return self.judgement.by.name if judged and self.judgement else ""


def evolve(state: State, event: Event) -> State:
    """Return the state after an event; the order in which events of different services arrive does not matter."""
    if type(event.fact) not in SUBSCRIBES_TO | PUBLISHES:
        return state
    updated = apply_staff_request_event(state, event)
    match event.fact:
        case RequestSubmitted() | RequestResubmitted():
            return replace(updated, received_at=event.time)
        case RequestVerified(round=number, verdicts=verdicts, by=by, acknowledged=codes):
            return replace(updated, judgement=Judgement(number, verdicts, by, event.time, acknowledged=codes))
        case RequestReturned(round=number, verdicts=verdicts, by=by, respond_by=day):
            return replace(updated, judgement=Judgement(number, verdicts, by, event.time, respond_by=day))
        case RequestClaimed() | ClaimReleased():
            return replace(updated, history=add_to_history(updated.history, event))
        case _:
            return updated
