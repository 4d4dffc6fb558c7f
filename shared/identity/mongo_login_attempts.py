"""Tries counted in MongoDB: one document per key, which counts and refuses in one atomic step; and what succeeded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument

from shared.identity.accounts import LOGIN_SUCCESS_TTL
from shared.storage.mongo.client import Fields, MongoDatabase

ATTEMPT_TTL_SECONDS = 24 * 60 * 60
"""Seconds after its last try in which a key is forgotten, by the server's clock, which need not be that of the tries."""
SUCCESS_TTL_SECONDS = int(2 * LOGIN_SUCCESS_TTL.total_seconds())
"""The same for what succeeded."""


class MongoLoginAttempts:
    """Times are seconds of the epoch."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database, self._attempts = database, database.collection("tries")
        self._successes = database.collection("sign_in_successes")

    async def prepare(self) -> None:
        async with self._database.operation():
            await self._attempts.create_indexes(
                [IndexModel([("touched_at", ASCENDING)], expireAfterSeconds=ATTEMPT_TTL_SECONDS)]
            )
            await self._successes.create_indexes(
                [IndexModel([("touched_at", ASCENDING)], expireAfterSeconds=SUCCESS_TTL_SECONDS)]
            )

    async def count(self, limits: Mapping[str, int], at: float, since: float) -> float | None:
        """None if it was counted, else the time of the try that has to grow old first."""
        async with self._database.operation():
            rows = await self._attempts.find({"_id": {"$in": list(limits)}}).to_list(None)
        blocking = [
            blocker for row in rows if (blocker := _blocking_attempt(row, limits[row["_id"]], since)) is not None
        ]
        return max(blocking) if blocking else await self._count(limits, at, since)

    async def _count(self, limits: Mapping[str, int], at: float, since: float) -> float | None:
        """One key after the other; if others filled one of them meanwhile, what was counted before it is taken back."""
        counted: list[str] = []
        for key, limit in limits.items():
            async with self._database.operation():
                before = await self._attempts.find_one_and_update(
                    {"_id": key}, _append_attempt(limit, at, since), upsert=True, return_document=ReturnDocument.BEFORE
                )
            if (blocker := _blocking_attempt(before or {}, limit, since)) is not None:
                for earlier in counted:
                    await self.undo(earlier, at)
                return blocker
            counted.append(key)
        return None

    async def clear(self, key: str) -> None:
        async with self._database.operation():
            await self._attempts.delete_one({"_id": key})

    async def undo(self, key: str, at: float) -> None:
        """Blank one of the tries at this time; the next count leaves the blank out."""
        async with self._database.operation():
            await self._attempts.update_one({"_id": key, "at": at}, {"$set": {"at.$": None}})

    async def record_success(self, key: str, at: float) -> None:
        latest: Fields = {"$set": {"at": {"$max": ["$at", at]}, "touched_at": "$$NOW"}}
        async with self._database.operation():
            await self._successes.update_one({"_id": key}, [latest], upsert=True)

    async def succeeded(self, key: str, since: float) -> bool:
        async with self._database.operation():
            return await self._successes.find_one({"_id": key, "at": {"$gte": since}}) is not None


def _blocking_attempt(row: Mapping[str, Any], limit: int, since: float) -> float | None:
    recent = sorted((at for at in row.get("at", ()) if at is not None and at >= since), reverse=True)
    return float(recent[limit - 1]) if len(recent) >= limit else None


def _append_attempt(limit: int, at: float, since: float) -> list[Fields]:
    """One more try, unless as many as the limit are there already. Kept is twice as long as counted: clocks may differ."""
    attempts: Fields = {"$ifNull": ["$at", []]}
    full = {"$gte": [{"$size": _at_or_after(attempts, since)}, limit]}
    more = {"$concatArrays": [_at_or_after(attempts, 2 * since - at), [at]]}
    return [{"$set": {"at": {"$cond": [full, attempts, more]}, "touched_at": "$$NOW"}}]


def _at_or_after(attempts: Fields, time: float) -> Fields:
    return {"$filter": {"input": attempts, "cond": {"$gte": ["$$this", time]}}}
