"""The lifecycle of a request: its status, derived from facts in the same way in every service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.contracts.assignment import (
    LeadAssigned,
    RequestRejected,
    WorkCompleted,
    WorkPaused,
    WorkResumed,
    WorkStarted,
)
from shared.contracts.facts import Fact
from shared.contracts.intake import (
    ApplicantAnswered,
    HandoverConfirmed,
    HandoverContested,
    RequestExpired,
    RequestResubmitted,
    RequestSubmitted,
    RequestWithdrawn,
)
from shared.contracts.verification import RequestReturned, RequestVerified
from shared.fast_replace import replace


class Status(StrEnum):
    """The status of a request."""

    NEW = "new"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    VERIFIED = "verified"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


ENDED = frozenset({Status.COMPLETED, Status.REJECTED, Status.WITHDRAWN, Status.EXPIRED})
BEFORE_DELIVERY = frozenset(
    {
        Status.SUBMITTED,
        Status.RETURNED,
        Status.VERIFIED,
        Status.ASSIGNED,
        Status.IN_PROGRESS,
        Status.ON_HOLD,
    }
)


@dataclass(frozen=True)
class Lifecycle:
    """The state of a request as registers; each is set by the facts of one service, so their order across services is free.

    `returned` and `verified` hold the number of the round with that verdict; `answered`, `resumed`, `contested` and
    `confirmed` the number of the pause or delivery.
    """

    round: int = 0
    returned: int = 0
    verified: int = 0
    assigned: bool = False
    started: bool = False
    pause: int = 0
    answered: int = 0
    resumed: int = 0
    delivery: int = 0
    contested: int = 0
    confirmed: int = 0
    expired: bool = False
    rejected: bool = False
    withdrawn: bool = False

    @property
    def status(self) -> Status:
        """The status; of events that cross, a withdrawal takes precedence over all others, then a rejection."""
        if self.withdrawn:
            return Status.WITHDRAWN
        if self.rejected:
            return Status.REJECTED
        if self.expired:
            return Status.EXPIRED
        return self._work_status() if self.assigned else self._verification_status()

    def _work_status(self) -> Status:
        if self.delivery and self.confirmed == self.delivery:
            return Status.COMPLETED
        if self.delivery > self.contested:
            return Status.DELIVERED
        if self.pause > max(self.answered, self.resumed):
            return Status.ON_HOLD
        return Status.IN_PROGRESS if self.started else Status.ASSIGNED

    def _verification_status(self) -> Status:
        if not self.round:
            return Status.NEW
        if self.verified == self.round:
            return Status.VERIFIED
        return Status.RETURNED if self.returned == self.round else Status.SUBMITTED


def advance(course: Lifecycle, fact: Fact) -> Lifecycle:
    """Return the lifecycle after a fact, unchanged if the fact does not concern it."""
    match fact:
        case RequestSubmitted():
            course = replace(course, round=1)
        case RequestResubmitted(round=number):
            course = replace(course, round=number)
        case RequestReturned(round=number):
            course = replace(course, returned=number)
        case RequestVerified(round=number):
            course = replace(course, verified=number)
        case RequestExpired():
            course = replace(course, expired=True)
        case RequestWithdrawn():
            course = replace(course, withdrawn=True)
        case RequestRejected():
            course = replace(course, rejected=True)
        case _:
            course = _advance_work(course, fact)
    return course


def _advance_work(course: Lifecycle, fact: Fact) -> Lifecycle:
    match fact:
        case LeadAssigned():
            course = replace(course, assigned=True)
        case WorkStarted():
            course = replace(course, started=True)
        case WorkPaused(pause=number):
            course = replace(course, pause=number)
        case ApplicantAnswered(pause=number):
            course = replace(course, answered=number)
        case WorkResumed(pause=number):
            course = replace(course, resumed=number)
        case WorkCompleted(delivery=number):
            course = replace(course, delivery=number)
        case HandoverContested(delivery=number):
            course = replace(course, contested=number)
        case HandoverConfirmed(delivery=number):
            course = replace(course, confirmed=number)
    return course
