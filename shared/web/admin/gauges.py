"""Gauges whose values need I/O: read in the background, each with a time limit, so that /metrics never waits."""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import Gauge

from shared.runtime.metrics import LAG, PARKED
from shared.runtime.service_runtime import ServiceRuntime
from shared.web.admin.health import HealthCheck, run_checks

logger = logging.getLogger(__name__)

PART_UP = Gauge(
    "simpul_part_up", "Whether a dependency of this process is healthy", ["part"], multiprocess_mode="livemin"
)
SERVICE_READY = Gauge(
    "simpul_ready", "Whether this process is ready to serve requests", ["service"], multiprocess_mode="livemin"
)
DATA_FREE_BYTES = Gauge(
    "simpul_data_free_bytes",
    "Free space on the disk of the data folder, embedded mode only",
    multiprocess_mode="livemin",
)
TEMPORARY_FREE_BYTES = Gauge(
    "simpul_temporary_free_bytes", "Free space for uploads in progress", multiprocess_mode="livemin"
)

READ_INTERVAL_SECONDS = 15.0
READ_TIMEOUT_SECONDS = 10.0
"""Time limit of one reading; a value that cannot be read becomes NaN, so that no stale value is reported."""


class GaugeCollector:
    """Reads the gauges of the services of this process and of their dependencies; `folder` is the data of embedded mode."""

    def __init__(
        self, runtimes: Sequence[ServiceRuntime[Any]], checks: Sequence[HealthCheck], folder: Path | None
    ) -> None:
        self._runtimes, self._checks, self._folder = runtimes, checks, folder

    async def run(self) -> None:
        """Read the gauges periodically until cancelled."""
        while True:
            try:
                await self.read()
            except Exception:
                logger.exception("gauges cannot be read")
            await asyncio.sleep(READ_INTERVAL_SECONDS)

    async def read(self) -> None:
        """Read all gauges once, concurrently."""
        readings = [self._read_health_checks()]
        for runtime in self._runtimes:
            readings.append(_set_gauge(LAG.labels(runtime.name), partial(runtime.log.lag, runtime.name)))
            readings.append(_set_gauge(PARKED.labels(runtime.name), runtime.store.count_parked))
        readings.append(_set_gauge(TEMPORARY_FREE_BYTES, partial(_free_bytes, Path(tempfile.gettempdir()))))
        if self._folder is not None:
            readings.append(_set_gauge(DATA_FREE_BYTES, partial(_free_bytes, self._folder)))
        await asyncio.gather(*readings)

    async def _read_health_checks(self) -> None:
        results = await run_checks(self._checks)
        for check, healthy in results.items():
            PART_UP.labels(check.name).set(healthy)
        ready = all(healthy for check, healthy in results.items() if check.critical)
        for runtime in self._runtimes:
            SERVICE_READY.labels(runtime.name).set(ready)


async def _set_gauge(gauge: Gauge, read: Callable[[], Awaitable[int]]) -> None:
    try:
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            gauge.set(await read())
    except Exception as error:
        gauge.set(math.nan)
        logger.warning("a gauge cannot be read: %r", error)


async def _free_bytes(folder: Path) -> int:
    return (await asyncio.to_thread(shutil.disk_usage, folder)).free
