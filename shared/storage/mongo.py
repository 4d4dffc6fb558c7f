"""The state store on MongoDB: one document per request, saved by compare-and-set on its version together with its outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo.errors import BulkWriteError

from shared.clock import Clock
from shared.storage.mongo_changes import Feed
from shared.storage.mongo_client import Fields, MongoDatabase
from shared.storage.mongo_documents import DOCUMENT, DUE, OUTBOX, WAITING, Shape, document, entries, outcome, waves
from shared.storage.mongo_find import Lister
from shared.storage.mongo_letters import Letters
from shared.storage.port import (
    COLUMNS_VERSION,
    Change,
    Column,
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

AT_ONCE = 1_000
"""Published events that are taken out of the outboxes in one command."""


class MongoStateStore:
    """The StateStore of one service; `clock` dates the settling of dead letters."""

    def __init__(self, database: MongoDatabase, service: str, columns: Sequence[Column], clock: Clock):
        self._database, self._clock = database, clock
        self._shape = Shape(service, columns)
        self._documents = database.collection(self._shape.documents)
        self._beats = database.collection("beats")
        self._lister = Lister(database, self._documents, columns)
        self._letters = Letters(database, database.collection(self._shape.letters), service)
        self._feed = database.shared(self._shape.documents, lambda: Feed(database, self._documents))

    async def prepare(self) -> None:
        async with self._database.asking():
            await self._documents.create_indexes(self._shape.indexes())
        await self._letters.prepare()

    async def load(self, ids: Sequence[str]) -> dict[str, Document]:
        if not ids:
            return {}
        rows = await self._rows({"_id": {"$in": list(ids)}}, len(ids))
        return {row["_id"]: document(row) for row in rows}

    async def _rows(self, wanted: Fields, limit: int, **how: Any) -> list[Fields]:
        """At most that many, in one answer."""
        cursor = self._documents.find(wanted, limit=limit, **{"projection": DOCUMENT, **how})
        async with self._database.asking():
            return await cursor.batch_size(limit).to_list(limit)

    async def save(self, writes: Sequence[Write]) -> list[Saved]:
        outcomes = [Saved.SAVED] * len(writes)
        for places in waves(writes):
            for place, lost in (await self._save([writes[place] for place in places])).items():
                outcomes[places[place]] = lost
        self._feed.saved([write for write, one in zip(writes, outcomes, strict=True) if one is Saved.SAVED])
        return outcomes

    async def _save(self, writes: Sequence[Write]) -> dict[int, Saved]:
        """What became of those that were not saved, by their place. Every write that loses is an error of its own."""
        async with self._database.asking():
            try:
                await self._documents.bulk_write([self._shape.update(write) for write in writes], ordered=False)
            except BulkWriteError as error:
                return _lost(error)
        return {}

    async def find(self, find: Find) -> Found:
        return await self._lister.page(find)

    async def find_one(self, column: str, value: Scalar) -> Document | None:
        rows = await self._rows({self._shape.known(column): value}, 1)
        return document(rows[0]) if rows else None

    async def greatest(self, column: str, prefix: str) -> str | None:
        name = self._shape.known(column)
        wanted = {name: {"$gte": prefix, "$lt": prefix + "\U0010ffff"}}
        rows = await self._rows(wanted, 1, projection={name: 1, "_id": 0}, sort=[(name, -1)])
        return str(rows[0][name]) if rows else None

    async def count(self, find: Find) -> int:
        async with self._database.asking():
            return await self._documents.count_documents(self._lister.filter(find))

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        rows = await self._rows({"_id": {"$gt": after}}, limit, projection={"_id": 1}, sort=[("_id", 1)])
        return [row["_id"] for row in rows]

    async def forget_overwritten(self, since: datetime | None = None) -> None:
        wanted, change = self._shape.overwritten(since), {"$set": {COLUMNS_VERSION: None}}
        async with self._database.asking():
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
        waiting = [entry for row in rows for entry in entries(row)]
        known = [place for place, entry in enumerate(waiting) if (entry.subject, entry.event_id) == after]
        # One that was published meanwhile is no place to go on from: begin its document again, which only repeats events.
        return waiting[known[0] + 1 if known else 0 :][:limit]

    async def unpublished_of(self, subjects: Sequence[str]) -> list[OutboxEntry]:
        wanted = {"_id": {"$in": list(subjects)}, **WAITING}
        rows = await self._rows(wanted, len(subjects), projection={OUTBOX: 1}) if subjects else []
        return [entry for row in rows for entry in entries(row)]

    async def published(self, event_ids: Sequence[str]) -> None:
        for start in range(0, len(event_ids), AT_ONCE):
            gone = {"$in": list(event_ids[start : start + AT_ONCE])}
            # Said of the id too, so that the index of the documents that have an outbox is followed.
            wanted = {"$and": [{"_id": {"$gte": ""}}, WAITING, {"outbox.id": gone}]}
            async with self._database.asking():
                await self._documents.update_many(wanted, {"$pull": {OUTBOX: {"id": gone}}})

    async def changes(self, after: str, limit: int) -> list[Change]:
        return await self._feed.changes(after, limit)

    async def latest_change(self) -> str:
        return await self._feed.latest()

    async def wait_for_change(self, after: str, timeout: float) -> None:
        await self._feed.wait(after, timeout)

    async def park(self, letters: Sequence[DeadLetter], *, only_behind: bool = False) -> bool:
        return await self._letters.park(letters, only_behind=only_behind)

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

    async def tried(self, letter_id: str, reason: str) -> None:
        await self._letters.tried(letter_id, reason)

    async def settle(self, letter_id: str, *, discarded: bool) -> None:
        if discarded:
            await self._letters.discard(letter_id, self._clock())
        else:
            await self._letters.remove(letter_id)

    async def ready(self) -> None:
        async with self._database.asking():
            await self._beats.update_one({"_id": self._shape.service}, {"$inc": {"beats": 1}}, upsert=True)


def _lost(error: BulkWriteError) -> dict[int, Saved]:
    """Raises StoreUnavailable if of any write it is not known what became of it, or whether it will stay."""
    if error.details["writeConcernErrors"]:
        raise StoreUnavailable(str(error.details["writeConcernErrors"])[:300]) from error
    lost: dict[int, Saved] = {}
    for one in error.details["writeErrors"]:
        saved = outcome(one)
        if saved is None:
            raise error
        lost[one["index"]] = saved
    return lost
