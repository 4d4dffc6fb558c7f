"""How far each group has come: kept in memory at once, and committed for all groups together a moment later."""

from __future__ import annotations

import asyncio
import logging

import apsw

from shared.storage.port import StoreUnavailable
from shared.storage.sqlite.database import SqliteDatabase

logger = logging.getLogger(__name__)

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS positions (consumers TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID"
)
_COMMIT = (
    "INSERT INTO positions VALUES (?,?) ON CONFLICT DO UPDATE SET position=excluded.position"
    " WHERE excluded.position > position"
)

COMMIT_DELAY_SECONDS = 0.05
"""Seconds from a batch to the commit of its position; a crash in between only repeats what was handled."""

RETRY_DELAY_SECONDS = 1.0


class GroupPositions:
    """The committed positions; one writer job holds those of all groups that moved since the last."""

    def __init__(self, file: SqliteDatabase) -> None:
        self._file = file
        self._uncommitted: dict[str, int] = {}
        self._committing: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        await self._file.write(lambda db: db.execute(_SCHEMA))

    def get_position(self, group: str) -> int:
        """The position after which a group goes on, 0 at the start."""
        if group in self._uncommitted:
            return self._uncommitted[group]
        rows = self._file.read("SELECT position FROM positions WHERE consumers=?", (group,))
        return int(rows[0][0]) if rows else 0

    def commit(self, group: str, position: int) -> None:
        """Commit soon, and try again until it is done."""
        self._uncommitted[group] = position
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_later())

    async def commit_immediately(self, group: str, position: int) -> None:
        """Commit at once, unless the group has come further. Raises StoreUnavailable."""
        self._uncommitted[group] = max(position, self.get_position(group))
        await self._write()

    async def flush(self) -> None:
        """Commit now what has not been; what the store does not take is handed over once more after the next start."""
        try:
            await self._write()
        except StoreUnavailable as error:
            logger.warning("positions are not committed, so events will be repeated: %s", error)

    async def _commit_later(self) -> None:
        while self._uncommitted:
            await asyncio.sleep(COMMIT_DELAY_SECONDS)
            try:
                await self._write()
            except StoreUnavailable as error:
                logger.warning("positions cannot be committed now: %s", error)
                await asyncio.sleep(RETRY_DELAY_SECONDS)

    async def _write(self) -> None:
        uncommitted = dict(self._uncommitted)
        if not uncommitted:
            return

        def work(db: apsw.Connection) -> None:
            db.executemany(_COMMIT, uncommitted.items())

        await self._file.write(work)
        for group, position in uncommitted.items():
            if self._uncommitted.get(group) == position:
                del self._uncommitted[group]
