"""Claims: which officer checks a request, the same in every service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.envelope import Event
from shared.contracts.facts import Staff
from shared.contracts.lifecycle import Lifecycle, Status
from shared.contracts.verification import ClaimReleased, RequestClaimed


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim of one round; it ends with the decision on that round, or with the request."""

    round: int
    officer: Staff
    by: Staff
    at: datetime


def advance_claim(claim: Claim | None, event: Event) -> Claim | None:
    """Return the claim after an event, unchanged if the event does not concern it."""
    match event.fact:
        case RequestClaimed(round=number, officer=officer, by=by):
            return Claim(number, officer, by, event.time)
        case ClaimReleased():
            return None
        case _:
            return claim


def active_claim(claim: Claim | None, course: Lifecycle) -> Claim | None:
    """Return the claim while its round awaits an officer, whatever the order in which events arrived."""
    holds = claim is not None and claim.round == course.round and course.status is Status.SUBMITTED
    return claim if holds else None
