"""The state store on MongoDB: one document per request, saved by compare-and-set on its version together with its outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo.errors import BulkWriteError

from shared.clock import Clock
from shared.storage.mongo.change_feed import ChangeFeed
from shared.storage.mongo.client import Fields, MongoDatabase
from shared.storage.mongo.dead_letters import DeadLetterCollection
from shared.storage.mongo.mapping import (
    DOCUMENT,
    DUE,
    OUTBOX,
    WAITING,
    RecordMapping,
    in_rounds,
    outbox_entries,
    outcome_of,
    record,
)
from shared.storage.mongo.queries import KeysetPaginator
from shared.storage.port import (
    COLUMNS_VERSION,
    Column,
    DeadLetter,
    OutboxEntry,
    RecordPage,
    RecordQuery,
    SaveOutcome,
    Scalar,
    StateChange,
    StateRecord,
    StoreUnavailable,
    Write,
)

MAX_EVENTS_PER_UPDATE = 1_000
"""Published events that are taken out of the outboxes in one command."""


class MongoStateStore:
    """The StateStore of one service; `clock` dates the settling of dead letters."""

    def __init__(self, database: MongoDatabase, service: str, columns: Sequence[Column], clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._mapping = RecordMapping(service, columns)
        self._documents = database.collection(self._mapping.records)
        self._beats = database.collection("beats")
        self._paginator = KeysetPaginator(database, self._documents, columns)
        self._letters = DeadLetterCollection(database, database.collection(self._mapping.dead_letters), service)
        self._feed = database.shared(self._mapping.records, lambda: ChangeFeed(database, self._documents))

    async def prepare(self) -> None:
        async with self._database.operation():
            await self._documents.create_indexes(self._mapping.indexes())
        await self._letters.prepare()

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        if not ids:
            return {}
        rows = await self._rows({"_id": {"$in": list(ids)}}, len(ids))
        return {row["_id"]: record(row) for row in rows}

    async def _rows(self, wanted: Fields, limit: int, **how: Any) -> list[Fields]:
        """At most that many, in one answer."""
        cursor = self._documents.find(wanted, limit=limit, **{"projection": DOCUMENT, **how})
        async with self._database.operation():
            return await cursor.batch_size(limit).to_list(limit)

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        outcomes = [SaveOutcome.SAVED] * len(writes)
        for places in in_rounds(writes):
            for place, lost in (await self._save([writes[place] for place in places])).items():
                outcomes[places[place]] = lost
        self._feed.saved([write for write, one in zip(writes, outcomes, strict=True) if one is SaveOutcome.SAVED])
        return outcomes

    async def _save(self, writes: Sequence[Write]) -> dict[int, SaveOutcome]:
        """What became of those that were not saved, by their place. Every write that loses is an error of its own."""
        async with self._database.operation():
            try:
                await self._documents.bulk_write([self._mapping.update(write) for write in writes], ordered=False)
            except BulkWriteError as error:
                return _lost(error)
        return {}

    async def find(self, find: RecordQuery) -> RecordPage:
        return await self._paginator.page(find)

    async def find_one(self, column: str, value: Scalar) -> StateRecord | None:
        rows = await self._rows({self._mapping.known(column): value}, 1)
        return record(rows[0]) if rows else None

    async def greatest(self, column: str, prefix: str) -> str | None:
        name = self._mapping.known(column)
        wanted = {name: {"$gte": prefix, "$lt": prefix + "\U0010ffff"}}
        rows = await self._rows(wanted, 1, projection={name: 1, "_id": 0}, sort=[(name, -1)])
        return str(rows[0][name]) if rows else None

    async def count(self, find: RecordQuery) -> int:
        async with self._database.operation():
            return await self._documents.count_documents(self._paginator.filter(find))

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        rows = await self._rows({"_id": {"$gt": after}}, limit, projection={"_id": 1}, sort=[("_id", 1)])
        return [row["_id"] for row in rows]

    async def forget_overwritten(self, since: datetime | None = None) -> None:
        wanted, change = self._mapping.overwritten(since), {"$set": {COLUMNS_VERSION: None}}
        async with self._database.operation():
            await self._documents.update_many(wanted, change, hint="change" if since else None)

    async def due(self, now: datetime, limit: int) -> list[str]:
        wanted = {"due_at": {**DUE, "$lte": now.timestamp()}}
        rows = await self._rows(wanted, limit, projection={"_id": 1}, sort=[("due_at", 1), ("_id", 1)])
        return [row["_id"] for row in rows]

    async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
        subject = after[0] if after else ""
        wanted = {"_id": {"$gte": subject}, **WAITING}
        # One more document than entries: of the first, all may be known already.
        rows = await self._rows(wanted, limit + 1, projection={OUTBOX: 1}, sort=[("_id", 1)])
        waiting = [entry for row in rows for entry in outbox_entries(row)]
        known = [place for place, entry in enumerate(waiting) if (entry.subject, entry.event_id) == after]
        # One that was published meanwhile is no place to go on from: begin its document again, which only repeats events.
        return waiting[known[0] + 1 if known else 0 :][:limit]

    async def unpublished_of(self, subjects: Sequence[str]) -> list[OutboxEntry]:
        wanted = {"_id": {"$in": list(subjects)}, **WAITING}
        rows = await self._rows(wanted, len(subjects), projection={OUTBOX: 1}) if subjects else []
        return [entry for row in rows for entry in outbox_entries(row)]

    async def remove_published(self, event_ids: Sequence[str]) -> None:
        for start in range(0, len(event_ids), MAX_EVENTS_PER_UPDATE):
            gone = {"$in": list(event_ids[start : start + MAX_EVENTS_PER_UPDATE])}
            # Said of the id too, so that the index of the documents that have an outbox is followed.
            wanted = {"$and": [{"_id": {"$gte": ""}}, WAITING, {"outbox.id": gone}]}
            async with self._database.operation():
                await self._documents.update_many(wanted, {"$pull": {OUTBOX: {"id": gone}}})

    async def changes(self, after: str, limit: int) -> list[StateChange]:
        return await self._feed.changes(after, limit)

    async def latest_change(self) -> str:
        return await self._feed.latest()

    async def wait_for_change(self, after: str, timeout: float) -> None:
        await self._feed.wait(after, timeout)

    async def park(self, dead_letters: Sequence[DeadLetter], *, only_if_blocked: bool = False) -> bool:
        return await self._letters.park(dead_letters, only_if_blocked=only_if_blocked)

    async def parked_subjects(self) -> set[str]:
        return await self._letters.subjects()

    async def count_parked(self) -> int:
        return await self._letters.count()

    async def dead_letters(
        self, *, subject: str | None = None, states: Sequence[str] = ("parked",)
    ) -> list[DeadLetter]:
        return await self._letters.listed(subject, states)

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


def _lost(error: BulkWriteError) -> dict[int, SaveOutcome]:
    """Raises StoreUnavailable if of any write it is not known what became of it, or whether it will stay."""
    if error.details["writeConcernErrors"]:
        raise StoreUnavailable(str(error.details["writeConcernErrors"])[:300]) from error
    lost: dict[int, SaveOutcome] = {}
    for one in error.details["writeErrors"]:
        saved = outcome_of(one)
        if saved is None:
            raise error
        lost[one["index"]] = saved
    return lost
