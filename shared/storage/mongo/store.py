"""The state store on MongoDB: one document per record, saved by compare-and-set on its version, with its outbox inside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pymongo
from pymongo.errors import BulkWriteError, OperationFailure

from shared.clock import Clock
from shared.storage.mongo.change_feed import ChangeFeed
from shared.storage.mongo.client import Fields, MongoDatabase
from shared.storage.mongo.dead_letters import DeadLetterCollection
from shared.storage.mongo.mapping import (
    HAS_OUTBOX,
    IS_DUE,
    OUTBOX,
    PROJECTION,
    RecordMapping,
    outcome_of,
    record,
    split_into_rounds,
    to_outbox_entries,
)
from shared.storage.mongo.queries import KeysetPaginator
from shared.storage.port import (
    COLUMNS_VERSION,
    BoundedCount,
    Column,
    DeadLetter,
    OutboxEntry,
    Progress,
    RecordPage,
    RecordQuery,
    SaveOutcome,
    Scalar,
    StateChange,
    StateRecord,
    StoreUnavailable,
    Write,
)
from shared.storage.retired_indexes import RETIRED_INDEXES

EXAMINED, EXAMINED_OVERLAP = "columns_examined", timedelta(hours=1)
"""The field with the time of the last examination, and how long before it an older program may have begun a write."""
_INDEX_NOT_FOUND = 27
INDEX_TIMEOUT_SECONDS = 3_600.0
"""Indexes over many records take minutes, unlike any other call."""
MAX_EVENTS_PER_UPDATE = 1_000
"""Events removed from outboxes in one command."""


class MongoStateStore:
    """The StateStore of one service; `clock` is for the times at which dead letters are discarded."""

    def __init__(self, database: MongoDatabase, service: str, columns: Sequence[Column], clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._mapping = RecordMapping(service, columns)
        self._records = database.collection(self._mapping.records)
        self._beats = database.collection("beats")
        self._paginator = KeysetPaginator(database, self._records, columns)
        self._letters = DeadLetterCollection(database, database.collection(self._mapping.dead_letters), service)
        self._feed = database.shared(self._mapping.records, lambda: ChangeFeed(database, self._records))

    async def prepare(self, *, for_lists: bool = True) -> None:
        await self._database.create_collection(self._mapping.records)
        if self._paginator.words is not None:
            await self._paginator.words.prepare()
        if for_lists:
            async with self._database.operation():
                with pymongo.timeout(INDEX_TIMEOUT_SECONDS):
                    await self._drop_retired_indexes()
                    await self._records.create_indexes(self._mapping.indexes())
        await self._letters.prepare()

    async def _drop_retired_indexes(self) -> None:
        """Drop indexes that an earlier version needed; if that version starts again, it creates them."""
        declared = {index.document["name"] for index in self._mapping.indexes()}
        retired = set(RETIRED_INDEXES.get(self._mapping.service, ())) - declared
        for name in retired & (await self._records.index_information()).keys():
            try:
                await self._records.drop_index(name)
            except OperationFailure as error:
                # Another process has just dropped it.
                if error.code != _INDEX_NOT_FOUND:
                    raise

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        if not ids:
            return {}
        rows = await self._rows({"_id": {"$in": list(ids)}}, len(ids))
        return {row["_id"]: record(row) for row in rows}

    async def _rows(self, condition: Fields, limit: int, **options: Any) -> list[Fields]:
        """Find at most `limit` documents, in one batch."""
        cursor = self._records.find(condition, limit=limit, **{"projection": PROJECTION, **options})
        async with self._database.operation():
            return await cursor.batch_size(limit).to_list(limit)

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        outcomes = [SaveOutcome.SAVED] * len(writes)
        for indexes in split_into_rounds(writes):
            for index, outcome in (await self._save_round([writes[index] for index in indexes])).items():
                outcomes[indexes[index]] = outcome
        saved = [write for write, outcome in zip(writes, outcomes, strict=True) if outcome is SaveOutcome.SAVED]
        self._mapping.on_saved(saved)
        self._feed.on_saved(saved)
        return outcomes

    async def _save_round(self, writes: Sequence[Write]) -> dict[int, SaveOutcome]:
        """Save writes; return the outcomes of those that failed, by index."""
        async with self._database.operation():
            try:
                await self._records.bulk_write([self._mapping.update(write) for write in writes], ordered=False)
            except BulkWriteError as error:
                return _failed_outcomes(error)
        return {}

    async def find(self, query: RecordQuery) -> RecordPage:
        return await self._paginator.page(query)

    async def find_one(self, column: str, value: Scalar) -> StateRecord | None:
        rows = await self._rows({self._mapping.check_column(column): value}, 1)
        return record(rows[0]) if rows else None

    async def greatest(self, column: str, prefix: str) -> str | None:
        name = self._mapping.check_column(column)
        wanted = {name: {"$gte": prefix, "$lt": prefix + "\U0010ffff"}}
        rows = await self._rows(wanted, 1, projection={name: 1, "_id": 0}, sort=[(name, -1)])
        return str(rows[0][name]) if rows else None

    async def count(self, query: RecordQuery) -> int:
        return await self._paginator.count(query)

    async def bounded_count(self, query: RecordQuery, before: tuple[Scalar, str] | None = None) -> BoundedCount:
        return await self._paginator.bounded_count(query, before)

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        rows = await self._rows({"_id": {"$gt": after}}, limit, projection={"_id": 1}, sort=[("_id", 1)])
        return [row["_id"] for row in rows]

    async def complete_search(self, progress: Progress) -> None:
        if self._paginator.words is not None:
            await self._paginator.words.complete(progress)

    async def forget_overwritten(self, since: datetime | None = None) -> None:
        now = await self._database.time()
        since = since or await self._examined_since()
        wanted, change = self._mapping.overwritten(since), {"$set": {COLUMNS_VERSION: None}}
        async with self._database.operation():
            await self._records.update_many(wanted, change, hint="change" if since else None)
        async with self._database.operation():
            examined = {"$set": {EXAMINED: now}}
            await self._beats.update_one({"_id": self._mapping.service}, examined, upsert=True)

    async def _examined_since(self) -> datetime | None:
        """Return since when records must be examined, None for all: those before were examined by an earlier process."""
        async with self._database.operation():
            row = await self._beats.find_one({"_id": self._mapping.service, EXAMINED: {"$exists": True}})
        return row[EXAMINED].as_datetime() - EXAMINED_OVERLAP if row else None

    async def due(self, now: datetime, limit: int) -> list[str]:
        wanted = {"due_at": {**IS_DUE, "$lte": now.timestamp()}}
        rows = await self._rows(wanted, limit, projection={"_id": 1}, sort=[("due_at", 1), ("_id", 1)])
        return [row["_id"] for row in rows]

    async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
        subject = after[0] if after else ""
        wanted = {"_id": {"$gte": subject}, **HAS_OUTBOX}
        # One more document than entries, because all entries of the first may precede `after`.
        rows = await self._rows(wanted, limit + 1, projection={OUTBOX: 1}, sort=[("_id", 1)])
        entries = [entry for row in rows for entry in to_outbox_entries(row)]
        known = [index for index, entry in enumerate(entries) if (entry.subject, entry.event_id) == after]
        # If this entry was removed meanwhile, its document is read from the start, which only repeats events.
        return entries[known[0] + 1 if known else 0 :][:limit]

    async def unpublished_of(self, subjects: Sequence[str]) -> list[OutboxEntry]:
        wanted = {"_id": {"$in": list(subjects)}, **HAS_OUTBOX}
        rows = await self._rows(wanted, len(subjects), projection={OUTBOX: 1}) if subjects else []
        return [entry for row in rows for entry in to_outbox_entries(row)]

    async def remove_published(self, event_ids: Sequence[str]) -> None:
        for start in range(0, len(event_ids), MAX_EVENTS_PER_UPDATE):
            published = {"$in": list(event_ids[start : start + MAX_EVENTS_PER_UPDATE])}
            # The condition on the id makes the server use the index of documents with an outbox.
            wanted = {"$and": [{"_id": {"$gte": ""}}, HAS_OUTBOX, {"outbox.id": published}]}
            async with self._database.operation():
                await self._records.update_many(wanted, {"$pull": {OUTBOX: {"id": published}}})

    async def changes(self, after: str, limit: int) -> list[StateChange]:
        return await self._feed.changes(after, limit)

    async def latest_change(self) -> str:
        return await self._feed.latest()

    async def wait_for_change(self, after: str, timeout: float) -> None:
        await self._feed.wait_for_change(after, timeout)

    async def park(self, dead_letters: Sequence[DeadLetter], *, only_if_blocked: bool = False) -> bool:
        return await self._letters.park(dead_letters, only_if_blocked=only_if_blocked)

    async def parked_subjects(self) -> set[str]:
        return await self._letters.subjects()

    async def count_parked(self) -> int:
        return await self._letters.count()

    async def dead_letters(
        self, *, subject: str | None = None, states: Sequence[str] = ("parked",)
    ) -> list[DeadLetter]:
        return await self._letters.find(subject, states)

    async def first_parked(self, reason: str) -> list[DeadLetter]:
        return await self._letters.first_parked(reason)

    async def record_attempt(self, dead_letter_id: str, reason: str) -> None:
        await self._letters.record_attempt(dead_letter_id, reason)

    async def resolve(self, dead_letter_id: str, *, discarded: bool) -> None:
        if discarded:
            await self._letters.discard(dead_letter_id, self._clock())
        else:
            await self._letters.remove(dead_letter_id)

    async def ready(self) -> None:
        async with self._database.operation():
            await self._beats.update_one({"_id": self._mapping.service}, {"$inc": {"beats": 1}}, upsert=True)


def _failed_outcomes(error: BulkWriteError) -> dict[int, SaveOutcome]:
    """Return the outcomes of failed writes by index. Raises StoreUnavailable if one is unknown or may be rolled back."""
    if error.details["writeConcernErrors"]:
        raise StoreUnavailable(str(error.details["writeConcernErrors"])[:300]) from error
    outcomes: dict[int, SaveOutcome] = {}
    for write_error in error.details["writeErrors"]:
        outcome = outcome_of(write_error)
        if outcome is None:
            raise error
        outcomes[write_error["index"]] = outcome
    return outcomes
