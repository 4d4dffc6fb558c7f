"""The event log as a table of the embedded mode's SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence

import apsw

from shared.eventlog.port import BatchHandler, LogRecord, LogUnavailable
from shared.eventlog.sqlite.positions import GroupPositions
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
"""Records of a batch when the whole log is read."""

INLINE_READ_LIMIT = 64
"""Records read in the event loop's own thread; the rest of a larger batch is read in another."""

MIN_BATCH_INTERVAL_SECONDS = 0.005
"""Seconds between two batches that are not full: one that holds several records costs little more than one that holds one."""

INITIAL_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.2, 5.0
SHUTDOWN_GRACE_SECONDS = 10.0
"""Seconds for which a cancelled consumer may still finish the batch in hand."""


class SqliteEventLog:
    """The EventLog of one process, or of several on one machine. Positions are committed a moment after their batch."""

    def __init__(self, file: SqliteDatabase, grace: float = SHUTDOWN_GRACE_SECONDS) -> None:
        self._file, self._grace = file, grace
        self._positions = GroupPositions(file)
        self._notifier = file.notifier("log")

    async def prepare(self) -> None:
        with _translate_errors():
            await self._file.write(lambda db: db.execute(_SCHEMA))
            await self._positions.prepare()

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        def work(db: apsw.Connection) -> None:
            db.executemany(_INSERT, records)

        with _translate_errors():
            await self._file.write(work)
        self._notifier.notify()

    async def consume(self, group: str, handler: BatchHandler, *, max_records: int = 500) -> None:
        try:
            await self._consume(group, handler, max_records)
        finally:
            await self._positions.flush()

    async def commit_offset(self, group: str, up_to: str) -> None:
        with _translate_errors():
            await self._positions.commit_immediately(group, int(up_to or 0))

    async def _consume(self, group: str, handler: BatchHandler, max_records: int) -> None:
        loop = asyncio.get_running_loop()
        with _translate_errors():
            position = self._positions.get_position(group)
        delay = 0.0
        while True:
            await asyncio.sleep(delay)
            batch = await self._wait_for_batch(position, max_records)
            started_at = loop.time()
            await self._deliver(group, handler, batch)
            position = int(batch[-1].position)
            self._positions.commit(group, position)
            delay = (
                max(0.0, started_at + MIN_BATCH_INTERVAL_SECONDS - loop.time())
                if len(batch) < INLINE_READ_LIMIT
                else 0.0
            )

    async def _wait_for_batch(self, position: int, limit: int) -> list[LogRecord]:
        """The next batch, once there is one."""
        first_limit = min(limit, INLINE_READ_LIMIT)
        backoff = INITIAL_BACKOFF_SECONDS
        while True:
            try:
                rows = await self._notifier.wait_for(lambda: self._file.read(_SELECT_NEXT, (position, first_limit)))
                if len(rows) == first_limit < limit:
                    rows += await self._file.query(_SELECT_NEXT, (rows[-1][0], limit - first_limit))
                return [_record(row) for row in rows]
            except StoreUnavailable as error:
                logger.warning("the log cannot be read, next try in %.1f s: %s", backoff, error)
                await asyncio.sleep(backoff)
                backoff = min(MAX_BACKOFF_SECONDS, backoff * 2)

    async def _deliver(self, group: str, handler: BatchHandler, batch: Sequence[LogRecord]) -> None:
        """Return when the batch has been handled, however often that takes."""
        backoff = INITIAL_BACKOFF_SECONDS
        while True:
            try:
                await self._handle_batch(group, handler, batch)
                return
            except Exception as error:
                first, again = batch[0].position, f"{backoff:.1f} s"
                logger.warning("%s is handed events from %s on again in %s: %r", group, first, again, error)
            await asyncio.sleep(backoff)
            backoff = min(MAX_BACKOFF_SECONDS, backoff * 2)

    async def _handle_batch(self, group: str, handler: BatchHandler, batch: Sequence[LogRecord]) -> None:
        """Handle a batch; if this is cancelled, give the handler time to finish, and commit what it finished."""
        handling = asyncio.ensure_future(handler(batch))
        try:
            await asyncio.shield(handling)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                raise RuntimeError("the handler ended itself") from None
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([handling], timeout=self._grace)
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
            yield [_record(row) for row in rows]
            position = rows[-1][0]

    async def read_newest(self, count: int) -> list[LogRecord]:
        with _translate_errors():
            return [_record(row) for row in reversed(await self._file.query(_SELECT_NEWEST, (count,)))]

    async def read_key(self, key: str) -> list[LogRecord]:
        with _translate_errors():
            return [_record(row) for row in await self._file.query(_SELECT_KEY, (key,))]

    async def end(self) -> str:
        with _translate_errors():
            read_newest = self._file.read("SELECT max(position) FROM log")[0][0]
        return "" if read_newest is None else str(read_newest)

    async def lag(self, group: str) -> int:
        with _translate_errors():
            position = self._positions.get_position(group)
            return int((await self._file.query("SELECT count(*) FROM log WHERE position > ?", (position,)))[0][0])

    async def ready(self) -> None:
        with _translate_errors():
            await self._file.ready()


def _record(row: Row) -> LogRecord:
    return LogRecord(str(row[0]), row[1], row[2])


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise LogUnavailable(str(error)) from error
