"""The office store in MongoDB, shared by all processes of all services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.office.port import EntryConflict, OfficeEntry, check_collection
from shared.storage.mongo.client import Fields, MongoDatabase

LAST_CODE_POINT = chr(0x10FFFF)
MAX_ATTEMPTS = 5
"""Tries of a write that meets others which add or remove the same entry."""


class MongoOfficeStore:
    """OfficeStore in MongoDB; the body is JSON text, so that its names may contain dots and dollar signs."""

    def __init__(self, database: MongoDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._collection = database.collection("office")

    async def prepare(self) -> None:
        # The server removes what has expired within about a minute; until then, reads leave it out.
        expiring = IndexModel([("expires_at", ASCENDING)], name="expiring", expireAfterSeconds=0)
        async with self._database.operation():
            await self._collection.create_indexes([expiring])

    async def get(self, collection: str, key: str) -> OfficeEntry | None:
        async with self._database.operation():
            row = await self._collection.find_one({"_id": _id(collection, key), **self._not_expired()})
        return _entry(row) if row else None

    async def put(
        self,
        collection: str,
        key: str,
        body: Mapping[str, Any],
        *,
        expected: int | None = None,
        expires_at: datetime | None = None,
    ) -> OfficeEntry:
        values = {"body": json.dumps(body), "expires_at": expires_at}
        for attempt in range(MAX_ATTEMPTS):
            try:
                return await self._put_once(_id(collection, key), values, expected)
            except DuplicateKeyError:
                # Without an expected version another writer added the entry meanwhile, so it can be updated now.
                if expected is not None or attempt == MAX_ATTEMPTS - 1:
                    raise EntryConflict(f"{collection}/{key}") from None
        raise AssertionError("unreachable")

    async def _put_once(self, entry_id: str, values: Fields, expected: int | None) -> OfficeEntry:
        """Store an entry. Raises EntryConflict, DuplicateKeyError."""
        async with self._database.operation():
            await self._collection.delete_one({"_id": entry_id, "expires_at": {"$lte": self._clock()}})
            row = await self._collection.find_one_and_update(
                {"_id": entry_id} if expected is None else {"_id": entry_id, "version": expected},
                {"$set": values, "$inc": {"version": 1}},
                upsert=not expected,
                return_document=ReturnDocument.AFTER,
            )
        if row is None:
            raise EntryConflict(entry_id)
        return _entry(row)

    async def entries(self, collection: str, prefix: str = "") -> list[OfficeEntry]:
        first = _id(collection, prefix)
        return await self._find({"_id": {"$gte": first, "$lt": first + LAST_CODE_POINT}, **self._not_expired()})

    async def delete(self, collection: str, key: str, *, expected: int | None = None) -> bool:
        entry_id = _id(collection, key)
        wanted = {"_id": entry_id, **self._not_expired()}
        async with self._database.operation():
            deleted = await self._collection.delete_one(wanted if expected is None else {**wanted, "version": expected})
            if deleted.deleted_count:
                return True
            if expected is not None and await self._collection.find_one(wanted):
                raise EntryConflict(entry_id)
        return False

    async def all_entries(self) -> list[OfficeEntry]:
        return await self._find({"expires_at": None})

    async def unreadable_entries(self) -> list[str]:
        async with self._database.operation():
            rows = await self._collection.find({}, {"body": True}, sort=[("_id", ASCENDING)]).to_list(None)
        return [row["_id"] for row in rows if not _is_object(row.get("body"))]

    async def _find(self, wanted: Fields) -> list[OfficeEntry]:
        async with self._database.operation():
            rows = await self._collection.find(wanted, sort=[("_id", ASCENDING)]).to_list(None)
        return [_entry(row) for row in rows]

    def _not_expired(self) -> Fields:
        return {"$or": [{"expires_at": None}, {"expires_at": {"$gt": self._clock()}}]}


def _is_object(text: object) -> bool:
    try:
        return isinstance(text, str) and isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _id(collection: str, key: str) -> str:
    return f"{check_collection(collection)}/{key}"


def _entry(row: Mapping[str, Any]) -> OfficeEntry:
    collection, _, key = row["_id"].partition("/")
    expires_at = row.get("expires_at")
    return OfficeEntry(
        collection, key, row["version"], json.loads(row["body"]), expires_at and expires_at.replace(tzinfo=UTC)
    )
