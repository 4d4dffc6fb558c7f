"""Exponential backoff: the delays between attempts.

Not tenacity, because the simulation of faults needs jitter from a seeded generator and its own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random


class Backoff:
    """Delays in seconds that double with each failure, from `initial` up to `maximum`.

    With `rng`, each delay is drawn between zero and that value (full jitter), so that competitors do not meet again.
    """

    def __init__(
        self,
        initial: float,
        maximum: float,
        *,
        rng: Random | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._initial = initial
        self._maximum = maximum
        self._rng = rng
        self._sleep = sleep

    def delay(self, failures: int) -> float:
        """Return the delay after so many failures in a row, at least one."""
        # The exponent is bounded because a float overflows beyond 2**1023.
        longest = min(self._maximum, self._initial * 2 ** min(failures - 1, 64))
        return self._rng.uniform(0, longest) if self._rng is not None else longest

    async def wait(self, failures: int) -> None:
        """Wait before the next attempt; not at all before the first."""
        if failures > 0:
            await self._sleep(self.delay(failures))
