"""The state store in the embedded mode's SQLite file: a table of documents, an outbox and dead letters for each service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import apsw
from pydantic_core import from_json, to_json

from shared.clock import Clock
from shared.storage.port import (
    Change,
    Column,
    CommandMemory,
    DeadLetter,
    Document,
    Find,
    Found,
    OutboxEntry,
    Saved,
    Scalar,
    StoreUnavailable,
    Write,
)
from shared.storage.sqlite_file import SqliteFile

OTHER_PROCESSES_EVERY = 0.5
"""Seconds between looks for what another process wrote."""

_FIXED = ("id", "version", "body", "seen", "commands", "latest", "due_at", "change")


class SqliteStateStore:
    """The StateStore of one service."""

    def __init__(self, file: SqliteFile, service: str, columns: Sequence[Column], clock: Clock):
        if not service.isidentifier() or not all(column.name.isidentifier() for column in columns):
            raise ValueError("names of services and columns become names of tables and columns")
        self._file, self._service, self._columns, self._clock = file, service, tuple(columns), clock
        self._table, self._outbox, self._letters = f"{service}_documents", f"{service}_outbox", f"{service}_letters"
        names = [*_FIXED, *(column.name for column in columns)]
        self._insert = f"INSERT INTO {self._table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        changes = ", ".join(f"{name}=?{index + 1}" for index, name in enumerate(names) if index)
        self._update = f"UPDATE {self._table} SET {changes} WHERE id=?1 AND version=?2-1"
        self._document = "id, version, body, seen, commands, latest"
        self._changed = asyncio.Event()

    async def prepare(self) -> None:
        await self._file.write(lambda db: [list(db.execute(statement)) for statement in self._schema()])

    def _schema(self) -> list[str]:
        extra = "".join(f", {c.name} {'TEXT' if c.kind == 'text' else 'INTEGER'}" for c in self._columns)
        schema = [
            f"CREATE TABLE IF NOT EXISTS {self._table} (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL,"
            f" seen BLOB NOT NULL, commands BLOB NOT NULL, latest TEXT NOT NULL, due_at REAL, change INTEGER NOT NULL{extra})",
            f"CREATE INDEX IF NOT EXISTS {self._table}_due ON {self._table} (due_at) WHERE due_at IS NOT NULL",
            f"CREATE UNIQUE INDEX IF NOT EXISTS {self._table}_change ON {self._table} (change)",
            f"CREATE TABLE IF NOT EXISTS {self._outbox} (place INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL,"
            " event_id TEXT NOT NULL UNIQUE, event BLOB NOT NULL)",
            f"CREATE TABLE IF NOT EXISTS {self._letters} (place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
            " subject TEXT NOT NULL, position TEXT NOT NULL, event BLOB NOT NULL, reason TEXT NOT NULL,"
            " tries INTEGER NOT NULL, parked_at REAL NOT NULL, state TEXT NOT NULL)",
            f"CREATE INDEX IF NOT EXISTS {self._letters}_subject ON {self._letters} (subject) WHERE state = 'parked'",
        ]
        for column in self._columns:
            unique, index = ("UNIQUE ", "") if column.unique else ("", ", id")
            schema.append(
                f"CREATE {unique}INDEX IF NOT EXISTS {self._table}_by_{column.name}"
                f" ON {self._table} ({column.name}{index})"
            )
        return schema

    async def load(self, ids: Sequence[str]) -> dict[str, Document]:
        found: dict[str, Document] = {}
        for start in range(0, len(ids), 200):
            part = ids[start : start + 200]
            sql = f"SELECT {self._document} FROM {self._table} WHERE id IN ({','.join('?' * len(part))})"
            for row in self._file.read(sql, part):
                found[str(row[0])] = _read(row)
        return found

    async def save(self, writes: Sequence[Write]) -> list[Saved]:
        rows = [(self._row(write), write) for write in writes]
        saved = await self._file.write(lambda db: self._save(db, rows))
        if Saved.SAVED in saved:
            self._tell()
        return saved

    def _row(self, write: Write) -> list[Any]:
        document = write.document
        commands = to_json([(m.id, m.digest, m.status, m.version) for m in document.commands])
        due = write.due_at.timestamp() if write.due_at else None
        fixed = [
            document.id,
            document.version,
            document.body,
            to_json(document.seen),
            commands,
            document.latest,
            due,
            0,
        ]
        return [*fixed, *(write.columns.get(column.name) for column in self._columns)]

    def _save(self, db: apsw.Connection, rows: Sequence[tuple[list[Any], Write]]) -> list[Saved]:
        [(change,)] = db.execute(f"SELECT coalesce(max(change), 0) FROM {self._table}")
        outcomes: list[Saved] = []
        for row, write in rows:
            change += 1
            row[7] = change
            outcomes.append(self._save_one(db, row, write))
        return outcomes

    def _save_one(self, db: apsw.Connection, row: list[Any], write: Write) -> Saved:
        try:
            with db:
                db.execute(self._insert if write.document.version == 1 else self._update, row)
                if db.changes():
                    self._add_to_outbox(db, write.outbox)
                    return Saved.SAVED
        except apsw.ConstraintError:
            known = list(db.execute(f"SELECT 1 FROM {self._table} WHERE id=?", (write.document.id,)))
            return Saved.CONFLICT if known and write.document.version == 1 else Saved.TAKEN
        return Saved.CONFLICT

    def _add_to_outbox(self, db: apsw.Connection, entries: Sequence[OutboxEntry]) -> None:
        sql = f"INSERT OR IGNORE INTO {self._outbox} (subject, event_id, event) VALUES (?,?,?)"
        db.executemany(sql, [(entry.subject, entry.event_id, entry.event) for entry in entries])

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def find(self, find: Find) -> Found:
        backwards = find.before is not None
        conditions, values = self._conditions(find)
        ascending = find.descending == backwards
        if (key := find.before if backwards else find.after) is not None:
            conditions.append(f"({find.order}, id) {'>' if ascending else '<'} (?, ?)")
            values += key
        direction = "ASC" if ascending else "DESC"
        rows = await self._file.query(
            f"SELECT {self._document}, {find.order} FROM {self._table} WHERE {' AND '.join(conditions) or '1'}"
            f" ORDER BY {find.order} {direction}, id {direction} LIMIT ?",
            [*values, find.limit + 1],
        )
        more, rows = len(rows) > find.limit, rows[: find.limit]
        if backwards:
            rows.reverse()
        return Found(
            tuple(_read(row) for row in rows),
            tuple((row[6], row[0]) for row in rows),
            has_next=bool(rows) if backwards else more,
            has_previous=more if backwards else find.after is not None,
        )

    def _conditions(self, find: Find) -> tuple[list[str], list[Any]]:
        conditions: list[str] = []
        values: list[Any] = []
        for name, wanted in find.where.items():
            several = wanted if isinstance(wanted, tuple) else (wanted,)
            conditions.append(f"{name} IN ({','.join('?' * len(several))})")
            values += several
        for name, limit in find.below.items():
            conditions.append(f"{name} < ?")
            values.append(limit)
        for word in find.search.lower().split():
            conditions.append("instr(search, ?)")
            values.append(word)
        return conditions, values

    async def find_one(self, column: str, value: Scalar) -> Document | None:
        rows = self._file.read(f"SELECT {self._document} FROM {self._table} WHERE {column}=? LIMIT 1", (value,))
        return _read(rows[0]) if rows else None

    async def greatest(self, column: str, prefix: str) -> str | None:
        sql = f"SELECT max({column}) FROM {self._table} WHERE {column} >= ? AND {column} < ?"
        value = self._file.read(sql, (prefix, prefix + "\U0010ffff"))[0][0]
        return None if value is None else str(value)

    async def count(self, find: Find) -> int:
        conditions, values = self._conditions(find)
        sql = f"SELECT count(*) FROM {self._table} WHERE {' AND '.join(conditions) or '1'}"
        return int((await self._file.query(sql, values))[0][0])

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        rows = await self._file.query(f"SELECT id FROM {self._table} WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [str(row[0]) for row in rows]

    async def due(self, now: datetime, limit: int) -> list[str]:
        sql = f"SELECT id FROM {self._table} WHERE due_at <= ? ORDER BY due_at LIMIT ?"
        return [str(row[0]) for row in self._file.read(sql, (now.timestamp(), limit))]

    async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
        place = 0
        if after is not None:
            rows = self._file.read(f"SELECT place FROM {self._outbox} WHERE event_id=?", (after[1],))
            place = rows[0][0] if rows else 0
        sql = f"SELECT subject, event_id, event FROM {self._outbox} WHERE place > ? ORDER BY place LIMIT ?"
        return [OutboxEntry(*row) for row in await self._file.query(sql, (place, limit))]

    async def published(self, event_ids: Sequence[str]) -> None:
        sql = f"DELETE FROM {self._outbox} WHERE event_id=?"
        await self._file.write(lambda db: db.executemany(sql, [(event_id,) for event_id in event_ids]))

    async def changes(self, after: str, limit: int) -> list[Change]:
        sql = f"SELECT change, id, version FROM {self._table} WHERE change > ? ORDER BY change LIMIT ?"
        return [Change(str(row[0]), str(row[1]), int(row[2])) for row in self._file.read(sql, (int(after or 0), limit))]

    async def latest_change(self) -> str:
        return str(self._file.read(f"SELECT coalesce(max(change), 0) FROM {self._table}")[0][0])

    async def wait_for_change(self, after: str, timeout: float) -> None:
        changed, ends = self._changed, asyncio.get_running_loop().time() + timeout
        while await self.latest_change() == after:
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                return
            try:
                await asyncio.wait_for(changed.wait(), min(left, OTHER_PROCESSES_EVERY))
                return
            except TimeoutError:
                continue

    async def park(self, letters: Sequence[DeadLetter], *, only_behind: bool = False) -> bool:
        def work(db: apsw.Connection) -> bool:
            parked = f"SELECT 1 FROM {self._letters} WHERE subject=? AND state='parked' LIMIT 1"
            if only_behind and not list(db.execute(parked, (letters[0].subject,))):
                return False
            db.executemany(
                f"INSERT INTO {self._letters} (id, subject, position, event, reason, tries, parked_at, state)"
                " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING",
                [
                    (x.id, x.subject, x.position, x.event, x.reason, x.tries, x.parked_at.timestamp(), x.state)
                    for x in letters
                ],
            )
            return True

        return await self._file.write(work)

    async def parked_subjects(self) -> set[str]:
        rows = await self._file.query(f"SELECT DISTINCT subject FROM {self._letters} WHERE state='parked'")
        return {str(row[0]) for row in rows}

    async def dead_letters(
        self, *, subject: str | None = None, states: Sequence[str] = ("parked",)
    ) -> list[DeadLetter]:
        sql = (
            f"SELECT id, subject, position, event, reason, tries, parked_at, state FROM {self._letters}"
            f" WHERE state IN ({','.join('?' * len(states))}){' AND subject=?' if subject else ''} ORDER BY place"
        )
        rows = await self._file.query(sql, [*states, *([subject] if subject else [])])
        return [
            DeadLetter(
                id=row[0],
                service=self._service,
                subject=row[1],
                position=row[2],
                event=row[3],
                reason=row[4],
                tries=row[5],
                parked_at=datetime.fromtimestamp(row[6], UTC),
                state=row[7],
            )
            for row in rows
        ]

    async def settle(self, letter_id: str, *, discarded: bool) -> None:
        change = f"UPDATE {self._letters} SET state='discarded' WHERE id=?"
        remove = f"DELETE FROM {self._letters} WHERE id=?"
        await self._file.write(lambda db: db.execute(change if discarded else remove, (letter_id,)))

    async def ready(self) -> None:
        if not await self._file.query("SELECT 1"):
            raise StoreUnavailable("the database does not answer")


def _read(row: tuple[Any, ...]) -> Document:
    commands = tuple(CommandMemory(*memory) for memory in from_json(row[4]))
    return Document(row[0], row[1], row[2], from_json(row[3]), commands, row[5])
