"""Keyset pagination in MongoDB: filters that each follow an index from the key on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.storage.mongo.client import Collection, Fields, MongoDatabase
from shared.storage.mongo.mapping import LEAST, PROJECTION, index_name, record, to_bson
from shared.storage.mongo.word_index import SEARCH, WORDS, WordIndex
from shared.storage.port import BoundedCount, Column, RecordPage, RecordQuery, Scalar, StateRecord
from shared.storage.search import search_terms
from shared.storage.subsets import (
    MAX_LOOKUPS,
    Limit,
    SubsetIndex,
    bounded_count_indexes,
    choose_counted_index,
    choose_ordered_index,
    choose_part_index,
    followed_limits,
    limiting_indexes,
    list_position,
    narrow,
    only,
    split_by_subset,
    subset_indexes,
    value_indexes,
)

Key = tuple[Scalar, str]


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """How a list is read: its query, the index, what is looked up in the index of words, and the index to sort it by."""

    query: RecordQuery
    hint: str | None
    match: Fields | None = None
    sorting: SubsetIndex | None = None


class KeysetPaginator:
    """Builds and runs the queries of one collection."""

    def __init__(self, database: MongoDatabase, records: Collection, columns: Sequence[Column]) -> None:
        self._database, self._records = database, records
        self._kinds = {"id": "text", **{column.name: column.kind for column in columns}}
        self._orders = {column.name: column.ordered_by for column in columns}
        self._columns, self._subsets = tuple(columns), subset_indexes(columns)
        self.words = WordIndex(database, records) if SEARCH in self._kinds else None

    async def page(self, query: RecordQuery) -> RecordPage:
        """Return a page of records."""
        match = await self._match(query)
        parts = [query] if match else split_by_subset(self._subsets, query)
        plans = [await self._plan_read(part, match) for part in parts]
        rows = [row for plan in plans for row in await self._run(plan, plan.query, query.limit + 1)]
        if len(plans) > 1:
            rows.sort(key=lambda row: list_position(row[0]), reverse=not query.reads_ascending)
        more, rows = len(rows) > query.limit, rows[: query.limit]
        other = False
        for plan in plans:
            opposite = plan.query.opposite(rows[0][0] if rows else None)
            other = other or (opposite is not None and bool(await self._run(plan, opposite, 1)))
        if query.before is not None:
            rows.reverse()
            more, other = other, more
        return RecordPage(tuple(found for _, found in rows), tuple(key for key, _ in rows), more, other)

    async def _plan_read(self, query: RecordQuery, match: Fields | None) -> ReadPlan:
        """Return how a list is read, with all limits that are known."""
        if match is not None:
            return ReadPlan(query, WORDS, match)
        if (few := await self._choose_few(query)) is not None:
            return ReadPlan(query, few)
        query = await self._narrowed(query)
        return ReadPlan(query, self.hint(query), sorting=choose_part_index(self._subsets, query))

    async def _match(self, query: RecordQuery) -> Fields | None:
        """Return what to look up in the index of words, None if the list is read in its order."""
        if not query.search:
            return None
        self._field(SEARCH)
        return await self.words.match(search_terms(query.search)) if self.words else None

    async def _choose_few(self, query: RecordQuery) -> str | None:
        """Return an index that finds the records with some values of the query, if they are few and none has their order."""
        for index in value_indexes(self._columns, self._subsets, query):
            options: Fields = {"hint": index.name, "limit": index.most}
            async with self._database.operation():
                if await self._records.count_documents(self.filter(index.query), **options) < index.most:
                    return index.name
        ordered = choose_ordered_index(self._subsets, query)
        if ordered is None or not ordered.holds_list(query):
            for one in limiting_indexes(self._subsets, query):
                if await self._count_read(one, self._limits(one, query)) <= MAX_LOOKUPS:
                    return one.name
        return None

    async def _narrowed(self, query: RecordQuery) -> RecordQuery:
        """Add limits of the list's order that follow from those of another column."""
        found: dict[Limit, Scalar] = {}
        for limit, lookup in followed_limits(self._columns, query).items():
            async with self._database.operation():
                row = await self._records.find_one(
                    self.filter(lookup), {self._field(query.order): 1}, sort=self.order(lookup)
                )
            if row is not None and row.get(query.order) is not None:
                found[limit] = row[query.order]
        return narrow(query, found)

    async def count(self, query: RecordQuery) -> int:
        """Count the matching records."""
        subset = choose_counted_index(self._subsets, query)
        return await self._count_matching(self.filter(query), await self._match(query), subset.name if subset else None)

    async def bounded_count(self, query: RecordQuery, before: Key | None = None) -> BoundedCount:
        """Count the matching records, or those that precede a key, in a bounded number of entries."""
        match = await self._match(query)
        preceding = replace(query, after=None, before=before)
        indexes = bounded_count_indexes(self._subsets, query, from_key=before is not None)
        if match is not None or not indexes:
            filters, hint = self.filters_beyond(preceding), self.hint(query)
            return BoundedCount(sum([await self._count_matching(condition, match, hint) for condition in filters]))
        found = BoundedCount(0, is_exact=False)
        for index in indexes:
            counted = await self._count_in(index, preceding)
            if counted.is_exact:
                return counted
            found = max(found, counted, key=lambda one: one.number)
        return found

    async def _count_in(self, index: SubsetIndex, query: RecordQuery) -> BoundedCount:
        """Count what matches among the first entries of an index that the query limits."""
        number, most = 0, index.max_read(query, with_order=query.before is not None)
        in_order = index.has_order(query)
        limits = self._limits(index, query)
        parts = self.filters_beyond(replace(limits, before=query.before)) if in_order else [self.filter(limits)]
        tested = self._conditions(index.rest(query))
        tested += [] if in_order else [{"$or": self.filters_beyond(query)}]
        for part in parts:
            pipeline: list[Fields] = [
                {"$match": part},
                {"$limit": most + 1},
                {"$match": _all(tested)},
                {"$count": "number"},
            ]
            async with self._database.operation():
                read = await self._records.count_documents(part, hint=index.name, limit=most + 1)
                rows = await self._records.aggregate(pipeline, hint=index.name).to_list(1)
            number += sum(row["number"] for row in rows)
            if read > most:
                return BoundedCount(min(number, most), is_exact=False)
        return BoundedCount(number)

    async def _count_read(self, index: SubsetIndex, limits: RecordQuery) -> int:
        async with self._database.operation():
            return await self._records.count_documents(self.filter(limits), hint=index.name, limit=MAX_LOOKUPS + 1)

    def _limits(self, index: SubsetIndex, query: RecordQuery) -> RecordQuery:
        """Return the conditions by which the entries of an index are read."""
        limits = index.limits(query)
        return replace(limits, where={index.column: 1, **limits.where}, after=None, before=None)

    async def _count_matching(self, condition: Fields, match: Fields | None, hint: str | None) -> int:
        options: Fields = {"hint": WORDS} if match is not None else {"hint": hint} if hint else {}
        async with self._database.operation():
            return await self._records.count_documents(_with_match(condition, match), **options)

    async def _run(self, plan: ReadPlan, query: RecordQuery, limit: int) -> list[tuple[Key, StateRecord]]:
        """Return the first records of a list; one that needs `sorting` is read in its order first, up to MAX_LOOKUPS."""
        hint = plan.hint
        if plan.sorting is not None:
            first = await self._run_in_part(query, limit, plan.sorting)
            if first is not None:
                return first
            hint = plan.sorting.name
        field = self._field(query.order)
        rows = list[Fields]()
        for condition in self.filters_beyond(query):
            if (missing := limit - len(rows)) > 0:
                options: Fields = {"sort": self.order(query), "limit": missing, "hint": hint}
                cursor = self._records.find(_with_match(condition, plan.match), {**PROJECTION, field: 1}, **options)
                async with self._database.operation():
                    rows += await cursor.batch_size(missing).to_list(missing)
        return [((row.get(field), row["_id"]), record(row)) for row in rows]

    async def _run_in_part(
        self, query: RecordQuery, limit: int, sorting: SubsetIndex
    ) -> list[tuple[Key, StateRecord]] | None:
        """Return the first records of a list, None if they are not all among the first MAX_LOOKUPS of the subset in its order."""
        field, column = self._field(query.order), sorting.column
        of_subset = replace(
            query, where={column: 1}, at_least=only(query.at_least, field), below=only(query.below, field), search=""
        )
        rows, hint = list[Fields](), index_name(column, query.order)
        for part in self.filters_beyond(of_subset):
            first: list[Fields] = [{"$match": part}, {"$sort": dict(self.order(query))}, {"$limit": MAX_LOOKUPS}]
            matching: list[Fields] = [
                {"$match": self.filter(query)},
                {"$limit": limit - len(rows)},
                {"$project": {**PROJECTION, field: 1}},
            ]
            async with self._database.operation():
                rows += await self._records.aggregate([*first, *matching], hint=hint).to_list(limit)
                if len(rows) == limit:
                    break
                if await self._records.count_documents(part, hint=hint, limit=MAX_LOOKUPS) == MAX_LOOKUPS:
                    return None
        return [((row.get(field), row["_id"]), record(row)) for row in rows]

    def order(self, query: RecordQuery) -> list[tuple[str, int]]:
        """Return the sort keys, in the direction in which rows are read."""
        direction = 1 if query.reads_ascending else -1
        return [(name, direction) for name in dict.fromkeys((self._field(query.order), "_id"))]

    def hint(self, query: RecordQuery) -> str | None:
        """Return the index of a subset, or of a filtered column that has the order of the list, so that no other is used."""
        if (subset := choose_ordered_index(self._subsets, query)) is not None:
            return subset.name
        having_order = [name for name in query.where if query.order in self._orders.get(name, ())]
        single = [name for name in having_order if not isinstance(query.where[name], tuple | None)]
        # The ordered lists of several values are merged, but not that of records without one.
        several = [
            name for name in having_order if isinstance(values := query.where[name], tuple) and None not in values
        ]
        return index_name((single or several)[0], query.order) if single or several else None

    def filters_beyond(self, query: RecordQuery) -> list[Fields]:
        """Return filters for what follows the key, nearest first.

        Records without a value precede those with one. They need a filter of their own, because no comparison of MongoDB
        spans values and their absence.
        """
        field, conditions = self._field(query.order), self._conditions(query)
        key, ascending = query.after if query.before is None else query.before, query.reads_ascending
        if key is None:
            return [_all(conditions)]
        value, beyond = to_bson(key[0]), "$gt" if ascending else "$lt"
        further = {"_id": {beyond: key[1]}}
        if field == "_id":
            return [_all([*conditions, further])]
        if value is None:
            without = _all([*conditions, {field: None}, further])
            return (
                [without, _all([*conditions, {field: {"$gte": LEAST[self._kinds[field]]}}])] if ascending else [without]
            )
        # Each is one range of the index; together they would begin with all records with an equal value.
        rest = [_all([*conditions, {field: value}, further]), _all([*conditions, {field: {beyond: value}}])]
        return rest if ascending else [*rest, _all([*conditions, {field: None}])]

    def filter(self, query: RecordQuery) -> Fields:
        """Return the filter for the conditions and `search`."""
        return _all(self._conditions(query))

    def _conditions(self, query: RecordQuery) -> list[Fields]:
        conditions: list[Fields] = [{self._field(name): _equal(wanted)} for name, wanted in query.where.items()]
        conditions += [{self._field(name): {"$gte": to_bson(limit)}} for name, limit in query.at_least.items()]
        conditions += [{self._field(name): {"$lt": to_bson(limit)}} for name, limit in query.below.items()]
        conditions += [_contains(self._field(SEARCH), term) for term in search_terms(query.search)]
        return conditions

    def _field(self, name: str) -> str:
        if name not in self._kinds:
            raise ValueError(f"{self._records.name} has no column {name}")
        return "_id" if name == "id" else name


def _equal(wanted: Scalar | tuple[Scalar, ...]) -> Scalar | Fields:
    if isinstance(wanted, tuple):
        return {"$in": [to_bson(value) for value in dict.fromkeys(wanted)]}
    return to_bson(wanted)


def _contains(field: str, term: str) -> Fields:
    """Match a term of a search; unlike a regular expression, it needs no escaping."""
    text = {"$concat": [" ", f"${field}", " "]}
    return {"$expr": {"$gte": [{"$indexOfBytes": [text, {"$literal": term}]}, 0]}}


def _with_match(condition: Fields, match: Fields | None) -> Fields:
    return condition if match is None else {"$and": [match, condition]} if condition else match


def _all(conditions: list[Fields]) -> Fields:
    return {"$and": conditions} if conditions else {}
