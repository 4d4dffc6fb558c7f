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

from shared.runtime.measures import LAG, PARKED
from shared.runtime.service import ServiceRuntime
from shared.web.health import Part, answers_of

logger = logging.getLogger(__name__)

UP = Gauge("simpul_part_up", "Whether a part that this process stands on answers", ["part"])
READY = Gauge("simpul_ready", "Whether this process may be given work", ["service"])
FREE = Gauge("simpul_data_free_bytes", "Room on the disk of the data folder, embedded mode only")

TEMPORARY_FREE = Gauge("simpul_temporary_free_bytes", "Room for uploads that are on their way")

EVERY = 15.0
PATIENCE = 10.0
"""Seconds until a value counts as not known, which is written as NaN: an old one must not look like a new one."""


class Gauges:
    """What is read of the services of this process, and of what they stand on; `folder` is the data of embedded mode."""

    def __init__(self, runtimes: Sequence[ServiceRuntime[Any]], parts: Sequence[Part], folder: Path | None):
        self._runtimes, self._parts, self._folder = runtimes, parts, folder

    async def run(self) -> None:
        """Read them again and again until cancelled."""
        while True:
            try:
                await self.read()
            except Exception:
                logger.exception("gauges cannot be read")
            await asyncio.sleep(EVERY)

    async def read(self) -> None:
        """Read all of them once, side by side."""
        readings = [self._read_parts()]
        for runtime in self._runtimes:
            readings.append(_set(LAG.labels(runtime.name), runtime.log.lag(runtime.name)))
            readings.append(_set(PARKED.labels(runtime.name), runtime.store.count_parked()))
        readings.append(_set(TEMPORARY_FREE, asyncio.to_thread(_temporary_free)))
        if self._folder is not None:
            readings.append(_set(FREE, asyncio.to_thread(_free, self._folder)))
        await asyncio.gather(*readings)

    async def _read_parts(self) -> None:
        answers = await answers_of(self._parts)
        for part, well in answers.items():
            UP.labels(part.name).set(well)
        ready = all(well for part, well in answers.items() if part.vital)
        for runtime in self._runtimes:
            READY.labels(runtime.name).set(ready)


async def _set(gauge: Gauge, reading: Awaitable[int]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            gauge.set(await reading)
    except Exception as error:
        gauge.set(math.nan)
        logger.warning("a gauge cannot be read: %r", error)


def _temporary_free() -> int:
    return _free(Path(tempfile.gettempdir()))


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
