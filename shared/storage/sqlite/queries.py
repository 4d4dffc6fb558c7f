"""Keyset pagination in SQL: conditions, and branches that each follow one index from the key on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw

from shared.storage.port import Column, RecordQuery, Scalar
from shared.storage.search import search_terms
from shared.storage.sqlite.connection import read_number
from shared.storage.sqlite.word_index import WordIndex
from shared.storage.subsets import (
    MAX_SORTED,
    Limit,
    SubsetIndex,
    ValueIndex,
    choose_counted_index,
    choose_subset_index,
    followed_limits,
    narrow,
    subset_indexes,
    value_indexes,
)

MAX_BRANCHES = 12
"""A `where` tuple with more values than this is a filter instead of a merge of one ordered list per value."""

SEARCH = "search"
_LEAST = {"text": "''", "integer": "-9223372036854775808"}

Clause = tuple[str, list[Any]]
Key = tuple[Scalar, str]


@dataclass(frozen=True, slots=True)
class FewRecords:
    """The source of records with certain values, and the statement that counts them up to MAX_SORTED."""

    source: str
    count: Clause


Found = str | FewRecords | None
"""An expression for the index of words, or the index of some values."""


class KeysetPaginator:
    """Builds and runs the queries of the records of one service."""

    def __init__(self, service: str, columns: Sequence[Column]) -> None:
        self._table, self._words = f"{service}_documents", WordIndex(service)
        self._columns: Mapping[str, Column] = {column.name: column for column in (*columns, Column("id"))}
        self._declared, self._subsets = tuple(columns), subset_indexes(columns)

    def page(self, db: apsw.Connection, query: RecordQuery) -> tuple[list[Key], bool, bool]:
        """Return the (order, id) keys of a page in order, and whether there are more records after and before it."""
        match = self._match(db, query) or self._choose_few(db, query)
        if match is None:
            query = self._narrowed(db, query)
        keys = self._run(db, query, match, query.limit + 1)
        more, keys = len(keys) > query.limit, keys[: query.limit]
        opposite = query.opposite(keys[0] if keys else None)
        other = opposite is not None and bool(self._run(db, opposite, match, 1))
        return (keys, more, other) if query.before is None else (keys[::-1], other, more)

    def _match(self, db: apsw.Connection, query: RecordQuery) -> str | None:
        """Return what to look up in the index of words, None if the list is read in its order."""
        if not query.search:
            return None
        self._check_column(SEARCH)
        return self._words.match(db, search_terms(query.search))

    def _choose_few(self, db: apsw.Connection, query: RecordQuery) -> FewRecords | None:
        """Return an index that finds the records with some values of the query, if they are few and none has their order."""
        return next((few for few in self.few_records(query) if read_number(db, *few.count) < MAX_SORTED), None)

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
        return [self._source_by(index) for index in value_indexes(self._declared, self._subsets, query)]

    def _source_by(self, index: ValueIndex) -> FewRecords:
        condition, bindings = _join(self._conditions(index.query))
        source = f"{self._table} INDEXED BY {self._table}_{index.name}"
        counted = ("SELECT count(*) FROM (SELECT 1 FROM ", source, condition, f" LIMIT {MAX_SORTED})")
        return FewRecords(source, ("".join(counted), bindings))

    def _run(self, db: apsw.Connection, query: RecordQuery, match: Found, limit: int) -> list[Key]:
        sql, bindings = self.list_statement(query, limit, match)
        return [(row[0], row[1]) for row in db.execute(sql, bindings)]

    def list_statement(self, query: RecordQuery, limit: int, match: Found = None) -> Clause:
        """Return SQL and bindings for the keys after `after`, or before `before`, nearest first.

        With `match`, the few records that it finds, in the index of words or by their values, are filtered and sorted.
        """
        if match is not None:
            return self._matching_statement(query, limit, match)
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
        subset = choose_subset_index(self._subsets, query)
        source = self._source(subset)
        head, tail = ("SELECT ", order, " AS value, id FROM ", source), _order_by(order, ascending, limit)
        conditions = [
            _join([*self._conditions(one, self._leading_columns(one), subset), segment])
            for one in ([query] if subset else self._split_by_value(query))
            for segment in self._beyond(order, key, ascending)
        ]
        return [("".join((*head, condition, tail)), bindings) for condition, bindings in conditions]

    def _matching_statement(self, query: RecordQuery, limit: int, match: str | FewRecords) -> Clause:
        order, ascending = self._check_column(query.order), query.reads_ascending
        segments = self._beyond(order, query.after if query.before is None else query.before, ascending)
        condition, bindings = self._matching(query, match, _either(segments))
        tail = _order_by("value", ascending, limit)
        return "".join(("SELECT ", order, " AS value, id FROM ", condition, tail)), bindings

    def _matching(self, query: RecordQuery, match: str | FewRecords, *further: Clause) -> Clause:
        """Return the part of a statement from the table on that reads the records found in an index."""
        if isinstance(match, FewRecords):
            condition, bindings = _join([*self._conditions(query), *further])
            return match.source + condition, bindings
        found = (f"place IN ({self._words.rowids})", [match])
        condition, bindings = _join([found, *self._conditions(query), *further])
        return "".join((self._table, " NOT INDEXED", condition)), bindings

    def count(self, db: apsw.Connection, query: RecordQuery) -> int:
        """Count the matching records."""
        return read_number(db, *self.count_statement(query, self._match(db, query)))

    def count_before(self, db: apsw.Connection, query: RecordQuery, key: Key) -> int:
        """Count the matching records that precede a key."""
        return read_number(db, *self.count_before_statement(query, key, self._match(db, query)))

    def count_statement(self, query: RecordQuery, match: str | None = None) -> Clause:
        """Return SQL and bindings for the number of matching records."""
        if match is not None:
            found, bindings = self._matching(query, match)
            return "".join(("SELECT count(*) FROM ", found)), bindings
        subset = choose_counted_index(self._subsets, query)
        condition, bindings = _join(self._conditions(query, subset=subset))
        return "".join(("SELECT count(*) FROM ", self._source(subset), condition)), bindings

    def _source(self, subset: SubsetIndex | None) -> str:
        return f"{self._table} INDEXED BY {self._table}_{subset.name}" if subset else self._table

    def count_before_statement(self, query: RecordQuery, key: Key, match: str | None = None) -> Clause:
        """Return SQL and bindings for the number of matching records that precede a key."""
        subset = choose_subset_index(self._subsets, query)
        order, conditions = self._check_column(query.order), self._conditions(query, subset=subset)
        segments = self._beyond(order, key, ascending=query.descending)
        if match is not None:
            found, bindings = self._matching(query, match, _either(segments))
            return "".join(("SELECT count(*) FROM ", found)), bindings
        joined = [_join([*conditions, segment]) for segment in segments]
        source = self._source(subset)
        counts = ["".join(("(SELECT count(*) FROM ", source, condition, ")")) for condition, _ in joined]
        return "SELECT " + " + ".join(counts), [value for _, bindings in joined for value in bindings]

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

    def _beyond(self, order: str, key: Key | None, ascending: bool) -> list[Clause]:
        """Return conditions for what follows a key, nearest first; records without a value precede those with one."""
        if key is None:
            return [("", [])]
        value, record_id = key
        sign = ">" if ascending else "<"
        if order == "id":
            return [(f"id {sign} ?", [record_id])]
        if value is not None:
            beyond = (f"({order}, id) {sign} (?, ?)", [value, record_id])
            return [beyond] if ascending else [beyond, (f"{order} IS NULL", [])]
        without = (f"{order} IS NULL AND id {sign} ?", [record_id])
        # A comparison, because SQLite does not use an index for IS NOT NULL.
        return [without, (f"{order} >= {_LEAST[self._columns[order].kind]}", [])] if ascending else [without]

    def _leading_columns(self, query: RecordQuery) -> frozenset[str]:
        """Return the filtered columns whose index has the order of the list; empty if there is none."""
        return frozenset(
            name
            for name, wanted in query.where.items()
            if wanted is not None
            and not isinstance(wanted, tuple)
            and query.order in self._columns[self._check_column(name)].ordered_by
        )

    def _conditions(
        self, query: RecordQuery, leading: frozenset[str] = frozenset(), subset: SubsetIndex | None = None
    ) -> list[Clause]:
        """Return the conditions; if there are leading columns, indexes of others are excluded, because they need a sort."""

        def term(name: str) -> str:
            excluded = leading and subset is None and name not in (*leading, query.order)
            return ("+" if excluded else "") + self._check_column(name)

        # The condition of the subset is written out, because SQLite compares it with that of the index.
        clauses: list[Clause] = [(f"{subset.column} = 1", [])] if subset else []
        clauses += [
            _equal(term(name), wanted)
            for name, wanted in query.where.items()
            if subset is None or name != subset.column
        ]
        clauses += [(f"{term(name)} >= ?", [limit]) for name, limit in query.at_least.items()]
        clauses += [(f"{term(name)} < ?", [limit]) for name, limit in query.below.items()]
        clauses += [
            (f"instr(' ' || {self._check_column(SEARCH)} || ' ', ?) > 0", [term]) for term in search_terms(query.search)
        ]
        return clauses


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


def _join(clauses: Sequence[Clause]) -> Clause:
    texts = [text for text, _ in clauses if text]
    bindings = [value for _, values in clauses for value in values]
    return (" WHERE " + " AND ".join(texts) if texts else ""), bindings
