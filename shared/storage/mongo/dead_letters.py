"""Dead letters in MongoDB: one document each, in the order of the times that the server assigned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bson import Timestamp
from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError

from shared.storage.mongo.client import Collection, Fields, MongoDatabase
from shared.storage.port import DeadLetter, StoreUnavailable

_DUPLICATE = 11000
PARKED = {"state": "parked"}
# The server replaces this by its own time, which is later than all earlier ones.
_NEXT = Timestamp(0, 0)


class DeadLetterCollection:
    """The dead letters of one service."""

    def __init__(self, database: MongoDatabase, dead_letters: Collection, service: str) -> None:
        self._database, self._dead_letters, self._service = database, dead_letters, service

    async def prepare(self) -> None:
        keys = [("subject", ASCENDING), ("place", ASCENDING)]
        indexes = [
            IndexModel(keys, name="parked", partialFilterExpression=PARKED),
            IndexModel([("place", ASCENDING)], name="place"),
        ]
        async with self._database.operation():
            await self._dead_letters.create_indexes(indexes)

    async def park(self, dead_letters: Sequence[DeadLetter], *, only_if_blocked: bool = False) -> bool:
        """Store dead letters; those behind a dead letter that was resolved meanwhile are removed again if still there."""
        if only_if_blocked and not await self._is_blocked(dead_letters[0].subject, ()):
            return False
        added = await self._add(dead_letters)
        if not only_if_blocked or not added or await self._is_blocked(dead_letters[0].subject, added):
            return True
        async with self._database.operation():
            removed = await self._dead_letters.delete_many({"_id": {"$in": added}, **PARKED})
        # One that is gone was folded by a replay, so it did wait.
        return removed.deleted_count < len(added)

    async def _is_blocked(self, subject: str, added: Sequence[str]) -> bool:
        """Return whether the subject has parked dead letters besides those just added."""
        async with self._database.operation():
            found = await self._dead_letters.find_one(
                {"subject": subject, **PARKED, "_id": {"$nin": list(added)}}, {"_id": 1}
            )
        return found is not None

    async def _add(self, dead_letters: Sequence[DeadLetter]) -> list[str]:
        """Insert dead letters; return the ids of those that did not exist."""
        present: set[int] = set()
        async with self._database.operation():
            try:
                await self._dead_letters.insert_many(
                    [_fields(dead_letter) for dead_letter in dead_letters], ordered=False
                )
            except BulkWriteError as error:
                present = {one["index"] for one in error.details["writeErrors"] if one["code"] == _DUPLICATE}
                if error.details["writeConcernErrors"] or len(present) < len(error.details["writeErrors"]):
                    raise StoreUnavailable(str(error)[:300]) from error
        return [dead_letter.id for index, dead_letter in enumerate(dead_letters) if index not in present]

    async def subjects(self) -> set[str]:
        async with self._database.operation():
            return set(await self._dead_letters.distinct("subject", PARKED))

    async def count(self) -> int:
        async with self._database.operation():
            return int(await self._dead_letters.count_documents(PARKED))

    async def find(self, subject: str | None, states: Sequence[str]) -> list[DeadLetter]:
        wanted: Fields = {"state": {"$in": list(states)}}
        if subject is not None:
            wanted["subject"] = subject
        async with self._database.operation():
            rows = await self._dead_letters.find(wanted, sort=[("place", 1)]).to_list(None)
        return [self._letter(row) for row in rows]

    async def first_parked(self, reason: str) -> list[DeadLetter]:
        """Return the first parked dead letters with this reason; an index finds the first, so that only these are read."""
        first = {"_id": "$subject", "place": {"$first": "$place"}}
        steps: list[Fields] = [{"$match": PARKED}, {"$sort": {"subject": 1, "place": 1}}, {"$group": first}]
        async with self._database.operation():
            places = [row["place"] async for row in self._dead_letters.aggregate(steps, hint="parked")]
            wanted = {"place": {"$in": places}, "reason": reason, **PARKED}
            rows = await self._dead_letters.find(wanted, sort=[("place", 1)]).to_list(None)
        return [self._letter(row) for row in rows]

    async def record_attempt(self, dead_letter_id: str, reason: str) -> None:
        change = {"$inc": {"tries": 1}, "$set": {"reason": reason}}
        async with self._database.operation():
            await self._dead_letters.update_one({"_id": dead_letter_id, **PARKED}, change)

    async def discard(self, dead_letter_id: str, now: datetime) -> None:
        change = {"$set": {"state": "discarded", "settled_at": now.timestamp()}}
        async with self._database.operation():
            await self._dead_letters.update_one({"_id": dead_letter_id, **PARKED}, change)

    async def remove(self, dead_letter_id: str) -> None:
        async with self._database.operation():
            await self._dead_letters.delete_one({"_id": dead_letter_id, **PARKED})

    def _letter(self, row: Fields) -> DeadLetter:
        return DeadLetter(
            id=row["_id"],
            service=self._service,
            subject=row["subject"],
            position=row["position"],
            event=row["event"],
            reason=row["reason"],
            tries=row["tries"],
            parked_at=datetime.fromtimestamp(row["parked_at"], UTC),
            state=row["state"],
        )


def _fields(dead_letter: DeadLetter) -> Fields:
    return {
        "_id": dead_letter.id,
        "place": _NEXT,
        "subject": dead_letter.subject,
        "position": dead_letter.position,
        "event": dead_letter.event,
        "reason": dead_letter.reason,
        "tries": dead_letter.tries,
        "parked_at": dead_letter.parked_at.timestamp(),
        "state": dead_letter.state,
    }
