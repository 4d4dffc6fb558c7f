"""Storage checks run periodically, not right after a start and not in all processes at once."""

from __future__ import annotations

import asyncio
from random import Random

from simpul.maintenance import check_storage
from tests.support.virtual_time import run_virtually

HOUR = 3600.0


def begins_of_checks(seed: int) -> list[float]:
    """The seconds after the start at which a process checks its database within a day."""

    async def a_day() -> list[float]:
        begins: list[float] = []

        async def check(thorough: bool) -> list[str]:
            begins.append(asyncio.get_running_loop().time())
            if len(begins) == 2:
                raise OSError("the disk is away for a moment")
            return ["a page is damaged"]

        checking = asyncio.create_task(check_storage(check, Random(seed)))
        await asyncio.sleep(24 * HOUR)
        checking.cancel()
        return begins

    return run_virtually(a_day())


def test_no_check_runs_in_the_first_two_minutes():
    assert min(begins_of_checks(seed)[0] for seed in range(20)) >= 120


def test_checks_follow_within_the_hour_and_throughout_the_day():
    for seed in range(20):
        begins = begins_of_checks(seed)
        assert (begins[0] < HOUR, len(begins) in (3, 4, 5)) == (True, True)


def test_processes_started_together_check_at_different_times():
    firsts = sorted(begins_of_checks(seed)[0] for seed in range(6))
    seconds = sorted(begins_of_checks(seed)[1] for seed in range(6))
    assert firsts[-1] - firsts[0] > 120
    assert seconds[-1] - seconds[0] > 120
