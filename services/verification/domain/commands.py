"""Commands of officers."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.facts import Staff, Verdict


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """Declare a request complete. `round` is the round that the officer saw; None is the current one."""

    by: Staff
    verdicts: tuple[Verdict, ...]
    acknowledged: tuple[str, ...] = ()
    round: int | None = None


@dataclass(frozen=True, slots=True)
class ReturnRequest:
    by: Staff
    verdicts: tuple[Verdict, ...]
    round: int | None = None


@dataclass(frozen=True, slots=True)
class RecommendRejection:
    by: Staff
    reason: str
    round: int | None = None


Command = VerifyRequest | ReturnRequest | RecommendRejection
