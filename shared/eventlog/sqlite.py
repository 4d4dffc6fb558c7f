"""The event log as a table of the embedded mode's SQLite file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import apsw

from shared.eventlog.port import Handle, LogUnavailable, Record
from shared.storage.port import StoreUnavailable
from shared.storage.sqlite_file import SqliteFile

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS log_by_key ON log (key, position);
CREATE TABLE IF NOT EXISTS positions (consumers TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
"""
OTHER_PROCESSES_EVERY = 0.5
GATHER = 0.003
"""Seconds to wait for company after the first event of a batch: batches of a few cost a consumer much less than single events."""

BATCH = 1_000
LONGEST_PAUSE = 5.0


class SqliteEventLog:
    """The EventLog of one process, or of several on one machine."""

    def __init__(self, file: SqliteFile):
        self._file = file
        self._appended = asyncio.Event()

    async def prepare(self) -> None:
        await self._file.write(lambda db: list(db.execute(_SCHEMA)))

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        try:
            await self._file.write(lambda db: db.executemany("INSERT INTO log (key, value) VALUES (?,?)", records))
        except StoreUnavailable as error:
            raise LogUnavailable(str(error)) from error
        appended, self._appended = self._appended, asyncio.Event()
        appended.set()

    async def consume(self, group: str, handle: Handle, *, max_records: int = 500) -> None:
        position, pause = self._committed(group), 0.0
        while True:
            appended = self._appended
            batch = self._batch(position, max_records)
            if not batch:
                await self._wait(appended)
                continue
            try:
                await handle(batch)
                position, pause = int(batch[-1].position), 0.0
                await self._commit(group, position)
            except Exception as error:
                pause = min(LONGEST_PAUSE, pause * 2 or 0.2)
                logger.warning("%s is handed the events after %d again in %.1f s: %r", group, position, pause, error)
                await asyncio.sleep(pause)
                position = self._committed(group)

    async def _wait(self, appended: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(appended.wait(), OTHER_PROCESSES_EVERY)
            await asyncio.sleep(GATHER)
        except TimeoutError:
            return

    def _batch(self, position: int, limit: int) -> list[Record]:
        rows = self._file.read(
            "SELECT position, key, value FROM log WHERE position > ? ORDER BY position LIMIT ?", (position, limit)
        )
        return [_record(row) for row in rows]

    def _committed(self, group: str) -> int:
        rows = self._file.read("SELECT position FROM positions WHERE consumers=?", (group,))
        return int(rows[0][0]) if rows else 0

    async def _commit(self, group: str, position: int) -> None:
        def work(db: apsw.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO positions VALUES (?,?)", (group, position))

        await self._file.write(work)

    async def read(self, after: str = "", upto: str = "") -> AsyncIterator[Sequence[Record]]:
        position, end = int(after or 0), int(upto or await self.end() or 0)
        while position < end:
            rows = await self._file.query(
                "SELECT position, key, value FROM log WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
                (position, end, BATCH),
            )
            if not rows:
                return
            yield [_record(row) for row in rows]
            position = rows[-1][0]

    async def of_key(self, key: str) -> list[Record]:
        rows = await self._file.query("SELECT position, key, value FROM log WHERE key=? ORDER BY position", (key,))
        return [_record(row) for row in rows]

    async def end(self) -> str:
        newest = self._file.read("SELECT max(position) FROM log")[0][0]
        return "" if newest is None else str(newest)

    async def lag(self, group: str) -> int:
        return int(self._file.read("SELECT count(*) FROM log WHERE position > ?", (self._committed(group),))[0][0])

    async def ready(self) -> None:
        try:
            self._file.read("SELECT 1")
        except StoreUnavailable as error:
            raise LogUnavailable(str(error)) from error


def _record(row: tuple[Any, ...]) -> Record:
    return Record(str(row[0]), row[1], row[2])
