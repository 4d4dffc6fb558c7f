"""The parts of a service are started again when they fail."""

from __future__ import annotations

import asyncio

from shared.runtime.service_runtime import supervise
from shared.storage.port import StoreUnavailable
from tests.support.virtual_time import run_virtually


def test_delays_grow_until_a_part_has_run_for_a_minute():
    starts: list[float] = []

    async def main() -> None:
        loop, has_ended = asyncio.get_running_loop(), asyncio.Event()

        async def part() -> None:
            starts.append(round(loop.time(), 1))
            if len(starts) == 4:
                await asyncio.sleep(60)
            if len(starts) == 6:
                has_ended.set()
            raise StoreUnavailable("away")

        supervised = asyncio.create_task(supervise("intake", "timers", part))
        await has_ended.wait()
        supervised.cancel()

    run_virtually(main())
    assert starts == [0.0, 0.2, 0.6, 1.4, 61.6, 62.0]
