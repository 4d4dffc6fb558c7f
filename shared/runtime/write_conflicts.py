"""Write conflicts: an attempt on which another writer was faster is repeated, with jitter and a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random, SystemRandom

from shared.backoff import Backoff
from shared.storage.port import StoreUnavailable

MAX_ATTEMPTS = 30
INITIAL_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.005, 0.5


class TooManyConflicts(StoreUnavailable):
    """Other writers were faster in every attempt; nothing was saved."""

    def __init__(self) -> None:
        super().__init__(f"others wrote first {MAX_ATTEMPTS} times")


def conflict_backoff(rng: Random | None = None, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> Backoff:
    """Return the backoff between attempts to write a record."""
    return Backoff(INITIAL_DELAY_SECONDS, MAX_DELAY_SECONDS, rng=rng or SystemRandom(), sleep=sleep)
