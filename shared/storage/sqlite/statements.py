"""Writes as SQL statements; an update sets only the columns that change, so that other indexes are not touched."""

from __future__ import annotations

from typing import Any

from cachetools import LRUCache
from pydantic_core import to_json

from shared.storage.compression import compress
from shared.storage.port import COLUMNS_VERSION, Write
from shared.storage.sqlite.schema import Tables

MAX_CACHED_ROWS = 5_000
"""Records whose column values are cached."""

Statement = tuple[str, list[Any]]


class WriteStatements:
    """Builds the statements that save records of one service."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._columns: LRUCache[str, tuple[int, list[Any]]] = LRUCache(MAX_CACHED_ROWS)
        names = ("due_at", *tables.columns)
        self._version_index = names.index(COLUMNS_VERSION) if COLUMNS_VERSION in names else None

    def statement(self, write: Write) -> Statement:
        """Return the statement that saves a record; it changes no row unless the expected version is stored."""
        fixed, values = _fixed_columns(write), self._values(write)
        version, cached = self._columns.get(write.record.id, (0, values))
        if write.record.version == 1:
            return self._tables.insert, fixed + values
        # The update applies to the preceding version only, so its cached column values are the stored ones.
        known = version == write.record.version - 1
        changed = {index for index, value in enumerate(values) if not known or value != cached[index]}
        if self._version_index is not None:
            changed = changed | {self._version_index} if write.migrated else changed - {self._version_index}
        indexes = tuple(sorted(changed))
        return self._tables.update(indexes, migrated=write.migrated), fixed + [values[index] for index in indexes]

    def on_saved(self, write: Write) -> None:
        """Cache the column values of a stored record."""
        self._columns[write.record.id] = write.record.version, self._values(write)

    def _values(self, write: Write) -> list[Any]:
        due_at = write.due_at.timestamp() if write.due_at else None
        return [due_at, *[write.columns.get(name) for name in self._tables.columns]]


def _fixed_columns(write: Write) -> list[Any]:
    record = write.record
    commands = [(processed.id, processed.digest, processed.status, processed.version) for processed in record.commands]
    stored_commands, stored_body = compress(to_json(commands)), compress(record.body)
    return [record.id, record.version, record.latest, to_json(record.seen), stored_commands, stored_body]
