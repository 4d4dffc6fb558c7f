"""Which index a query reads, over a subset of the records or over some values, the same in every store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from zlib import crc32

from shared.storage.port import Column, RecordQuery, Scalar, sortable_time

Limit = Literal["at_least", "below"]
FOLLOWING_TOLERANCE = timedelta(days=1)
MAX_SORTED = 7_000
"""Records with the values of some filters that are found and sorted; if they are more, the list is read in its order."""


@dataclass(frozen=True, slots=True)
class SubsetIndex:
    """An index over the records in which `column` is 1."""

    column: str
    keys: tuple[str, ...]
    selective: bool

    @property
    def name(self) -> str:
        """The first keys, with a checksum of all keys if there are others: an index of other keys has another name."""
        end = self.keys.index("id") if "id" in self.keys else len(self.keys)
        further = (f"{crc32(' '.join(self.keys).encode()):08x}",) if end < len(self.keys) else ()
        return "_".join((self.column, *self.keys[:end], *further))

    @property
    def stored_keys(self) -> tuple[str, ...]:
        return self.keys if "id" in self.keys else (*self.keys, "id")

    def prefix(self, query: RecordQuery) -> int:
        """Return how many of the first keys have a single value in the query."""
        count = 0
        for key in self.keys:
            if key not in query.where or isinstance(query.where[key], tuple):
                break
            count += 1
        return count


@dataclass(frozen=True, slots=True)
class ValueIndex:
    """An index that finds the records with some values of a query; `query` has the conditions on its keys alone."""

    name: str
    query: RecordQuery


def subset_indexes(columns: Sequence[Column]) -> list[SubsetIndex]:
    """Return the declared indexes."""
    return [SubsetIndex(column.name, one.keys, one.selective) for column in columns for one in column.subsets]


def choose_subset_index(indexes: Sequence[SubsetIndex], query: RecordQuery) -> SubsetIndex | None:
    """Return the index that a list reads, None if the query is not about a subset or another index has its order.

    That is an index with all conditions among its keys, and the order of the list after those with a single value. Else it is one
    whose first key is selective, else one with conditions and order, which is read as a whole and costs little in a subset.
    """
    usable, covering = _usable(indexes, query), _covering(indexes, query)
    ordered = [one for one in covering if query.order in one.keys[one.prefix(query) :][:1]]
    selective = [one for one in usable if one.selective and one.prefix(query)]
    in_order = [one for one in ordered if one.prefix(query)] or selective or ordered
    sorting = [one for one in covering if query.order in one.keys and len(query.where) + len(query.below) > 1]
    return max(in_order or sorting, key=lambda one: (one.prefix(query), query.order in one.keys), default=None)


def value_indexes(columns: Sequence[Column], indexes: Sequence[SubsetIndex], query: RecordQuery) -> list[ValueIndex]:
    """Return the indexes with values of the query, except for a list that an index over a subset has in its order."""
    if choose_subset_index(indexes, query) is not None:
        return []
    found = []
    for column in columns:
        names = (column.name, *column.filtered_with)
        where = {name: query.where[name] for name in names if _is_single(query.where.get(name))}
        if column.name in where and column.filtered_with and (len(where) > 1 or query.order not in column.ordered_by):
            conditions = replace(query, where=where, at_least={}, below={}, search="")
            found.append(ValueIndex(f"with_{column.name}", conditions))
        at_least, below = _only(query.at_least, column.name), _only(query.below, column.name)
        found += _within_limits(column, query)
        if (at_least or below) and column.indexed and not column.ordered_by and column.name != query.order:
            conditions = replace(query, where={}, at_least=at_least, below=below, search="")
            found.append(ValueIndex(f"by_{column.name}", conditions))
    return found


def _within_limits(column: Column, query: RecordQuery) -> Iterator[ValueIndex]:
    """Yield the indexes with one value of a column and limits of one that its lists are ordered by."""
    if not _is_single(query.where.get(column.name)):
        return
    for order in column.ordered_by:
        at_least, below = _only(query.at_least, order), _only(query.below, order)
        if (at_least or below) and order != query.order:
            where = {column.name: query.where[column.name]}
            conditions = replace(query, where=where, at_least=at_least, below=below, search="")
            yield ValueIndex(f"by_{column.name}_{order}", conditions)


def followed_limits(columns: Sequence[Column], query: RecordQuery) -> dict[Limit, RecordQuery]:
    """Return lookups by the limit of the list's order that they find: its value in their first record.

    There are some if that column follows another one, which the query limits.
    """
    followed = next((column.follows for column in columns if column.name == query.order), "")
    first, last, lookups = query.at_least.get(followed), query.below.get(followed), dict[Limit, RecordQuery]()
    if isinstance(first, str):
        before = {followed: _shifted(first, -FOLLOWING_TOLERANCE)}
        lookups["at_least"] = RecordQuery(followed, below=before, limit=1, descending=True)
    if isinstance(last, str):
        lookups["below"] = RecordQuery(followed, at_least={followed: _shifted(last, FOLLOWING_TOLERANCE)}, limit=1)
    return lookups


def _shifted(time: str, by: timedelta) -> str | None:
    return sortable_time(datetime.fromisoformat(time) + by)


def narrow(query: RecordQuery, found: Mapping[Limit, Scalar]) -> RecordQuery:
    """Add limits of the list's order to a query."""
    at_least, below = ({query.order: found[limit]} if limit in found else {} for limit in ("at_least", "below"))
    return replace(query, at_least={**query.at_least, **at_least}, below={**query.below, **below})


def _only(bounds: Mapping[str, Scalar], name: str) -> dict[str, Scalar]:
    return {name: bounds[name]} if name in bounds else {}


def _is_single(wanted: Scalar | tuple[Scalar, ...]) -> bool:
    return wanted is not None and not isinstance(wanted, tuple)


def choose_counted_index(indexes: Sequence[SubsetIndex], query: RecordQuery) -> SubsetIndex | None:
    """Return the index that a count reads: the one whose first keys the conditions limit most, of these the smallest."""
    selective = [one for one in _usable(indexes, query) if one.selective and one.prefix(query)]
    candidates = _covering(indexes, query) or selective
    return max(candidates, key=lambda one: (_limited_keys(one, query), -len(one.keys)), default=None)


def _usable(indexes: Sequence[SubsetIndex], query: RecordQuery) -> list[SubsetIndex]:
    return [one for one in indexes if _is_one(query.where.get(one.column))]


def _covering(indexes: Sequence[SubsetIndex], query: RecordQuery) -> list[SubsetIndex]:
    conditions = {*query.where, *query.at_least, *query.below}
    return [one for one in _usable(indexes, query) if conditions <= {one.column, *one.keys}]


def _limited_keys(index: SubsetIndex, query: RecordQuery) -> int:
    """Return how many of the first keys the query limits; one with a single value counts twice as much as the last one."""
    single = index.prefix(query)
    following = index.keys[single : single + 1]
    return 2 * single + any(key in query.where or key in query.below or key in query.at_least for key in following)


def _is_one(wanted: Scalar | tuple[Scalar, ...]) -> bool:
    return not isinstance(wanted, tuple) and wanted == 1
