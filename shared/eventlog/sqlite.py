"""The event log as a table of the embedded mode's SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence

import apsw

from shared.eventlog.port import Handle, LogUnavailable, Record
from shared.eventlog.sqlite_positions import Positions
from shared.storage.port import StoreUnavailable
from shared.storage.sqlite_file import Row, SqliteFile

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, value BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS log_by_key ON log (key, position);
"""
_APPEND = "INSERT INTO log (key, value) VALUES (?,?)"
_NEXT = "SELECT position, key, value FROM log WHERE position > ? ORDER BY position LIMIT ?"
_PART = "SELECT position, key, value FROM log WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
_NEWEST = "SELECT position, key, value FROM log ORDER BY position DESC LIMIT ?"
_OF_KEY = "SELECT position, key, value FROM log WHERE key=? ORDER BY position"

BATCH = 1_000
"""Records of a batch when the whole log is read."""

INLINE = 64
"""Records read in the event loop's own thread; the rest of a larger batch is read in another."""

GATHER = 0.005
"""Seconds between two batches that are not full: one that holds several records costs little more than one that holds one."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
GRACE = 10.0
"""Seconds for which a cancelled consumer may still finish the batch in hand."""


class SqliteEventLog:
    """The EventLog of one process, or of several on one machine. Positions are committed a moment after their batch."""

    def __init__(self, file: SqliteFile, grace: float = GRACE):
        self._file, self._grace = file, grace
        self._positions = Positions(file)
        self._bell = file.bell("log")

    async def prepare(self) -> None:
        with _translated():
            await self._file.write(lambda db: db.execute(_SCHEMA))
            await self._positions.prepare()

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        def work(db: apsw.Connection) -> None:
            db.executemany(_APPEND, records)

        with _translated():
            await self._file.write(work)
        self._bell.ring()

    async def consume(self, group: str, handle: Handle, *, max_records: int = 500) -> None:
        try:
            await self._consume(group, handle, max_records)
        finally:
            await self._positions.settle()

    async def pass_over(self, group: str, upto: str) -> None:
        with _translated():
            await self._positions.commit_now(group, int(upto or 0))

    async def _consume(self, group: str, handle: Handle, max_records: int) -> None:
        loop = asyncio.get_running_loop()
        with _translated():
            position = self._positions.of(group)
        rest = 0.0
        while True:
            await asyncio.sleep(rest)
            batch = await self._next(position, max_records)
            began = loop.time()
            await self._hand_over(group, handle, batch)
            position = int(batch[-1].position)
            self._positions.commit(group, position)
            rest = max(0.0, began + GATHER - loop.time()) if len(batch) < INLINE else 0.0

    async def _next(self, position: int, limit: int) -> list[Record]:
        """The next batch, once there is one."""
        few = min(limit, INLINE)
        pause = FIRST_PAUSE
        while True:
            try:
                rows = await self._bell.wait_for(lambda: self._file.read(_NEXT, (position, few)))
                if len(rows) == few < limit:
                    rows += await self._file.query(_NEXT, (rows[-1][0], limit - few))
                return [_record(row) for row in rows]
            except StoreUnavailable as error:
                logger.warning("the log cannot be read, next try in %.1f s: %s", pause, error)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)

    async def _hand_over(self, group: str, handle: Handle, batch: Sequence[Record]) -> None:
        """Return when the batch has been handled, however often that takes."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._handled(group, handle, batch)
                return
            except Exception as error:
                first, again = batch[0].position, f"{pause:.1f} s"
                logger.warning("%s is handed events from %s on again in %s: %r", group, first, again, error)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _handled(self, group: str, handle: Handle, batch: Sequence[Record]) -> None:
        """Handle a batch; if this is cancelled, give the handler time to finish, and commit what it finished."""
        handling = asyncio.ensure_future(handle(batch))
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

    async def read(self, after: str = "", upto: str = "") -> AsyncIterator[Sequence[Record]]:
        position, end = int(after or 0), int(upto or await self.end() or 0)
        while position < end:
            with _translated():
                rows = await self._file.query(_PART, (position, end, BATCH))
            if not rows:
                return
            yield [_record(row) for row in rows]
            position = rows[-1][0]

    async def newest(self, count: int) -> list[Record]:
        with _translated():
            return [_record(row) for row in reversed(await self._file.query(_NEWEST, (count,)))]

    async def of_key(self, key: str) -> list[Record]:
        with _translated():
            return [_record(row) for row in await self._file.query(_OF_KEY, (key,))]

    async def end(self) -> str:
        with _translated():
            newest = self._file.read("SELECT max(position) FROM log")[0][0]
        return "" if newest is None else str(newest)

    async def lag(self, group: str) -> int:
        with _translated():
            position = self._positions.of(group)
            return int((await self._file.query("SELECT count(*) FROM log WHERE position > ?", (position,)))[0][0])

    async def ready(self) -> None:
        with _translated():
            await self._file.ready()


def _record(row: Row) -> Record:
    return Record(str(row[0]), row[1], row[2])


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise LogUnavailable(str(error)) from error
