"""The event log as a table of the embedded mode's SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Iterator, Sequence

import apsw

from shared.backoff import Backoff
from shared.contracts.facts import Fact
from shared.contracts.registry import FACTS
from shared.eventlog.port import BatchHandler, LogRecord, LogUnavailable
from shared.eventlog.sqlite.positions import GroupPositions
from shared.storage.compression import compress, decompress
from shared.storage.port import StoreUnavailable
from shared.storage.sqlite.database import Row, SqliteDatabase

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, value BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS log_by_key ON log (key, position);
"""
_INSERT = "INSERT INTO log (key, value) VALUES (?,?)"
_SELECT_NEXT = "SELECT position, key, value FROM log WHERE position > ? ORDER BY position LIMIT ?"
_SELECT_RANGE = "SELECT position, key, value FROM log WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
_SELECT_NEWEST = "SELECT position, key, value FROM log ORDER BY position DESC LIMIT ?"
_SELECT_KEY = "SELECT position, key, value FROM log WHERE key=? ORDER BY position"

READ_BATCH_SIZE = 1_000
INLINE_READ_LIMIT = 64
"""Records that are read in the thread of the event loop; the rest of a larger batch is read in another thread."""

MAX_RECENT_READS = 16
"""Reads of the log that other services of the process may use."""
MIN_BATCH_INTERVAL_SECONDS = 0.005
"""Time between small batches: one of several records costs little more than one of a single record."""

RETRY_BACKOFF = Backoff(0.2, 5.0)
SHUTDOWN_GRACE_SECONDS = 10.0
"""Time that the batch in flight has to finish when its consumer is cancelled."""


class SqliteEventLog:
    """The EventLog of one process, or of several on one machine. Positions are committed shortly after their batch."""

    def __init__(self, file: SqliteDatabase, grace_seconds: float = SHUTDOWN_GRACE_SECONDS) -> None:
        self._file, self._grace_seconds = file, grace_seconds
        self._positions = GroupPositions(file)
        self._notifier = file.notifier("log")
        self._recent: dict[int, list[Row]] = {}
        """The records after a position as they were last read; all services of a process read the same ones."""

    async def prepare(self) -> None:
        with _translate_errors():
            await self._file.write(lambda db: db.execute(_SCHEMA))
            await self._positions.prepare()

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        rows = [(key, compress(value)) for key, value in records]

        def insert(db: apsw.Connection) -> None:
            db.executemany(_INSERT, rows)

        with _translate_errors():
            await self._file.write(insert)
        self._recent.clear()
        self._notifier.notify()

    async def consume(
        self, group: str, handler: BatchHandler, *, events: Collection[type[Fact]] = FACTS, max_records: int = 500
    ) -> None:
        logger.debug("%s subscribes to %d types of events", group, len(events))
        try:
            await self._deliver_batches(group, handler, max_records)
        finally:
            await self._positions.flush()

    async def commit_offset(self, group: str, up_to: str) -> None:
        with _translate_errors():
            await self._positions.commit_immediately(group, int(up_to or 0))

    async def _deliver_batches(self, group: str, handler: BatchHandler, max_records: int) -> None:
        loop = asyncio.get_running_loop()
        with _translate_errors():
            position = self._positions.get_position(group)
        while True:
            batch = await self._wait_for_batch(position, max_records)
            earliest_next = loop.time() + (MIN_BATCH_INTERVAL_SECONDS if len(batch) < INLINE_READ_LIMIT else 0.0)
            await self._deliver(group, handler, batch)
            position = int(batch[-1].position)
            self._positions.commit(group, position)
            await asyncio.sleep(max(0.0, earliest_next - loop.time()))

    async def _wait_for_batch(self, position: int, limit: int) -> list[LogRecord]:
        """Return the records after this position, at least one."""
        first_limit = min(limit, INLINE_READ_LIMIT)
        failures = 0
        while True:
            await RETRY_BACKOFF.wait(failures)
            try:
                rows = await self._notifier.wait_for(lambda: self._read_next(position, first_limit))
                if len(rows) == first_limit < limit:
                    rows = rows + await self._file.query(_SELECT_NEXT, (rows[-1][0], limit - first_limit))
                return [_to_record(row) for row in rows]
            except StoreUnavailable as error:
                failures += 1
                logger.warning(
                    "the log cannot be read, next attempt in %.1f s: %s", RETRY_BACKOFF.delay(failures), error
                )

    def _read_next(self, position: int, limit: int) -> list[Row]:
        """Return records after a position; another process may have appended more of them since they were read."""
        if rows := self._recent.get(position):
            return rows[:limit]
        rows = self._file.read(_SELECT_NEXT, (position, limit))
        if rows:
            if len(self._recent) >= MAX_RECENT_READS:
                self._recent.clear()
            self._recent[position] = rows
        return rows

    async def _deliver(self, group: str, handler: BatchHandler, batch: Sequence[LogRecord]) -> None:
        """Pass the batch to the handler until it succeeds."""
        failures = 0
        while True:
            await RETRY_BACKOFF.wait(failures)
            try:
                await self._handle_batch(group, handler, batch)
                return
            except Exception as error:
                failures += 1
                first, delay = batch[0].position, f"{RETRY_BACKOFF.delay(failures):.1f} s"
                logger.warning("%s retries a batch from %s on in %s: %r", group, first, delay, error)

    async def _handle_batch(self, group: str, handler: BatchHandler, batch: Sequence[LogRecord]) -> None:
        """Handle a batch. When cancelled, give the handler time to finish, and commit the batch if it does."""
        handling = asyncio.ensure_future(handler(batch))
        try:
            await asyncio.shield(handling)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                raise RuntimeError("the handler raised CancelledError") from None
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([handling], timeout=self._grace_seconds)
            if handling.done() and not handling.cancelled() and handling.exception() is None:
                self._positions.commit(group, int(batch[-1].position))
            handling.cancel()
            await asyncio.gather(handling, return_exceptions=True)
            raise

    async def read(self, after: str = "", up_to: str = "") -> AsyncIterator[Sequence[LogRecord]]:
        position, end = int(after or 0), int(up_to or await self.end() or 0)
        while position < end:
            with _translate_errors():
                rows = await self._file.query(_SELECT_RANGE, (position, end, READ_BATCH_SIZE))
            if not rows:
                return
            yield [_to_record(row) for row in rows]
            position = rows[-1][0]

    async def read_newest(self, count: int) -> list[LogRecord]:
        with _translate_errors():
            return [_to_record(row) for row in reversed(await self._file.query(_SELECT_NEWEST, (count,)))]

    async def read_key(self, key: str) -> list[LogRecord]:
        with _translate_errors():
            return [_to_record(row) for row in await self._file.query(_SELECT_KEY, (key,))]

    async def end(self) -> str:
        with _translate_errors():
            [[position]] = self._file.read("SELECT max(position) FROM log")
        return "" if position is None else str(position)

    async def position(self, group: str) -> str:
        with _translate_errors():
            position = self._positions.get_position(group)
        return str(position) if position else ""

    async def lag(self, group: str) -> int:
        with _translate_errors():
            position = self._positions.get_position(group)
            return int((await self._file.query("SELECT count(*) FROM log WHERE position > ?", (position,)))[0][0])

    async def ready(self) -> None:
        with _translate_errors():
            await self._file.ready()


def _to_record(row: Row) -> LogRecord:
    return LogRecord(str(row[0]), row[1], decompress(row[2]))


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise LogUnavailable(str(error)) from error
