"""Lost races for a document are run again after pauses that grow and differ, and only so many times."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random, SystemRandom

from shared.storage.port import StoreUnavailable

MAX_ATTEMPTS = 30
INITIAL_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.005, 0.5


class TooManyConflicts(StoreUnavailable):
    """Others wrote first in every try; nothing was saved."""

    def __init__(self) -> None:
        super().__init__(f"others wrote first {MAX_ATTEMPTS} times")


class Backoff:
    """Exponential pauses with full jitter: who lost together does not come back together."""

    def __init__(self, rng: Random | None = None, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._rng, self._sleep = rng or SystemRandom(), sleep

    async def before(self, number: int) -> None:
        """Pause before this try, of which the first is 0 and comes at once."""
        if number > 0:
            max_delay = min(MAX_DELAY_SECONDS, INITIAL_DELAY_SECONDS * 2 ** (number - 1))
            await self._sleep(self._rng.uniform(0, max_delay))
