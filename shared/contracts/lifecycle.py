"""Where a request stands, told from the facts alone: every service derives it here, so that all of them end alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
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


class Status(StrEnum):
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


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Registers, each written by the facts of one service alone: the order in which services were heard cannot matter.

    `returned` and `verified` hold the round that was judged so; `answered`, `resumed`, `contested` and `confirmed` hold the
    number of the pause or delivery they belong to.
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
        """Withdrawn beats everything that it crosses, rejected everything but that."""
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
    """The course after the fact; a fact that moves nothing changes nothing."""
    match fact:
        case RequestSubmitted():
            return replace(course, round=1)
        case RequestResubmitted(round=number):
            return replace(course, round=number)
        case RequestReturned(round=number):
            return replace(course, returned=number)
        case RequestVerified(round=number):
            return replace(course, verified=number)
        case RequestExpired():
            return replace(course, expired=True)
        case RequestWithdrawn():
            return replace(course, withdrawn=True)
        case RequestRejected():
            return replace(course, rejected=True)
        case _:
            return _advance_work(course, fact)


def _advance_work(course: Lifecycle, fact: Fact) -> Lifecycle:
    match fact:
        case LeadAssigned():
            return replace(course, assigned=True)
        case WorkStarted():
            return replace(course, started=True)
        case WorkPaused(pause=number):
            return replace(course, pause=number)
        case ApplicantAnswered(pause=number):
            return replace(course, answered=number)
        case WorkResumed(pause=number):
            return replace(course, resumed=number)
        case WorkCompleted(delivery=number):
            return replace(course, delivery=number)
        case HandoverContested(delivery=number):
            return replace(course, contested=number)
        case HandoverConfirmed(delivery=number):
            return replace(course, confirmed=number)
        case _:
            return course
