"""Commands of officers."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.facts import Staff, Verdict


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """Declare a request complete.

    `round` is the round that the officer saw and `corrections` their number by then, so that nobody decides on a form that has
    changed meanwhile; None is the current one. A request whose rejection is recommended is verified only if that is withdrawn
    with it.
    """

    by: Staff
    verdicts: tuple[Verdict, ...]
    acknowledged: tuple[str, ...] = ()
    round: int | None = None
    withdraw_recommendation: bool = False
    corrections: int | None = None


@dataclass(frozen=True, slots=True)
class ReturnRequest:
    by: Staff
    verdicts: tuple[Verdict, ...]
    round: int | None = None
    corrections: int | None = None


@dataclass(frozen=True, slots=True)
class RecommendRejection:
    by: Staff
    reason: str
    round: int | None = None
    corrections: int | None = None


@dataclass(frozen=True, slots=True)
class WithdrawRecommendation:
    by: Staff
    round: int | None = None


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Make `officer` the one who checks the request; only with `replace` if a colleague is.

    The caller has checked that `officer` is an active officer.
    """

    by: Staff
    officer: Staff
    replace: bool = False
    round: int | None = None


@dataclass(frozen=True, slots=True)
class ReleaseClaim:
    by: Staff
    round: int | None = None


@dataclass(frozen=True, slots=True)
class AddNote:
    """Add a note among staff, at any time after the submission."""

    by: Staff
    text: str


ClaimCommand = ClaimRequest | ReleaseClaim
Decision = VerifyRequest | ReturnRequest | RecommendRejection | WithdrawRecommendation | ClaimCommand
Command = Decision | AddNote
