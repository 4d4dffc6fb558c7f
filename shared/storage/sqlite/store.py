"""The state store on SQLite: tables for records, the outbox and dead letters of each service in one file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import apsw
from pydantic_core import from_json, to_json

from shared.clock import Clock
from shared.storage.compression import compress, decompress
from shared.storage.port import (
    BoundedCount,
    Column,
    DeadLetter,
    OutboxEntry,
    ProcessedCommand,
    Progress,
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

logger = logging.getLogger(__name__)

INDEXED_AT_ONCE = 200
"""Records added to the index of words in one write; other writes wait meanwhile."""
MAX_INLINE_READS = 32
"""Records read in the thread of the event loop; for more, another thread is worth its overhead."""

_SELECT_PARKED_OF = "SELECT 1 FROM @letters WHERE subject=? AND state='parked' LIMIT 1"
_INSERT_DEAD_LETTER = (
    "INSERT INTO @letters (id, subject, position, event, reason, tries, parked_at, state)"
    " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING"
)
_SELECT_DEAD_LETTERS = (
    "SELECT id, subject, position, event, reason, tries, parked_at, state FROM @letters"
    " WHERE state IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR subject=?2) ORDER BY place"
)

_SELECT_FIRST_PARKED = (
    "SELECT id, subject, position, event, reason, tries, parked_at, state FROM @letters WHERE place IN"
    " (SELECT min(place) FROM @letters WHERE state='parked' GROUP BY subject) AND reason=? ORDER BY place"
)


class SqliteStateStore:
    """The StateStore of one service; `clock` is for the times at which dead letters are discarded."""

    def __init__(self, database: SqliteDatabase, service: str, columns: Sequence[Column], clock: Clock) -> None:
        self._database, self._service, self._clock = database, service, clock
        self._tables = Tables(service, columns)
        self._statements = WriteStatements(self._tables)
        self._paginator = KeysetPaginator(service, columns)
        self._sql = self._tables.sql
        self._notifier = database.notifier(self._tables.records)

    async def prepare(self, *, for_lists: bool = True) -> None:
        await self._database.write(self._tables.create)
        if not for_lists:
            return
        missing = await self._database.write(self._tables.create_for_lists)
        for number, name in enumerate(missing, 1):
            logger.info("creates index %d of %d that %s lacks, %s", number, len(missing), self._service, name)
            await self._database.write(partial(self._tables.create_index, name=name))

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        if len(ids) == 1:
            rows = self._database.read(self._tables.select_one, ids)
        elif len(ids) <= MAX_INLINE_READS:
            rows = self._database.read(self._tables.select_many, (to_json(ids).decode(),))
        else:
            rows = await self._database.query(self._tables.select_many, (to_json(ids).decode(),))
        return {row[0]: _record(row) for row in rows}

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        statements = [(self._statements.statement(write), write) for write in writes]
        outcomes = await self._database.write(
            lambda db: [self._save_record(db, statement, write) for statement, write in statements]
        )
        saved = [write for write, outcome in zip(writes, outcomes, strict=True) if outcome is SaveOutcome.SAVED]
        for write in saved:
            self._statements.on_saved(write)
        if saved:
            self._notifier.notify()
        return outcomes

    def _save_record(self, db: apsw.Connection, statement: Statement, write: Write) -> SaveOutcome:
        try:
            db.execute(*statement)
        except apsw.ConstraintError as error:
            if not str(error).startswith("UNIQUE"):
                raise
            # SQLite rolls back a failed statement alone; the other writes of the transaction remain.
            return SaveOutcome.UNIQUE_VIOLATION
        if not db.changes():
            return SaveOutcome.CONFLICT
        for entry in write.outbox:
            db.execute(self._tables.insert_outbox_entry, (entry.subject, entry.event_id, entry.event))
        return SaveOutcome.SAVED

    async def find(self, query: RecordQuery) -> RecordPage:
        def read(db: apsw.Connection) -> tuple[list[Key], bool, bool, dict[str, Row]]:
            keys, has_next, has_previous = self._paginator.page(db, query)
            ids = to_json([record_id for _, record_id in keys]).decode()
            return keys, has_next, has_previous, {row[0]: row for row in db.execute(self._tables.select_many, (ids,))}

        keys, has_next, has_previous, rows = await self._database.read_snapshot(read)
        return RecordPage(tuple(_record(rows[record_id]) for _, record_id in keys), tuple(keys), has_next, has_previous)

    async def find_one(self, column: str, value: Scalar) -> StateRecord | None:
        rows = self._database.read(self._tables.select_by(column), (value,))
        return _record(rows[0]) if rows else None

    async def greatest(self, column: str, prefix: str) -> str | None:
        rows = self._database.read(self._tables.greatest(column), (prefix, prefix + "\U0010ffff"))
        return None if rows[0][0] is None else str(rows[0][0])

    async def count(self, query: RecordQuery) -> int:
        return await self._database.read_snapshot(lambda db: self._paginator.count(db, query))

    async def bounded_count(self, query: RecordQuery, before: tuple[Scalar, str] | None = None) -> BoundedCount:
        return await self._database.read_snapshot(lambda db: self._paginator.bounded_count(db, query, before))

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        sql = self._sql("SELECT id FROM @documents WHERE id > ? ORDER BY id LIMIT ?")
        return [row[0] for row in await self._database.query(sql, (after, limit))]

    async def complete_search(self, progress: Progress) -> None:
        words = self._tables.words
        if words is None:
            return
        before = self._database.read(self._sql("SELECT up_to FROM @words_missing"))[0][0]
        while before:
            left = await self._database.write(lambda db: words.add_missing(db, INDEXED_AT_ONCE))
            progress(before - left)
            before = left

    async def forget_overwritten(self, since: datetime | None = None) -> None:
        del since  # an index finds all of them
        sql = self._tables.forget_overwritten()
        await self._database.write(lambda db: _run(db, sql, ()))

    async def due(self, now: datetime, limit: int) -> list[str]:
        sql = self._sql("SELECT id FROM @documents WHERE due_at <= ? ORDER BY due_at, id LIMIT ?")
        return [row[0] for row in self._database.read(sql, (now.timestamp(), limit))]

    async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
        place = 0
        if after is not None:
            # If this entry was removed meanwhile, start over, which only repeats events.
            rows = self._database.read(self._sql("SELECT place FROM @outbox WHERE event_id=?"), (after[1],))
            place = rows[0][0] if rows else 0
        sql = self._sql("SELECT subject, event_id, event FROM @outbox WHERE place > ? ORDER BY place LIMIT ?")
        return [OutboxEntry(*row) for row in await self._database.query(sql, (place, limit))]

    async def unpublished_of(self, subjects: Sequence[str]) -> list[OutboxEntry]:
        sql = self._sql(
            "SELECT subject, event_id, event FROM @outbox WHERE subject IN (SELECT value FROM json_each(?)) ORDER BY place"
        )
        return [OutboxEntry(*row) for row in await self._database.query(sql, (to_json(subjects).decode(),))]

    async def remove_published(self, event_ids: Sequence[str]) -> None:
        sql = self._sql("DELETE FROM @outbox WHERE event_id IN (SELECT value FROM json_each(?))")
        await self._database.write(lambda db: _run(db, sql, (to_json(event_ids).decode(),)))

    async def changes(self, after: str, limit: int) -> list[StateChange]:
        sql = self._sql("SELECT change, id, version FROM @documents WHERE change > ? ORDER BY change LIMIT ?")
        return [
            StateChange(str(row[0]), row[1], row[2]) for row in self._database.read(sql, (_change_number(after), limit))
        ]

    async def latest_change(self) -> str:
        return str(self._latest_change_number())

    def _latest_change_number(self) -> int:
        return int(self._database.read(self._sql("SELECT coalesce(max(change), 0) FROM @documents"))[0][0])

    async def wait_for_change(self, after: str, timeout: float) -> None:
        number = _change_number(after)
        await self._notifier.wait_for(lambda: self._latest_change_number() > number, timeout)

    async def park(self, dead_letters: Sequence[DeadLetter], *, only_if_blocked: bool = False) -> bool:
        rows = [
            (
                one.id,
                one.subject,
                one.position,
                compress(one.event),
                one.reason,
                one.tries,
                one.parked_at.timestamp(),
                one.state,
            )
            for one in dead_letters
        ]
        select_parked, insert = self._sql(_SELECT_PARKED_OF), self._sql(_INSERT_DEAD_LETTER)

        def work(db: apsw.Connection) -> bool:
            if only_if_blocked and not db.execute(select_parked, rows[0][1:2]).fetchall():
                return False
            db.executemany(insert, rows)
            return True

        return await self._database.write(work)

    async def parked_subjects(self) -> set[str]:
        rows = await self._database.query(self._sql("SELECT DISTINCT subject FROM @letters WHERE state='parked'"))
        return {row[0] for row in rows}

    async def count_parked(self) -> int:
        rows = await self._database.query(self._sql("SELECT count(*) FROM @letters WHERE state='parked'"))
        return int(rows[0][0])

    async def dead_letters(
        self, *, subject: str | None = None, states: Sequence[str] = ("parked",)
    ) -> list[DeadLetter]:
        rows = await self._database.query(self._sql(_SELECT_DEAD_LETTERS), (to_json(states).decode(), subject))
        return [self._dead_letter(row) for row in rows]

    async def first_parked(self, reason: str) -> list[DeadLetter]:
        return [
            self._dead_letter(row) for row in await self._database.query(self._sql(_SELECT_FIRST_PARKED), (reason,))
        ]

    def _dead_letter(self, row: Row) -> DeadLetter:
        dead_letter_id, subject, position, event, reason, tries, parked_at, state = row
        time = datetime.fromtimestamp(parked_at, UTC)
        return DeadLetter(
            dead_letter_id, self._service, subject, position, decompress(event), reason, tries, time, state
        )

    async def record_attempt(self, dead_letter_id: str, reason: str) -> None:
        sql = self._sql("UPDATE @letters SET tries=tries+1, reason=?2 WHERE id=?1 AND state='parked'")
        await self._database.write(lambda db: _run(db, sql, (dead_letter_id, reason)))

    async def resolve(self, dead_letter_id: str, *, discarded: bool) -> None:
        if discarded:
            sql = self._sql("UPDATE @letters SET state='discarded', settled_at=?2 WHERE id=?1 AND state='parked'")
            row: tuple[Any, ...] = (dead_letter_id, self._clock().timestamp())
        else:
            sql, row = self._sql("DELETE FROM @letters WHERE id=?1 AND state='parked'"), (dead_letter_id,)
        await self._database.write(lambda db: _run(db, sql, row))

    async def ready(self) -> None:
        await self._database.ready(self._service, self._tables.test_write)


def _record(row: Row) -> StateRecord:
    commands = tuple([ProcessedCommand(*processed) for processed in from_json(decompress(row[4]))])
    return StateRecord(row[0], row[1], decompress(row[5]), from_json(row[3]), commands, row[2])


def _run(db: apsw.Connection, sql: str, bindings: tuple[Any, ...]) -> None:
    db.execute(sql, bindings)


def _change_number(cursor: str) -> int:
    """Parse a cursor; an invalid one, which a client may send, means the beginning."""
    return int(cursor) if cursor.isdecimal() and len(cursor) < 19 else 0
