"""Keyset pagination in MongoDB: filters that each follow an index from the key on."""

from __future__ import annotations

from collections.abc import Sequence

from shared.storage.mongo.client import Collection, Fields, MongoDatabase
from shared.storage.mongo.mapping import LEAST, PROJECTION, SEARCH, index_name, record, to_bson
from shared.storage.port import Column, RecordPage, RecordQuery, Scalar, StateRecord

Key = tuple[Scalar, str]


class KeysetPaginator:
    """Builds and runs the queries of one collection."""

    def __init__(self, database: MongoDatabase, records: Collection, columns: Sequence[Column]) -> None:
        self._database, self._records = database, records
        self._kinds = {"id": "text", **{column.name: column.kind for column in columns}}
        self._orders = {column.name: column.ordered_by for column in columns}

    async def page(self, query: RecordQuery) -> RecordPage:
        """Return a page of records."""
        rows = await self._run(query, query.limit + 1)
        more, rows = len(rows) > query.limit, rows[: query.limit]
        opposite = query.opposite(rows[0][0] if rows else None)
        other = opposite is not None and bool(await self._run(opposite, 1))
        if query.before is not None:
            rows.reverse()
            more, other = other, more
        return RecordPage(tuple(found for _, found in rows), tuple(key for key, _ in rows), more, other)

    async def _run(self, query: RecordQuery, limit: int) -> list[tuple[Key, StateRecord]]:
        field = self._field(query.order)
        rows: list[Fields] = []
        for condition in self.filters_beyond(query):
            if (missing := limit - len(rows)) > 0:
                options: Fields = {"sort": self.order(query), "limit": missing, "hint": self.hint(query)}
                cursor = self._records.find(condition, {**PROJECTION, field: 1}, **options)
                async with self._database.operation():
                    rows += await cursor.batch_size(missing).to_list(missing)
        return [((row.get(field), row["_id"]), record(row)) for row in rows]

    def order(self, query: RecordQuery) -> list[tuple[str, int]]:
        """Return the sort keys, in the direction in which rows are read."""
        direction = 1 if query.reads_ascending else -1
        return [(name, direction) for name in dict.fromkeys((self._field(query.order), "_id"))]

    def hint(self, query: RecordQuery) -> str | None:
        """Return the index of a filtered column that has the order of the list, so that no other is used with a sort."""
        for name, wanted in query.where.items():
            if wanted is not None and not isinstance(wanted, tuple) and query.order in self._orders.get(name, ()):
                return index_name(name, query.order)
        return None

    def filters_beyond(self, query: RecordQuery) -> list[Fields]:
        """Return filters for what follows the key, nearest first.

        Records without a value precede those with one. They need a filter of their own, because no comparison of MongoDB
        spans values and their absence.
        """
        field, conditions = self._field(query.order), self._conditions(query)
        key, ascending = query.after if query.before is None else query.before, query.reads_ascending
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
        # The bound is given twice: the index uses the first, and the second separates records with an equal value.
        rest = _all([*conditions, {field: {up_to: value}}, {"$or": [{field: {beyond: value}}, further]}])
        return [rest] if ascending else [rest, _all([*conditions, {field: None}])]

    def filter(self, query: RecordQuery) -> Fields:
        """Return the filter for the conditions and `search`."""
        return _all(self._conditions(query))

    def _conditions(self, query: RecordQuery) -> list[Fields]:
        conditions: list[Fields] = [{self._field(name): _equal(wanted)} for name, wanted in query.where.items()]
        conditions += [{self._field(name): {"$gte": to_bson(limit)}} for name, limit in query.at_least.items()]
        conditions += [{self._field(name): {"$lt": to_bson(limit)}} for name, limit in query.below.items()]
        conditions += [_contains(self._field(SEARCH), word) for word in query.search.split()]
        return conditions

    def _field(self, name: str) -> str:
        if name not in self._kinds:
            raise ValueError(f"{self._records.name} has no column {name}")
        return "_id" if name == "id" else name


def _equal(wanted: Scalar | tuple[Scalar, ...]) -> Scalar | Fields:
    if isinstance(wanted, tuple):
        return {"$in": [to_bson(value) for value in dict.fromkeys(wanted)]}
    return to_bson(wanted)


def _contains(field: str, word: str) -> Fields:
    """Match a substring; unlike a regular expression, it needs no escaping."""
    return {"$expr": {"$gte": [{"$indexOfBytes": [f"${field}", {"$literal": word}]}, 0]}}


def _all(conditions: list[Fields]) -> Fields:
    return {"$and": conditions} if conditions else {}
