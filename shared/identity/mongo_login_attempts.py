"""Login attempts in MongoDB: one document per key, which is checked and counted in one atomic update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument

from shared.identity.accounts import LOGIN_SUCCESS_TTL
from shared.storage.mongo.client import Fields, MongoDatabase

ATTEMPT_TTL_SECONDS = 24 * 60 * 60
"""A key expires this long after its last attempt, by the server's clock, which may differ from the clock of the attempts."""
SUCCESS_TTL_SECONDS = int(2 * LOGIN_SUCCESS_TTL.total_seconds())
"""The same for successful sign-ins."""


class MongoLoginAttempts:
    """Counts attempts per key; times are in seconds since the epoch."""

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
        """Count an attempt under each key; if a key is full, return the time of the attempt that must leave the window first."""
        async with self._database.operation():
            rows = await self._attempts.find({"_id": {"$in": list(limits)}}).to_list(None)
        blocking = [
            blocker for row in rows if (blocker := _blocking_attempt(row, limits[row["_id"]], since)) is not None
        ]
        return max(blocking) if blocking else await self._count_each_key(limits, at, since)

    async def _count_each_key(self, limits: Mapping[str, int], at: float, since: float) -> float | None:
        """Count key by key; if a concurrent attempt has filled one, undo those counted before it."""
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
        """Blank one of the attempts at this time; the next count drops the blank."""
        async with self._database.operation():
            await self._attempts.update_one({"_id": key, "at": at}, {"$set": {"at.$": None}})

    async def record_success(self, key: str, at: float) -> None:
        latest: Fields = {"$set": {"at": {"$max": ["$at", at]}, "touched_at": "$$NOW"}}
        async with self._database.operation():
            await self._successes.update_one({"_id": key}, [latest], upsert=True)

    async def has_succeeded(self, key: str, since: float) -> bool:
        async with self._database.operation():
            return await self._successes.find_one({"_id": key, "at": {"$gte": since}}) is not None


def _blocking_attempt(row: Mapping[str, Any], limit: int, since: float) -> float | None:
    recent = sorted((at for at in row.get("at", ()) if at is not None and at >= since), reverse=True)
    return float(recent[limit - 1]) if len(recent) >= limit else None


def _append_attempt(limit: int, at: float, since: float) -> list[Fields]:
    """Append an attempt unless the limit is reached. Attempts are kept for two windows, because clocks may differ."""
    attempts: Fields = {"$ifNull": ["$at", []]}
    full = {"$gte": [{"$size": _at_or_after(attempts, since)}, limit]}
    more = {"$concatArrays": [_at_or_after(attempts, 2 * since - at), [at]]}
    return [{"$set": {"at": {"$cond": [full, attempts, more]}, "touched_at": "$$NOW"}}]


def _at_or_after(attempts: Fields, time: float) -> Fields:
    return {"$filter": {"input": attempts, "cond": {"$gte": ["$$this", time]}}}
