"""The tables of one service, and the statements that run for every command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import apsw

from shared.storage.port import COLUMNS_OF, COLUMNS_VERSION, Column
from shared.storage.retired_indexes import RETIRED_INDEXES
from shared.storage.sqlite.connection import read_number
from shared.storage.sqlite.queries import SEARCH
from shared.storage.sqlite.word_index import WordIndex
from shared.storage.subsets import subset_indexes

_SCHEMA = """
CREATE TABLE IF NOT EXISTS @documents (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, latest TEXT NOT NULL, due_at REAL,
    change INTEGER NOT NULL UNIQUE, seen BLOB NOT NULL, :columns commands BLOB NOT NULL, body BLOB NOT NULL,
    columns_of INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS @documents_due ON @documents (due_at, id) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS @outbox (
    place INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, event_id TEXT NOT NULL, event BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS @outbox_by_event ON @outbox (event_id);
CREATE TABLE IF NOT EXISTS @letters (
    place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, position TEXT NOT NULL,
    event BLOB NOT NULL, reason TEXT NOT NULL, tries INTEGER NOT NULL, parked_at REAL NOT NULL, state TEXT NOT NULL,
    settled_at REAL
) STRICT;
CREATE INDEX IF NOT EXISTS @letters_parked ON @letters (subject, place) WHERE state = 'parked';
"""
_FIXED = ("id", "version", "latest", "seen", "commands", "body")
_NEXT_CHANGE = "(SELECT coalesce(max(change), 0) + 1 FROM @documents)"
_TEST_ID = "trial"
_RESERVED_NAMES = {"place", "change", "due_at", COLUMNS_OF, *_FIXED}
_INSERT = "INSERT INTO @documents (:names, change, columns_of) VALUES (:values, :next, ?2) ON CONFLICT (id) DO NOTHING"
_UPDATE = (
    "UPDATE @documents SET version=?2, columns_of=:columns_of, latest=?3, seen=?4, commands=?5, body=?6, change=:next :changes"
    " WHERE id=?1 AND version=?2-1"
)
MAX_INDEXED_AT_ONCE = 20_000
"""Of more records, each index is created in a transaction of its own, which takes a second or more."""
_FORGET_OVERWRITTEN = (
    "UPDATE @documents SET columns_version=NULL WHERE columns_of IS NOT version AND +columns_version IS NOT NULL"
)
_SELECT_RECORD = "SELECT id, version, latest, seen, commands, body FROM @documents WHERE :condition"


class Tables:
    """The tables of one service; `@` in a statement stands for its name: `@documents` is its table of records.

    `insert` takes id, version, latest, seen, commands, body, due_at and the declared columns.
    """

    def __init__(self, service: str, columns: Sequence[Column]) -> None:
        names = [service, *(name for column in columns for name in (column.name, *column.ordered_by))]
        if not all(name.isidentifier() for name in names) or _RESERVED_NAMES.intersection(names[1:]):
            raise ValueError(f"not all of these are valid names of tables and columns: {names}")
        self._service, self._declared = service, tuple(columns)
        self.columns = tuple(column.name for column in columns)
        self.records = self.sql("@documents")
        self.words = WordIndex(service) if SEARCH in self.columns else None
        inserted = [*_FIXED, "due_at", *self.columns]
        marks = ", ".join("?" * len(inserted))
        self.insert = self.sql(_INSERT, names=", ".join(inserted), values=marks, next=_NEXT_CHANGE)
        self.select_one = self.sql(_SELECT_RECORD, condition="id=?")
        self.select_many = self.sql(_SELECT_RECORD, condition="id IN (SELECT value FROM json_each(?))")
        self.insert_outbox_entry = self.sql("INSERT INTO @outbox (subject, event_id, event) VALUES (?,?,?)")
        self._updates: dict[tuple[tuple[int, ...], bool], str] = {}
        self._indexes = dict(self._index_statements())

    def update(self, changed: tuple[int, ...], *, migrated: bool) -> str:
        """Return the update of these columns, by their index in due_at and the declared columns.

        It takes id, version, latest, seen, commands, body and the changed columns, and changes no row unless the preceding
        version is stored. If it is not `migrated`, columns that an older program wrote or left stay recognizable.
        """
        if (changed, migrated) not in self._updates:
            names = ("due_at", *self.columns)
            changes = "".join(f", {names[index]}=?{number}" for number, index in enumerate(changed, len(_FIXED) + 1))
            columns_of = "?2" if migrated else "columns_of+1"
            statement = self.sql(_UPDATE, next=_NEXT_CHANGE, changes=changes, columns_of=columns_of)
            self._updates[changed, migrated] = statement
        return self._updates[changed, migrated]

    def sql(self, statement: str, **parts: str) -> str:
        """Return a statement for this service, with its parts inserted."""
        for name, part in parts.items():
            statement = statement.replace(f":{name}", part)
        return statement.replace("@", f"{self._service}_")

    def select_by(self, column: str) -> str:
        """Return the select of the record with a value in this column."""
        return self.sql(_SELECT_RECORD, condition=f"{self.check_column(column)}=? ORDER BY id LIMIT 1")

    def greatest(self, column: str) -> str:
        """Return the select of the greatest value of a column between two bounds, the second excluded."""
        statement = "SELECT max(:column) FROM @documents WHERE :column >= ? AND :column < ?"
        return self.sql(statement, column=self.check_column(column))

    def forget_overwritten(self) -> str:
        """Return the update that clears COLUMNS_VERSION in rows written by a program that does not know it."""
        self.check_column(COLUMNS_VERSION)
        return self.sql(_FORGET_OVERWRITTEN)

    def check_column(self, name: str) -> str:
        """Return the name of a declared column. Raises ValueError for any other."""
        if name not in self.columns:
            raise ValueError(f"{self.records} has no column {name}")
        return name

    def create(self, db: apsw.Connection) -> None:
        """Create missing tables and columns."""
        declared = {column.name: f"{column.name} {column.kind.upper()}" for column in self._declared}
        columns = "".join(f"{definition}, " for definition in declared.values())
        _run(db, self.sql(_SCHEMA, columns=columns))
        present = {row[1] for row in db.execute(f"PRAGMA table_info({self.records})")}
        declared[COLUMNS_OF] = f"{COLUMNS_OF} INTEGER"
        for name in declared.keys() - present:
            _run(db, f"ALTER TABLE {self.records} ADD COLUMN {declared[name]}")

    def create_for_lists(self, db: apsw.Connection) -> list[str]:
        """Create what only lists need; return the names of indexes that are left, because many records are stored."""
        self._drop_retired_indexes(db)
        if self.words is not None:
            self.words.create(db)
        present = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type='index'")}
        missing = [name for name in self._indexes if name not in present]
        if self.count_stored(db) > MAX_INDEXED_AT_ONCE:
            return missing
        for name in missing:
            self.create_index(db, name)
        return []

    def create_index(self, db: apsw.Connection, name: str) -> None:
        """Create an index that `create_for_lists` has left."""
        _run(db, self._indexes[name])

    def count_stored(self, db: apsw.Connection) -> int:
        """Return about how many records are stored."""
        return read_number(db, self.sql("SELECT coalesce(max(place), 0) FROM @documents"))

    def test_write(self, db: apsw.Connection) -> None:
        """Insert a row into each table; the caller rolls it back."""
        blank = {
            "id": _TEST_ID,
            "version": 1,
            "latest": "",
            "seen": b"{}",
            "commands": b"[]",
            "body": b"{}",
            "due_at": 0,
        }
        row = [*blank.values(), *(None for _ in self.columns)]
        db.execute(self.insert, row)
        db.execute(self.insert_outbox_entry, (_TEST_ID, _TEST_ID, b"{}"))
        db.execute(self.sql("INSERT INTO @letters VALUES (NULL,?1,?1,'',x'','',0,0,'parked',NULL)"), (_TEST_ID,))

    def _index_statements(self) -> Iterator[tuple[str, str]]:
        """Yield the names and statements of the indexes of the declared columns."""
        for subset in subset_indexes(self._declared):
            yield self._index(subset.name, subset.stored_keys, f" WHERE {subset.column} = 1")
        for column in self._declared:
            if column.filtered_with:
                yield self._index(f"with_{column.name}", (column.name, *column.filtered_with))
            if column.unique:
                yield self._index(f"by_{column.name}", (column.name,), unique=True)
            elif column.indexed and column.name != SEARCH:
                for keys in ((column.name, order) if order else (column.name,) for order in column.ordered_by or ("",)):
                    yield self._index("_".join(("by", *keys)), (*keys, "id"))
        if COLUMNS_VERSION in self.columns:
            yield self._index("overwritten", ("id",), " WHERE columns_of IS NOT version")

    def _index(self, name: str, keys: Sequence[str], condition: str = "", *, unique: bool = False) -> tuple[str, str]:
        kind, name = "UNIQUE INDEX" if unique else "INDEX", f"{self.records}_{name}"
        return name, f"CREATE {kind} IF NOT EXISTS {name} ON {self.records} ({', '.join(keys)}){condition}"

    def _drop_retired_indexes(self, db: apsw.Connection) -> None:
        """Drop indexes that an earlier version needed; if that version starts again, it creates them."""
        retired = {f"{self.records}_{name}" for name in RETIRED_INDEXES.get(self._service, ())}
        for name in sorted(retired - self._indexes.keys()):
            _run(db, f"DROP INDEX IF EXISTS {name}")


def _run(db: apsw.Connection, statement: str) -> None:
    for _ in db.execute(statement):
        pass
