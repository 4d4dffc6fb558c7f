"""Dead letters in MongoDB: one document each, in the order of the times that the server gave them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bson import Timestamp
from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError

from shared.storage.mongo_client import Collection, Fields, MongoDatabase
from shared.storage.port import DeadLetter, StoreUnavailable

_DUPLICATE = 11000
PARKED = {"state": "parked"}
# The server puts its own time, later than every one before, in the place of this one.
_NEXT = Timestamp(0, 0)


class Letters:
    """The dead letters of one service."""

    def __init__(self, database: MongoDatabase, letters: Collection, service: str):
        self._database, self._letters, self._service = database, letters, service

    async def prepare(self) -> None:
        keys = [("subject", ASCENDING), ("place", ASCENDING)]
        indexes = [
            IndexModel(keys, name="parked", partialFilterExpression=PARKED),
            IndexModel([("place", ASCENDING)], name="place"),
        ]
        async with self._database.asking():
            await self._letters.create_indexes(indexes)

    async def park(self, letters: Sequence[DeadLetter], *, only_behind: bool = False) -> bool:
        """As the port says. What had to wait behind a letter that went meanwhile is taken out again, if it is still there."""
        if only_behind and not await self._waits(letters[0].subject, ()):
            return False
        added = await self._add(letters)
        if not only_behind or not added or await self._waits(letters[0].subject, added):
            return True
        async with self._database.asking():
            removed = await self._letters.delete_many({"_id": {"$in": added}, **PARKED})
        # One that is gone was met by a replay, which folds it: it did wait.
        return removed.deleted_count < len(added)

    async def _waits(self, subject: str, added: Sequence[str]) -> bool:
        """Whether the subject has a parked letter besides those just added."""
        async with self._database.asking():
            found = await self._letters.find_one(
                {"subject": subject, **PARKED, "_id": {"$nin": list(added)}}, {"_id": 1}
            )
        return found is not None

    async def _add(self, letters: Sequence[DeadLetter]) -> list[str]:
        """The ids of those that were not there."""
        present: set[int] = set()
        async with self._database.asking():
            try:
                await self._letters.insert_many([_fields(letter) for letter in letters], ordered=False)
            except BulkWriteError as error:
                present = {one["index"] for one in error.details["writeErrors"] if one["code"] == _DUPLICATE}
                if error.details["writeConcernErrors"] or len(present) < len(error.details["writeErrors"]):
                    raise StoreUnavailable(str(error)[:300]) from error
        return [letter.id for index, letter in enumerate(letters) if index not in present]

    async def subjects(self) -> set[str]:
        async with self._database.asking():
            return set(await self._letters.distinct("subject", PARKED))

    async def count(self) -> int:
        async with self._database.asking():
            return int(await self._letters.count_documents(PARKED))

    async def listed(self, subject: str | None, states: Sequence[str]) -> list[DeadLetter]:
        wanted: Fields = {"state": {"$in": list(states)}}
        if subject is not None:
            wanted["subject"] = subject
        async with self._database.asking():
            rows = await self._letters.find(wanted, sort=[("place", 1)]).to_list(None)
        return [self._letter(row) for row in rows]

    async def first_parked(self, reason: str) -> list[DeadLetter]:
        """As the port says; the index tells which are the first, and only the wanted ones are read as a whole."""
        first = {"_id": "$subject", "place": {"$first": "$place"}}
        steps: list[Fields] = [{"$match": PARKED}, {"$sort": {"subject": 1, "place": 1}}, {"$group": first}]
        async with self._database.asking():
            places = [row["place"] async for row in self._letters.aggregate(steps, hint="parked")]
            wanted = {"place": {"$in": places}, "reason": reason, **PARKED}
            rows = await self._letters.find(wanted, sort=[("place", 1)]).to_list(None)
        return [self._letter(row) for row in rows]

    async def tried(self, letter_id: str, reason: str) -> None:
        change = {"$inc": {"tries": 1}, "$set": {"reason": reason}}
        async with self._database.asking():
            await self._letters.update_one({"_id": letter_id, **PARKED}, change)

    async def discard(self, letter_id: str, now: datetime) -> None:
        change = {"$set": {"state": "discarded", "settled_at": now.timestamp()}}
        async with self._database.asking():
            await self._letters.update_one({"_id": letter_id, **PARKED}, change)

    async def remove(self, letter_id: str) -> None:
        async with self._database.asking():
            await self._letters.delete_one({"_id": letter_id, **PARKED})

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


def _fields(letter: DeadLetter) -> Fields:
    return {
        "_id": letter.id,
        "place": _NEXT,
        "subject": letter.subject,
        "position": letter.position,
        "event": letter.event,
        "reason": letter.reason,
        "tries": letter.tries,
        "parked_at": letter.parked_at.timestamp(),
        "state": letter.state,
    }
