"""What goes wrong, and when: drawn from a seed, so that a run can be had again."""

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
    """How likely each fault is at each of its occasions."""

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
        """From now on nothing goes wrong."""
        self.odds = NO_FAULTS

    def occurs(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def delay(self) -> float:
        """Mostly nothing, sometimes milliseconds, seldom a second."""
        luck = self.random.random()
        return 0.0 if luck < 0.5 else 0.02 * luck if luck < 0.95 else 1.5 * self.random.random()


class SimulatedProcess:
    """One life of a service's process. A dead one is frozen: what it awaits never comes."""

    def __init__(self, name: str, fate: FaultSchedule) -> None:
        self.name, self.fate = name, fate
        self.died, self._never = asyncio.Event(), asyncio.Event()

    def die(self) -> None:
        self.died.set()

    async def step(self) -> None:
        """A place where time passes, and where the process may die."""
        fate = self.fate
        if (delay := fate.delay()) and not self.died.is_set():
            await asyncio.sleep(delay)
        if fate.crashes_left and fate.occurs(fate.odds.crash) and not self.died.is_set():
            fate.crashes_left -= 1
            self.die()
        if self.died.is_set():
            await self._never.wait()

    async def call(self, effect: Callable[[], Result], failure: type[Exception]) -> Result:
        """Do something elsewhere: it may fail, happen without an answer, or happen long after it was given up."""
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
