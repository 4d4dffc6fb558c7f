"""A consumer for tests of event logs that records what it receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from shared.eventlog.port import BatchHandler, EventLog, LogRecord

TIMEOUT_SECONDS = 40
"""Seconds after which an expected record counts as missing."""


class RecordingConsumer:
    """Records what it receives; `before` may reject or delay a batch."""

    def __init__(self) -> None:
        self.batches: list[list[LogRecord]] = []
        self.before: BatchHandler | None = None
        self._news = asyncio.Event()

    async def __call__(self, records: Sequence[LogRecord]) -> None:
        if self.before is not None:
            await self.before(records)
        self.batches.append(list(records))
        self._news.set()

    @property
    def values(self) -> list[bytes]:
        return [record.value for batch in self.batches for record in batch]

    async def wait_for(self, value: bytes) -> None:
        await self.wait_until(lambda: value in self.values)

    async def wait_until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not enough():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def running_consumer(
    log: EventLog, group: str, handler: BatchHandler, max_records: int = 500
) -> AsyncIterator[None]:
    consuming = asyncio.create_task(log.consume(group, handler, max_records=max_records))
    try:
        yield
    finally:
        consuming.cancel()
        with suppress(asyncio.CancelledError):
            await consuming


def numbered_records(count: int, start: int = 0) -> list[tuple[str, bytes]]:
    return [(f"key-{number}", b"%d" % number) for number in range(start, start + count)]


async def read_all(log: EventLog, after: str = "", up_to: str = "") -> list[LogRecord]:
    return [record async for batch in log.read(after, up_to) for record in batch]


def sort_by_position(records: Sequence[LogRecord]) -> list[LogRecord]:
    return sorted(records, key=lambda record: record.position)


async def wait_for_commit(log: EventLog, group: str) -> None:
    """Wait until all positions are committed, which may happen after the handler returned."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while await log.lag(group):  # noqa: ASYNC110 - the port tells nobody of a lag
            await asyncio.sleep(0.02)
