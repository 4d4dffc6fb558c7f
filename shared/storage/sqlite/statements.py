"""Writes as statements: an update names only the columns that change, so that no index is touched in vain."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from pydantic_core import to_json

from shared.storage.port import Write
from shared.storage.sqlite.schema import Tables

MAX_CACHED_ROWS = 5_000
"""Documents of which it is remembered what their columns hold."""

Statement = tuple[str, list[Any]]


class WriteStatements:
    """The statements that save documents of one service."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._stored: OrderedDict[str, tuple[int, list[Any]]] = OrderedDict()

    def statement(self, write: Write) -> Statement:
        """What saves this document, and changes no row if it is not the expected version that is stored."""
        fixed, values = _fixed_columns(write), self._values(write)
        version, stored = self._stored.get(write.record.id, (0, values))
        if write.record.version == 1:
            return self._tables.insert, fixed + values
        if version != write.record.version - 1:
            return self._tables.update(tuple(range(len(values)))), fixed + values
        # That version is stored or nothing is updated: its columns are what they were when it was saved here.
        changed = tuple([index for index, value in enumerate(values) if value != stored[index]])
        return self._tables.update(changed), fixed + [values[index] for index in changed]

    def on_saved(self, write: Write) -> None:
        """The write is stored."""
        self._stored[write.record.id] = write.record.version, self._values(write)
        self._stored.move_to_end(write.record.id)
        if len(self._stored) > MAX_CACHED_ROWS:
            self._stored.popitem(last=False)

    def _values(self, write: Write) -> list[Any]:
        due_at = write.due_at.timestamp() if write.due_at else None
        return [due_at, *[write.columns.get(name) for name in self._tables.columns]]


def _fixed_columns(write: Write) -> list[Any]:
    record = write.record
    commands = [(processed.id, processed.digest, processed.status, processed.version) for processed in record.commands]
    return [record.id, record.version, record.latest, to_json(record.seen), to_json(commands), record.body]
