"""The position of each consumer group, kept in memory and committed for all groups together."""

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
"""Delay from a batch to the commit of its position; after a crash in between the batch is redelivered."""

RETRY_DELAY_SECONDS = 1.0


class GroupPositions:
    """Positions of consumer groups; one write commits those of all groups that have changed."""

    def __init__(self, file: SqliteDatabase) -> None:
        self._file = file
        self._uncommitted: dict[str, int] = {}
        self._committing: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        await self._file.write(lambda db: db.execute(_SCHEMA))

    def get_position(self, group: str) -> int:
        """Return the position after which a group continues, 0 for a new group."""
        if group in self._uncommitted:
            return self._uncommitted[group]
        rows = self._file.read("SELECT position FROM positions WHERE consumers=?", (group,))
        return int(rows[0][0]) if rows else 0

    def commit(self, group: str, position: int) -> None:
        """Commit after a delay, retrying until it succeeds."""
        self._uncommitted[group] = position
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_later())

    async def commit_immediately(self, group: str, position: int) -> None:
        """Commit now, unless the group has come further. Raises StoreUnavailable."""
        self._uncommitted[group] = max(position, self.get_position(group))
        await self._write()

    async def flush(self) -> None:
        """Commit now what is uncommitted; what cannot be committed is redelivered after the next start."""
        try:
            await self._write()
        except StoreUnavailable as error:
            logger.warning("positions are not committed, events will be redelivered: %s", error)

    async def _commit_later(self) -> None:
        while self._uncommitted:
            await asyncio.sleep(COMMIT_DELAY_SECONDS)
            try:
                await self._write()
            except StoreUnavailable as error:
                logger.warning("positions cannot be committed, retrying: %s", error)
                await asyncio.sleep(RETRY_DELAY_SECONDS)

    async def _write(self) -> None:
        uncommitted = dict(self._uncommitted)
        if not uncommitted:
            return

        def upsert(db: apsw.Connection) -> None:
            db.executemany(_COMMIT, uncommitted.items())

        await self._file.write(upsert)
        for group, position in uncommitted.items():
            if self._uncommitted.get(group) == position:
                del self._uncommitted[group]
