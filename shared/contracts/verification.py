"""Facts of verification: what an officer found, and which officer checks a request."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from shared.contracts.facts import Fact, Staff, Verdict


class VerificationFact(Fact):
    owner: ClassVar[str] = "verification"


class RequestReturned(VerificationFact):
    """The request is incomplete in this round; the applicant is reminded on `remind_on` and has until `respond_by`."""

    round: int
    verdicts: tuple[Verdict, ...]
    respond_by: date
    remind_on: tuple[date, ...] = ()
    by: Staff


class RequestVerified(VerificationFact):
    """The request is complete; `acknowledged` holds the codes of the warnings that the officer accepted."""

    round: int
    verdicts: tuple[Verdict, ...]
    acknowledged: tuple[str, ...] = ()
    by: Staff


class RejectionRecommended(VerificationFact):
    round: int
    reason: str
    by: Staff


class RecommendationWithdrawn(VerificationFact):
    """The recommendation of this round no longer holds."""

    round: int
    by: Staff


class RequestClaimed(VerificationFact):
    """`officer` checks the request in this round; a colleague, `by`, may have assigned it."""

    round: int
    officer: Staff
    by: Staff


class ClaimReleased(VerificationFact):
    """Nobody in particular checks the request in this round any more."""

    round: int
    by: Staff


class NoteAdded(VerificationFact):
    """A note among staff; no service that applicants reach subscribes to it."""

    text: str
    by: Staff
