"""The state store in the embedded mode's SQLite file: documents, an outbox and dead letters for each service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import apsw
from pydantic_core import from_json, to_json

from shared.clock import Clock
from shared.storage.port import (
    Column,
    DeadLetter,
    OutboxEntry,
    ProcessedCommand,
    RecordPage,
    RecordQuery,
    SaveOutcome,
    Scalar,
    StateChange,
    StateRecord,
    Write,
)
from shared.storage.sqlite.database import Row, SqliteDatabase
from shared.storage.sqlite.queries import Key, KeysetPaginator
from shared.storage.sqlite.schema import Tables
from shared.storage.sqlite.statements import Statement, WriteStatements

MAX_INLINE_READS = 32
"""Documents read in the event loop's own thread; for more, going to another thread is worth its price."""

_AHEAD = "SELECT 1 FROM @letters WHERE subject=? AND state='parked' LIMIT 1"
_ADD_LETTER = (
    "INSERT INTO @letters (id, subject, position, event, reason, tries, parked_at, state)"
    " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING"
)
_LETTERS = (
    "SELECT id, subject, position, event, reason, tries, parked_at, state FROM @letters"
    " WHERE state IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR subject=?2) ORDER BY place"
)

_FIRST_PARKED = (
    "SELECT id, subject, position, event, reason, tries, parked_at, state FROM @letters WHERE place IN"
    " (SELECT min(place) FROM @letters WHERE state='parked' GROUP BY subject) AND reason=? ORDER BY place"
)


class SqliteStateStore:
    """The StateStore of one service; `clock` dates the settling of dead letters."""

    def __init__(self, file: SqliteDatabase, service: str, columns: Sequence[Column], clock: Clock) -> None:
        self._file, self._service, self._clock = file, service, clock
        self._tables = Tables(service, columns)
        self._rows = WriteStatements(self._tables)
        self._paginator = KeysetPaginator(self._tables.records, columns)
        self._named = self._tables.named
        self._notifier = file.notifier(self._tables.records)

    async def prepare(self) -> None:
        await self._file.write(self._tables.make)

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        if len(ids) == 1:
            rows = self._file.read(self._tables.one, ids)
        elif len(ids) <= MAX_INLINE_READS:
            rows = self._file.read(self._tables.several, (to_json(ids).decode(),))
        else:
            rows = await self._file.query(self._tables.several, (to_json(ids).decode(),))
        return {row[0]: _document(row) for row in rows}

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        statements = [(self._rows.statement(write), write) for write in writes]
        outcomes = await self._file.write(
            lambda db: [self._save(db, statement, write) for statement, write in statements]
        )
        saved = [write for write, outcome in zip(writes, outcomes, strict=True) if outcome is SaveOutcome.SAVED]
        for write in saved:
            self._rows.on_saved(write)
        if saved:
            self._notifier.notify()
        return outcomes

    def _save(self, db: apsw.Connection, statement: Statement, write: Write) -> SaveOutcome:
        try:
            db.execute(*statement)
        except apsw.ConstraintError as error:
            if not str(error).startswith("UNIQUE"):
                raise
            # A single statement that fails undoes itself, so that the other writes of the transaction stand.
            return SaveOutcome.UNIQUE_VIOLATION
        if not db.changes():
            return SaveOutcome.CONFLICT
        for entry in write.outbox:
            db.execute(self._tables.add_to_outbox, (entry.subject, entry.event_id, entry.event))
        return SaveOutcome.SAVED

    async def find(self, find: RecordQuery) -> RecordPage:
        def look(db: apsw.Connection) -> tuple[list[Key], bool, bool, dict[str, Row]]:
            keys, has_next, has_previous = self._paginator.page(db, find)
            ids = to_json([document_id for _, document_id in keys]).decode()
            return keys, has_next, has_previous, {row[0]: row for row in db.execute(self._tables.several, (ids,))}

        keys, has_next, has_previous, rows = await self._file.read_snapshot(look)
        return RecordPage(
            tuple(_document(rows[document_id]) for _, document_id in keys), tuple(keys), has_next, has_previous
        )

    async def find_one(self, column: str, value: Scalar) -> StateRecord | None:
        rows = self._file.read(self._tables.by(column), (value,))
        return _document(rows[0]) if rows else None

    async def greatest(self, column: str, prefix: str) -> str | None:
        rows = self._file.read(self._tables.greatest(column), (prefix, prefix + "\U0010ffff"))
        return None if rows[0][0] is None else str(rows[0][0])

    async def count(self, find: RecordQuery) -> int:
        rows = await self._file.query(*self._paginator.counting(find))
        return int(rows[0][0])

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        sql = self._named("SELECT id FROM @documents WHERE id > ? ORDER BY id LIMIT ?")
        return [row[0] for row in await self._file.query(sql, (after, limit))]

    async def forget_overwritten(self, since: datetime | None = None) -> None:
        sql = self._tables.forget_overwritten()
        await self._file.write(lambda db: _run(db, sql, ()))

    async def due(self, now: datetime, limit: int) -> list[str]:
        sql = self._named("SELECT id FROM @documents WHERE due_at <= ? ORDER BY due_at, id LIMIT ?")
        return [row[0] for row in self._file.read(sql, (now.timestamp(), limit))]

    async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
        place = 0
        if after is not None:
            # An entry that was published meanwhile is no place to go on from: begin again, which only repeats events.
            rows = self._file.read(self._named("SELECT place FROM @outbox WHERE event_id=?"), (after[1],))
            place = rows[0][0] if rows else 0
        sql = self._named("SELECT subject, event_id, event FROM @outbox WHERE place > ? ORDER BY place LIMIT ?")
        return [OutboxEntry(*row) for row in await self._file.query(sql, (place, limit))]

    async def unpublished_of(self, subjects: Sequence[str]) -> list[OutboxEntry]:
        sql = self._named(
            "SELECT subject, event_id, event FROM @outbox WHERE subject IN (SELECT value FROM json_each(?)) ORDER BY place"
        )
        return [OutboxEntry(*row) for row in await self._file.query(sql, (to_json(subjects).decode(),))]

    async def remove_published(self, event_ids: Sequence[str]) -> None:
        sql = self._named("DELETE FROM @outbox WHERE event_id IN (SELECT value FROM json_each(?))")
        await self._file.write(lambda db: _run(db, sql, (to_json(event_ids).decode(),)))

    async def changes(self, after: str, limit: int) -> list[StateChange]:
        sql = self._named("SELECT change, id, version FROM @documents WHERE change > ? ORDER BY change LIMIT ?")
        return [
            StateChange(str(row[0]), row[1], row[2]) for row in self._file.read(sql, (_change_number(after), limit))
        ]

    async def latest_change(self) -> str:
        return str(self._latest_change_number())

    def _latest_change_number(self) -> int:
        return int(self._file.read(self._named("SELECT coalesce(max(change), 0) FROM @documents"))[0][0])

    async def wait_for_change(self, after: str, timeout: float) -> None:
        number = _change_number(after)
        await self._notifier.wait_for(lambda: self._latest_change_number() > number, timeout)

    async def park(self, dead_letters: Sequence[DeadLetter], *, only_if_blocked: bool = False) -> bool:
        rows = [
            (one.id, one.subject, one.position, one.event, one.reason, one.tries, one.parked_at.timestamp(), one.state)
            for one in dead_letters
        ]
        ahead, add = self._named(_AHEAD), self._named(_ADD_LETTER)

        def work(db: apsw.Connection) -> bool:
            if only_if_blocked and not db.execute(ahead, rows[0][1:2]).fetchall():
                return False
            db.executemany(add, rows)
            return True

        return await self._file.write(work)

    async def parked_subjects(self) -> set[str]:
        rows = await self._file.query(self._named("SELECT DISTINCT subject FROM @letters WHERE state='parked'"))
        return {row[0] for row in rows}

    async def count_parked(self) -> int:
        rows = await self._file.query(self._named("SELECT count(*) FROM @letters WHERE state='parked'"))
        return int(rows[0][0])

    async def dead_letters(
        self, *, subject: str | None = None, states: Sequence[str] = ("parked",)
    ) -> list[DeadLetter]:
        rows = await self._file.query(self._named(_LETTERS), (to_json(states).decode(), subject))
        return [self._letter(*row) for row in rows]

    async def first_parked(self, reason: str) -> list[DeadLetter]:
        return [self._letter(*row) for row in await self._file.query(self._named(_FIRST_PARKED), (reason,))]

    def _letter(self, dead_letter_id: str, *rest: Any) -> DeadLetter:
        subject, position, event, reason, tries, parked_at, state = rest
        parked = datetime.fromtimestamp(parked_at, UTC)
        return DeadLetter(dead_letter_id, self._service, subject, position, event, reason, tries, parked, state)

    async def record_attempt(self, dead_letter_id: str, reason: str) -> None:
        sql = self._named("UPDATE @letters SET tries=tries+1, reason=?2 WHERE id=?1 AND state='parked'")
        await self._file.write(lambda db: _run(db, sql, (dead_letter_id, reason)))

    async def resolve(self, dead_letter_id: str, *, discarded: bool) -> None:
        if discarded:
            sql = self._named("UPDATE @letters SET state='discarded', settled_at=?2 WHERE id=?1 AND state='parked'")
            row: tuple[Any, ...] = (dead_letter_id, self._clock().timestamp())
        else:
            sql, row = self._named("DELETE FROM @letters WHERE id=?1 AND state='parked'"), (dead_letter_id,)
        await self._file.write(lambda db: _run(db, sql, row))

    async def ready(self) -> None:
        await self._file.ready(self._service, self._tables.test_write)


def _document(row: Row) -> StateRecord:
    commands = tuple([ProcessedCommand(*processed) for processed in from_json(row[4])])
    return StateRecord(row[0], row[1], row[5], from_json(row[3]), commands, row[2])


def _run(db: apsw.Connection, sql: str, bindings: tuple[Any, ...]) -> None:
    db.execute(sql, bindings)


def _change_number(cursor: str) -> int:
    """A cursor as a number; what is none, as a client may send it, stands for the beginning."""
    return int(cursor) if cursor.isdecimal() and len(cursor) < 19 else 0
