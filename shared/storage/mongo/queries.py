"""Lists by key in MongoDB: conditions, and stretches of one order that each follow an index from the key on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.storage.mongo.client import Collection, Fields, MongoDatabase
from shared.storage.mongo.mapping import DOCUMENT, LEAST, SEARCH, record, to_bson
from shared.storage.port import Column, RecordPage, RecordQuery, Scalar, StateRecord

Key = tuple[Scalar, str]


class KeysetPaginator:
    """Makes and runs the lists of one collection."""

    def __init__(self, database: MongoDatabase, records: Collection, columns: Sequence[Column]) -> None:
        self._database, self._documents = database, records
        self._kinds = {"id": "text", **{column.name: column.kind for column in columns}}

    async def page(self, find: RecordQuery) -> RecordPage:
        rows = await self._run(find, find.limit + 1)
        more, rows = len(rows) > find.limit, rows[: find.limit]
        other = await self._other_side(find, rows)
        if find.before is not None:
            rows.reverse()
            more, other = other, more
        return RecordPage(tuple(one for _, one in rows), tuple(key for key, _ in rows), more, other)

    async def _other_side(self, find: RecordQuery, rows: Sequence[tuple[Key, StateRecord]]) -> bool:
        """Whether anything matches on the side that the list came from."""
        if find.after is None and find.before is None:
            return False
        edge = rows[0][0] if rows else None
        backwards = find.before is not None
        reversed_query = replace(find, after=edge if backwards else None, before=None if backwards else edge)
        return bool(await self._run(reversed_query, 1))

    async def _run(self, find: RecordQuery, limit: int) -> list[tuple[Key, StateRecord]]:
        field = self._field(find.order)
        rows: list[Fields] = []
        for condition in self.filters_beyond(find):
            if (rest := limit - len(rows)) > 0:
                cursor = self._documents.find(condition, {**DOCUMENT, field: 1}, sort=self.order(find), limit=rest)
                async with self._database.operation():
                    rows += await cursor.batch_size(rest).to_list(rest)
        return [((row.get(field), row["_id"]), record(row)) for row in rows]

    def order(self, find: RecordQuery) -> list[tuple[str, int]]:
        direction = 1 if _is_ascending(find) else -1
        return [(name, direction) for name in dict.fromkeys((self._field(find.order), "_id"))]

    def filters_beyond(self, find: RecordQuery) -> list[Fields]:
        """Filters for the rest of the order beyond the key, the nearest first.

        A document without the value comes before all that have it; that stretch is asked for apart, because no comparison
        reaches from values to their absence.
        """
        field, conditions = self._field(find.order), self._conditions(find)
        key, ascending = find.after if find.before is None else find.before, _is_ascending(find)
        if key is None:
            return [_all(conditions)]
        value, (beyond, up_to) = to_bson(key[0]), ("$gt", "$gte") if ascending else ("$lt", "$lte")
        further = {"_id": {beyond: key[1]}}
        if field == "_id":
            return [_all([*conditions, further])]
        if value is None:
            without = _all([*conditions, {field: None}, further])
            return (
                [without, _all([*conditions, {field: {"$gte": LEAST[self._kinds[field]]}}])] if ascending else [without]
            )
        # The bound is said twice: the index follows the first, and the second tells those of one value apart.
        rest = _all([*conditions, {field: {up_to: value}}, {"$or": [{field: {beyond: value}}, further]}])
        return [rest] if ascending else [rest, _all([*conditions, {field: None}])]

    def filter(self, find: RecordQuery) -> Fields:
        """What `where`, `below` and `search` say."""
        return _all(self._conditions(find))

    def _conditions(self, find: RecordQuery) -> list[Fields]:
        conditions: list[Fields] = [{self._field(name): _equal(wanted)} for name, wanted in find.where.items()]
        conditions += [{self._field(name): {"$lt": to_bson(limit)}} for name, limit in find.below.items()]
        conditions += [_contains(self._field(SEARCH), word) for word in find.search.split()]
        return conditions

    def _field(self, name: str) -> str:
        if name not in self._kinds:
            raise ValueError(f"{self._documents.name} has no column {name}")
        return "_id" if name == "id" else name


def _is_ascending(find: RecordQuery) -> bool:
    return find.descending == (find.before is not None)


def _equal(wanted: Scalar | tuple[Scalar, ...]) -> Scalar | Fields:
    if isinstance(wanted, tuple):
        return {"$in": [to_bson(value) for value in dict.fromkeys(wanted)]}
    return to_bson(wanted)


def _contains(field: str, word: str) -> Fields:
    """Not as a regular expression: nothing then needs escaping, and a word may hold any character."""
    return {"$expr": {"$gte": [{"$indexOfBytes": [f"${field}", {"$literal": word}]}, 0]}}


def _all(conditions: list[Fields]) -> Fields:
    return {"$and": conditions} if conditions else {}
