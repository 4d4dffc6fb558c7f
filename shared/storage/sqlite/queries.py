"""Keyset pagination in SQL: conditions, and branches that each follow one index from the key on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw

from shared.storage.port import BoundedCount, Column, RecordQuery, Scalar
from shared.storage.search import search_terms
from shared.storage.sqlite.connection import read_number
from shared.storage.sqlite.word_index import WordIndex
from shared.storage.subsets import (
    MAX_LOOKUPS,
    Limit,
    SubsetIndex,
    ValueIndex,
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
    without,
)

MAX_BRANCHES = 12
"""A `where` tuple with more values than this is a filter instead of a merge of one ordered list per value."""

SEARCH = "search"
_LEAST = {"text": "''", "integer": "-9223372036854775808"}

Clause = tuple[str, list[Any]]
Key = tuple[Scalar, str]


@dataclass(frozen=True, slots=True)
class FewRecords:
    """The index that finds the records with certain values, the statement that counts them up to `most`, and its subset."""

    source: str
    count: Clause
    most: int
    subset: SubsetIndex | None = None


@dataclass(frozen=True, slots=True)
class PartInOrder:
    """A list of a subset, which is read in its order up to MAX_LOOKUPS records, and is sorted if these are not enough."""

    sorting: FewRecords


Found = str | FewRecords | PartInOrder | None
"""An expression for the index of words, the index of some values, or what is read in part."""


class KeysetPaginator:
    """Builds and runs the queries of the records of one service."""

    def __init__(self, service: str, columns: Sequence[Column]) -> None:
        self._table, self._words = f"{service}_documents", WordIndex(service)
        self._columns: Mapping[str, Column] = {column.name: column for column in (*columns, Column("id"))}
        self._declared, self._subsets = tuple(columns), subset_indexes(columns)

    def page(self, db: apsw.Connection, query: RecordQuery) -> tuple[list[Key], bool, bool]:
        """Return the (order, id) keys of a page in order, and whether there are more records after and before it."""
        match = self._match(db, query)
        parts = [query] if match else split_by_subset(self._subsets, query)
        plans = [(part, match) if match else self._plan_read(db, part) for part in parts]
        keys = [key for part, found in plans for key in self._run(db, part, found, query.limit + 1)]
        if len(plans) > 1:
            keys.sort(key=list_position, reverse=not query.reads_ascending)
        more, keys = len(keys) > query.limit, keys[: query.limit]
        opposites = [(part.opposite(keys[0] if keys else None), found) for part, found in plans]
        other = any(part is not None and self._run(db, part, found, 1, is_sorted=False) for part, found in opposites)
        return (keys, more, other) if query.before is None else (keys[::-1], other, more)

    def _plan_read(self, db: apsw.Connection, query: RecordQuery) -> tuple[RecordQuery, Found]:
        """Return how a list is read that no words limit, and its query with all limits that are known."""
        if (few := self._choose_few(db, query)) is not None:
            return query, few
        narrowed = self._narrowed(db, query)
        index = choose_part_index(self._subsets, narrowed)
        return narrowed, PartInOrder(self._few_in(index, narrowed)) if index else None

    def _match(self, db: apsw.Connection, query: RecordQuery) -> str | None:
        """Return what to look up in the index of words, None if the list is read in its order."""
        if not query.search:
            return None
        self._check_column(SEARCH)
        return self._words.match(db, search_terms(query.search))

    def _choose_few(self, db: apsw.Connection, query: RecordQuery) -> FewRecords | None:
        """Return an index that finds the records with some values of the query, if they are few and none has their order."""
        return next((few for few in self.few_records(query) if read_number(db, *few.count) < few.most), None)

    def _narrowed(self, db: apsw.Connection, query: RecordQuery) -> RecordQuery:
        """Add limits of the list's order that follow from those of another column."""
        select = ("SELECT ", self._check_column(query.order), " FROM ", self._table, " WHERE id = ?")
        found: dict[Limit, Scalar] = {}
        for limit, lookup in followed_limits(self._declared, query).items():
            for _, record_id in self._run(db, lookup, None, 1):
                [[value]] = db.execute("".join(select), (record_id,)).fetchall()
                if isinstance(value, str):
                    found[limit] = value
        return narrow(query, found)

    def few_records(self, query: RecordQuery) -> list[FewRecords]:
        """Return the indexes with values of the query, except for a list that an index has in its order."""
        found = [self._source_by(index) for index in value_indexes(self._declared, self._subsets, query)]
        ordered = choose_ordered_index(self._subsets, query)
        if ordered is None or not ordered.holds_list(query):
            found += [self._few_in(index, query) for index in limiting_indexes(self._subsets, query)]
        return found

    def _source_by(self, index: ValueIndex) -> FewRecords:
        condition, bindings = _join(self._conditions(index.query))
        source = f"{self._table} INDEXED BY {self._table}_{index.name}"
        counted = ("SELECT count(*) FROM (SELECT 1 FROM ", source, condition, f" LIMIT {index.most})")
        return FewRecords(source, ("".join(counted), bindings), index.most)

    def _few_in(self, index: SubsetIndex, query: RecordQuery) -> FewRecords:
        source, most = self._source(index), index.max_read(query, with_order=True)
        condition, bindings = _join(self._conditions(index.limits(query), index))
        counted = ("SELECT count(*) FROM (SELECT 1 FROM ", source, condition, f" LIMIT {most})")
        return FewRecords(source, ("".join(counted), bindings), most, index)

    def _run(
        self, db: apsw.Connection, query: RecordQuery, found: Found, limit: int, *, is_sorted: bool = True
    ) -> list[Key]:
        """Return the first keys of a list, or any of its keys unless they have to be `is_sorted`."""
        if isinstance(found, PartInOrder):
            keys = self._run_in_part(db, query, limit)
            if keys is not None:
                return keys
            found = found.sorting
        sql, bindings = self.list_statement(query, limit, found, is_sorted=is_sorted)
        return [(row[0], row[1]) for row in db.execute(sql, bindings)]

    def list_statement(
        self, query: RecordQuery, limit: int, match: str | FewRecords | None = None, *, is_sorted: bool = True
    ) -> Clause:
        """Return SQL and bindings for the keys after `after`, or before `before`, nearest first.

        With `match`, the few records that it finds, in the index of words or by their values, are filtered and sorted.
        """
        if match is not None:
            return self._matching_statement(query, limit, match, is_sorted=is_sorted)
        branches = self.branches(query, limit)
        if len(branches) == 1:
            return branches[0]
        merged = ") UNION ALL SELECT * FROM (".join(sql for sql, _ in branches)
        tail = _order_by("value", query.reads_ascending, limit)
        return "".join(("SELECT * FROM (", merged, ")", tail)), [value for _, values in branches for value in values]

    def branches(self, query: RecordQuery, limit: int) -> list[Clause]:
        """Return selects that each follow one index up to the limit; the list is their merge."""
        order, ascending = self._check_column(query.order), query.reads_ascending
        key = query.after if query.before is None else query.before
        subset, segments = choose_ordered_index(self._subsets, query), self._beyond(query, key, ascending)
        query, tail = _without_implied_limit(query, key, ascending), _order_by(order, ascending, limit)
        branches = list[Clause]()
        for one in [query] if subset or self._leading_column(query) else self._split_by_value(query):
            source = self._source(subset) if subset else self._source_in_order(one)
            for segment in segments:
                condition, bindings = _join([*self._conditions(one, subset), segment])
                branches.append(("".join(("SELECT ", order, " AS value, id FROM ", source, condition, tail)), bindings))
        return branches

    def _source_in_order(self, query: RecordQuery) -> str:
        """Return the table, read by the index that has the list of a value of a filtered column in its order."""
        leading = self._leading_column(query)
        return f"{self._table} INDEXED BY {self._table}_by_{leading}_{query.order}" if leading else self._table

    def _run_in_part(self, db: apsw.Connection, query: RecordQuery, limit: int) -> list[Key] | None:
        """Return the first keys of a list, None if they are not all among the first MAX_LOOKUPS of the subset in its order."""
        keys = list[Key]()
        for matching, count in self.part_statements(query, limit):
            keys += [(row[0], row[1]) for row in db.execute(*matching)]
            if len(keys) >= limit:
                break
            if read_number(db, *count) == MAX_LOOKUPS:
                return None
        return keys[:limit]

    def part_statements(self, query: RecordQuery, limit: int) -> list[tuple[Clause, Clause]]:
        """Return pairs of SQL and bindings for what follows the key, nearest first.

        One finds keys among the first MAX_LOOKUPS records of the subset in the order of the list, one counts these records.
        """
        order, ascending = self._check_column(query.order), query.reads_ascending
        key = query.after if query.before is None else query.before
        [column] = {index.column for index in self._subsets if query.where.get(index.column) == 1}
        filters, values = _all(self._conditions(replace(query, where=without(query.where, column))))
        limits = replace(
            query, where={}, at_least=only(query.at_least, order), below=only(query.below, order), search=""
        )
        limited = self._conditions(_without_implied_limit(limits, key, ascending))
        source = f" FROM {self._table} INDEXED BY {self._table}_by_{column}_{order}"
        head = ("SELECT value, id FROM (SELECT ", order, " AS value, id, ", filters, " AS matches", source)
        statements = list[tuple[Clause, Clause]]()
        for segment in self._beyond(query, key, ascending):
            condition, bindings = _join([(f"{column} = 1", []), *limited, segment])
            read = condition + _order_by(order, ascending, MAX_LOOKUPS)
            matching = "".join((*head, read, ") WHERE matches", _order_by("value", ascending, limit)))
            counted = "".join(("SELECT count(*) FROM (SELECT 1", source, read, ")"))
            statements.append(((matching, [*values, *bindings]), (counted, bindings)))
        return statements

    def _matching_statement(
        self, query: RecordQuery, limit: int, match: str | FewRecords, *, is_sorted: bool
    ) -> Clause:
        order, ascending = self._check_column(query.order), query.reads_ascending
        segments = self._beyond(query, query.after if query.before is None else query.before, ascending)
        condition, bindings = self._matching(query, match, _either(segments))
        tail = _order_by("value", ascending, limit) if is_sorted else f" LIMIT {limit:d}"
        return "".join(("SELECT ", order, " AS value, id FROM ", condition, tail)), bindings

    def _matching(self, query: RecordQuery, match: str | FewRecords, *further: Clause) -> Clause:
        """Return the part of a statement from the table on that reads the records found in an index."""
        if isinstance(match, FewRecords):
            condition, bindings = _join([*self._conditions(query, match.subset), *further])
            return match.source + condition, bindings
        found = (f"place IN ({self._words.rowids})", [match])
        condition, bindings = _join([found, *self._conditions(query), *further])
        return "".join((self._table, " NOT INDEXED", condition)), bindings

    def count(self, db: apsw.Connection, query: RecordQuery) -> int:
        """Count the matching records."""
        return read_number(db, *self.count_statement(query, self._match(db, query)))

    def bounded_count(self, db: apsw.Connection, query: RecordQuery, before: Key | None = None) -> BoundedCount:
        """Count the matching records, or those that precede a key, in a bounded number of entries."""
        match = self._match(db, query)
        indexes = bounded_count_indexes(self._subsets, query, from_key=before is not None)
        if match is not None or not indexes:
            return BoundedCount(read_number(db, *self.count_statement(query, match, before)), is_exact=True)
        found = BoundedCount(0, is_exact=False)
        for index in indexes:
            counted = self._count_in(db, index, query, before)
            if counted.is_exact:
                return counted
            found = max(found, counted, key=lambda one: one.number)
        return found

    def _count_in(
        self, db: apsw.Connection, index: SubsetIndex, query: RecordQuery, before: Key | None
    ) -> BoundedCount:
        number, most = 0, index.max_read(query, with_order=before is not None)
        for sql, bindings in self.bounded_count_statements(index, query, before):
            [[read, matching]] = db.execute(sql, bindings).fetchall()
            number += int(str(matching))
            if int(str(read)) > most:
                return BoundedCount(min(number, most), is_exact=False)
        return BoundedCount(number, is_exact=True)

    def bounded_count_statements(
        self, index: SubsetIndex, query: RecordQuery, before: Key | None = None
    ) -> list[Clause]:
        """Return statements for the number of entries read, at most one more than allowed, and how many of them match."""
        segments = self._beyond(query, before, ascending=query.descending)
        limiting = _without_implied_limit(index.limits(query), before, ascending=query.descending)
        limits, rest = self._conditions(limiting, index), self._conditions(index.rest(query))
        if not index.has_order(query):
            segments, rest = [("", [])], [*rest, _either(segments)]
        filters, values = _all(rest)
        statements = list[Clause]()
        for segment in segments:
            condition, bindings = _join([*limits, segment])
            head = ("SELECT count(*), coalesce(sum(matches), 0) FROM (SELECT ", filters, " AS matches FROM ")
            limit = f" LIMIT {index.max_read(query, with_order=before is not None) + 1})"
            statements.append(("".join((*head, self._source(index), condition, limit)), [*values, *bindings]))
        return statements

    def count_statement(self, query: RecordQuery, match: str | None = None, before: Key | None = None) -> Clause:
        """Return SQL and bindings for the number of matching records, or of those that precede a key."""
        preceding = _either(self._beyond(query, before, ascending=query.descending))
        if match is not None:
            found, bindings = self._matching(query, match, preceding)
            return "".join(("SELECT count(*) FROM ", found)), bindings
        subset = choose_counted_index(self._subsets, query)
        condition, bindings = _join([*self._conditions(query, subset), preceding])
        return "".join(("SELECT count(*) FROM ", self._source(subset), condition)), bindings

    def _source(self, subset: SubsetIndex | None) -> str:
        return f"{self._table} INDEXED BY {self._table}_{subset.name}" if subset else self._table

    def _check_column(self, name: str) -> str:
        if name not in self._columns:
            raise ValueError(f"{self._table} has no column {name}")
        return name

    def _split_by_value(self, query: RecordQuery) -> list[RecordQuery]:
        """Return one query per value of a column whose index has this order; the list is their merge."""
        for name, wanted in query.where.items():
            column = self._columns[self._check_column(name)]
            if isinstance(wanted, tuple) and query.order in column.ordered_by and 1 < len(wanted) <= MAX_BRANCHES:
                return [replace(query, where={**query.where, name: value}) for value in dict.fromkeys(wanted)]
        return [query]

    def _beyond(self, query: RecordQuery, key: Key | None, ascending: bool) -> list[Clause]:
        """Return conditions for what follows a key, nearest first; records without a value precede those with one."""
        order = self._check_column(query.order)
        if key is None:
            return [("", [])]
        value, record_id = key
        sign = ">" if ascending else "<"
        if order == "id":
            return [(f"id {sign} ?", [record_id])]
        if value is not None:
            beyond = (f"({order}, id) {sign} (?, ?)", [value, record_id])
            is_limited = order in query.at_least or order in query.below
            return [beyond] if ascending or is_limited else [beyond, (f"{order} IS NULL", [])]
        without = (f"{order} IS NULL AND id {sign} ?", [record_id])
        # A comparison, because SQLite does not use an index for IS NOT NULL.
        return [without, (f"{order} >= {_LEAST[self._columns[order].kind]}", [])] if ascending else [without]

    def _leading_column(self, query: RecordQuery) -> str:
        """Return the filtered column whose index has the order of the list, the first declared of several; "" for none."""
        having_order = (
            name
            for name, column in self._columns.items()
            if query.order in column.ordered_by and not isinstance(query.where.get(name), tuple | None)
        )
        return next(having_order, "")

    def _conditions(self, query: RecordQuery, subset: SubsetIndex | None = None) -> list[Clause]:
        # The condition of the subset is written out, because SQLite compares it with that of the index.
        clauses: list[Clause] = [(f"{subset.column} = 1", [])] if subset else []
        clauses += [
            _equal(self._check_column(name), wanted)
            for name, wanted in query.where.items()
            if subset is None or name != subset.column
        ]
        clauses += [(f"{self._check_column(name)} >= ?", [limit]) for name, limit in query.at_least.items()]
        clauses += [(f"{self._check_column(name)} < ?", [limit]) for name, limit in query.below.items()]
        clauses += [
            (f"instr(' ' || {self._check_column(SEARCH)} || ' ', ?) > 0", [term]) for term in search_terms(query.search)
        ]
        return clauses


def _without_implied_limit(query: RecordQuery, key: Key | None, ascending: bool) -> RecordQuery:
    """Return the query without a limit of its order that the key implies, because SQLite uses one of the two only."""
    value, bounds = (key[0] if key else None), query.at_least if ascending else query.below
    limit = bounds.get(query.order)
    if not isinstance(value, str) or not isinstance(limit, str) or (value < limit if ascending else value > limit):
        return query
    others = without(bounds, query.order)
    return replace(query, at_least=others) if ascending else replace(query, below=others)


def _order_by(order: str, ascending: bool, limit: int) -> str:
    direction = "ASC" if ascending else "DESC"
    keys = ", ".join(f"{key} {direction}" for key in dict.fromkeys((order, "id")))
    return f" ORDER BY {keys} LIMIT {limit:d}"


def _equal(name: str, wanted: Scalar | tuple[Scalar, ...]) -> Clause:
    if not isinstance(wanted, tuple):
        return (f"{name} IS NULL", []) if wanted is None else (f"{name} = ?", [wanted])
    values = [value for value in wanted if value is not None]
    one_of = f"{name} IN ({', '.join('?' * len(values))})"
    return (f"({one_of} OR {name} IS NULL)" if None in wanted else one_of), values


def _either(clauses: Sequence[Clause]) -> Clause:
    texts = [f"({text})" for text, _ in clauses if text]
    bindings = [value for _, values in clauses for value in values]
    return (f"({' OR '.join(texts)})" if texts else ""), bindings


def _all(clauses: Sequence[Clause]) -> Clause:
    """Return the conjunction of conditions as a value, 1 if there are none."""
    texts = [f"({text})" for text, _ in clauses if text]
    return " AND ".join(texts) or "1", [value for _, values in clauses for value in values]


def _join(clauses: Sequence[Clause]) -> Clause:
    texts = [text for text, _ in clauses if text]
    bindings = [value for _, values in clauses for value in values]
    return (" WHERE " + " AND ".join(texts) if texts else ""), bindings
