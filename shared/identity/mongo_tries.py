"""Tries counted in MongoDB: one document per key, which counts and refuses in one atomic step; and what succeeded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument

from shared.identity.accounts import SUCCESS_REMEMBERED_FOR
from shared.storage.mongo_client import Fields, MongoDatabase

KEPT = 24 * 60 * 60
"""Seconds after its last try in which a key is forgotten, by the server's clock, which need not be that of the tries."""
REMEMBERED = int(2 * SUCCESS_REMEMBERED_FOR.total_seconds())
"""The same for what succeeded."""


class Tries:
    """Times are seconds of the epoch."""

    def __init__(self, database: MongoDatabase):
        self._database, self._tries = database, database.collection("tries")
        self._successes = database.collection("sign_in_successes")

    async def prepare(self) -> None:
        async with self._database.asking():
            await self._tries.create_indexes([IndexModel([("touched_at", ASCENDING)], expireAfterSeconds=KEPT)])
            await self._successes.create_indexes(
                [IndexModel([("touched_at", ASCENDING)], expireAfterSeconds=REMEMBERED)]
            )

    async def count(self, limits: Mapping[str, int], at: float, since: float) -> float | None:
        """None if it was counted, else the time of the try that has to grow old first."""
        async with self._database.asking():
            rows = await self._tries.find({"_id": {"$in": list(limits)}}).to_list(None)
        waits = [wait for row in rows if (wait := _full(row, limits[row["_id"]], since)) is not None]
        return max(waits) if waits else await self._count(limits, at, since)

    async def _count(self, limits: Mapping[str, int], at: float, since: float) -> float | None:
        """One key after the other; if others filled one of them meanwhile, what was counted before it is taken back."""
        counted: list[str] = []
        for key, limit in limits.items():
            async with self._database.asking():
                before = await self._tries.find_one_and_update(
                    {"_id": key}, _one_more(limit, at, since), upsert=True, return_document=ReturnDocument.BEFORE
                )
            if (wait := _full(before or {}, limit, since)) is not None:
                for earlier in counted:
                    await self.take_back(earlier, at)
                return wait
            counted.append(key)
        return None

    async def forget(self, key: str) -> None:
        async with self._database.asking():
            await self._tries.delete_one({"_id": key})

    async def take_back(self, key: str, at: float) -> None:
        """Blank one of the tries at this time; the next count leaves the blank out."""
        async with self._database.asking():
            await self._tries.update_one({"_id": key, "at": at}, {"$set": {"at.$": None}})

    async def remember_success(self, key: str, at: float) -> None:
        latest: Fields = {"$set": {"at": {"$max": ["$at", at]}, "touched_at": "$$NOW"}}
        async with self._database.asking():
            await self._successes.update_one({"_id": key}, [latest], upsert=True)

    async def succeeded(self, key: str, since: float) -> bool:
        async with self._database.asking():
            return await self._successes.find_one({"_id": key, "at": {"$gte": since}}) is not None


def _full(row: Mapping[str, Any], limit: int, since: float) -> float | None:
    recent = sorted((at for at in row.get("at", ()) if at is not None and at >= since), reverse=True)
    return float(recent[limit - 1]) if len(recent) >= limit else None


def _one_more(limit: int, at: float, since: float) -> list[Fields]:
    """One more try, unless as many as the limit are there already. Kept is twice as long as counted: clocks may differ."""
    tries: Fields = {"$ifNull": ["$at", []]}
    full = {"$gte": [{"$size": _not_before(tries, since)}, limit]}
    more = {"$concatArrays": [_not_before(tries, 2 * since - at), [at]]}
    return [{"$set": {"at": {"$cond": [full, tries, more]}, "touched_at": "$$NOW"}}]


def _not_before(tries: Fields, time: float) -> Fields:
    return {"$filter": {"input": tries, "cond": {"$gte": ["$$this", time]}}}
