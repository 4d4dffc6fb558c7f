"""Gauges that need I/O, read in the background and each within a time limit: /metrics itself waits for nothing."""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import tempfile
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import Gauge

from shared.runtime.metrics import LAG, PARKED
from shared.runtime.service_runtime import ServiceRuntime
from shared.web.admin.health import Part, answers_of

logger = logging.getLogger(__name__)

PART_UP = Gauge("simpul_part_up", "Whether a part that this process stands on answers", ["part"])
SERVICE_READY = Gauge("simpul_ready", "Whether this process may be given work", ["service"])
DATA_FREE_BYTES = Gauge("simpul_data_free_bytes", "Room on the disk of the data folder, embedded mode only")

TEMPORARY_FREE_BYTES = Gauge("simpul_temporary_free_bytes", "Room for uploads that are on their way")

READ_INTERVAL_SECONDS = 15.0
READ_TIMEOUT_SECONDS = 10.0
"""Seconds until a value counts as not known, which is written as NaN: an old one must not look like a new one."""


class GaugeCollector:
    """What is read of the services of this process, and of what they stand on; `folder` is the data of embedded mode."""

    def __init__(self, runtimes: Sequence[ServiceRuntime[Any]], parts: Sequence[Part], folder: Path | None) -> None:
        self._runtimes, self._parts, self._folder = runtimes, parts, folder

    async def run(self) -> None:
        """Read them again and again until cancelled."""
        while True:
            try:
                await self.read()
            except Exception:
                logger.exception("gauges cannot be read")
            await asyncio.sleep(READ_INTERVAL_SECONDS)

    async def read(self) -> None:
        """Read all of them once, side by side."""
        readings = [self._read_parts()]
        for runtime in self._runtimes:
            readings.append(_set_gauge(LAG.labels(runtime.name), runtime.log.lag(runtime.name)))
            readings.append(_set_gauge(PARKED.labels(runtime.name), runtime.store.count_parked()))
        readings.append(_set_gauge(TEMPORARY_FREE_BYTES, asyncio.to_thread(_free_temporary_bytes)))
        if self._folder is not None:
            readings.append(_set_gauge(DATA_FREE_BYTES, asyncio.to_thread(_free_bytes, self._folder)))
        await asyncio.gather(*readings)

    async def _read_parts(self) -> None:
        answers = await answers_of(self._parts)
        for part, healthy in answers.items():
            PART_UP.labels(part.name).set(healthy)
        ready = all(healthy for part, healthy in answers.items() if part.critical)
        for runtime in self._runtimes:
            SERVICE_READY.labels(runtime.name).set(ready)


async def _set_gauge(gauge: Gauge, reading: Awaitable[int]) -> None:
    try:
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            gauge.set(await reading)
    except Exception as error:
        gauge.set(math.nan)
        logger.warning("a gauge cannot be read: %r", error)


def _free_temporary_bytes() -> int:
    return _free_bytes(Path(tempfile.gettempdir()))


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
