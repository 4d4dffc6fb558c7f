"""Random faults drawn from a seed, so that a run is reproducible."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass
class FaultRates:
    """The probability of each fault per occasion."""

    crash: float = 0.01
    unavailable: float = 0.02
    answer_lost: float = 0.03
    late: float = 0.01
    repeat: float = 0.15


NO_FAULTS = FaultRates(0, 0, 0, 0, 0)


class FaultSchedule:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.odds = self.random.choice(
            (FaultRates(), FaultRates(0.03, 0.01, 0.01, 0.01, 0.3), FaultRates(0.002, 0.05, 0.08, 0.03, 0.1))
        )
        self.crashes_left = 6
        self.lost_answers: Counter[str] = Counter()

    def stop_faults(self) -> None:
        """Stop all faults from now on."""
        self.odds = NO_FAULTS

    def occurs(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def delay(self) -> float:
        """Return a delay in seconds: usually 0, sometimes milliseconds, rarely a second."""
        luck = self.random.random()
        return 0.0 if luck < 0.5 else 0.02 * luck if luck < 0.95 else 1.5 * self.random.random()


class SimulatedProcess:
    """One run of a service's process. After its death, whatever it awaits never completes."""

    def __init__(self, name: str, fate: FaultSchedule) -> None:
        self.name, self.fate = name, fate
        self.died, self._never = asyncio.Event(), asyncio.Event()

    def die(self) -> None:
        self.died.set()

    async def step(self) -> None:
        """Let time pass; the process may die here."""
        fate = self.fate
        if (delay := fate.delay()) and not self.died.is_set():
            await asyncio.sleep(delay)
        if fate.crashes_left and fate.occurs(fate.odds.crash) and not self.died.is_set():
            fate.crashes_left -= 1
            self.die()
        if self.died.is_set():
            await self._never.wait()

    async def call(self, effect: Callable[[], Result], failure: type[Exception]) -> Result:
        """Call another process: the call may fail, lose its answer, or take effect after its timeout."""
        fate = self.fate
        await self.step()
        if fate.occurs(fate.odds.unavailable):
            fate.lost_answers[self.name] += 1
            raise failure("unavailable")
        if fate.occurs(fate.odds.late):
            asyncio.get_running_loop().call_later(fate.random.random(), effect)
            fate.lost_answers[self.name] += 1
            raise failure("no answer yet")
        result = effect()
        await self.step()
        if fate.occurs(fate.odds.answer_lost):
            fate.lost_answers[self.name] += 1
            raise failure("answer lost")
        return result
