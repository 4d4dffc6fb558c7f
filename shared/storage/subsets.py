"""Which index a query reads, over a subset of the records or over some values, the same in every store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Literal, TypeVar
from zlib import crc32

from shared.storage.port import Column, RecordQuery, Scalar, sortable_time

Value = TypeVar("Value", bound=Scalar | tuple[Scalar, ...])
Limit = Literal["at_least", "below"]
FOLLOWING_TOLERANCE = timedelta(days=1)
MAX_SORTED = 7_000
"""Records with the values of some filters that are found and sorted; if they are more, the list is read in its order."""
MAX_ENTRIES = 5_000
"""Entries of an index that are read to count or to sort a list of a subset."""
MAX_TESTED_ENTRIES = 3_000
"""The same if further conditions are tested on each."""
MAX_LOOKUPS = 500
"""The same if each entry leads to a record that has to be read, which takes as long as tens of entries."""


@dataclass(frozen=True, slots=True)
class SubsetIndex:
    """An index over the records in which `column` is 1."""

    column: str
    keys: tuple[str, ...]

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

    def limits(self, query: RecordQuery) -> RecordQuery:
        """Return the conditions on the first keys, which limit what is read of the index: values, then values or a range."""
        single = self.prefix(query)
        following = self.keys[single : single + 1]
        where = {key: query.where[key] for key in self.keys[:single]}
        where |= {key: query.where[key] for key in following if None not in _alternatives(query.where.get(key))}
        at_least, below = (
            {key: bounds[key] for key in following if key in bounds} for bounds in (query.at_least, query.below)
        )
        return replace(query, where=where, at_least=at_least, below=below, search="")

    def rest(self, query: RecordQuery) -> RecordQuery:
        """Return the other conditions, which are tested on each entry."""
        limits = self.limits(query)
        at_least, below = without(query.at_least, *limits.at_least), without(query.below, *limits.below)
        return replace(query, where=without(query.where, self.column, *limits.where), at_least=at_least, below=below)

    def holds_list(self, query: RecordQuery) -> bool:
        """Whether the list is a part of the index, in its order."""
        rest = self.rest(query)
        is_limited = not (rest.where or rest.at_least or rest.below or rest.search)
        return is_limited and self.has_order(query)

    def covers(self, query: RecordQuery, *, with_order: bool = True) -> bool:
        """Whether the entries hold all that the conditions and the order of the query need."""
        needed = {*query.where, *query.at_least, *query.below, *((query.order,) if with_order else ())}
        return not query.search and needed <= {self.column, "id", *self.keys}

    def has_order(self, query: RecordQuery) -> bool:
        """Whether the entries with the values of the query have the order of the list, which ends with the id."""
        following = self.stored_keys[self.prefix(query) :]
        return following[:1] == (query.order,) and (query.order == "id" or following[1:2] == ("id",))

    def max_read(self, query: RecordQuery, *, with_order: bool) -> int:
        """Return how many entries may be read to count the list, or what is on one side of a key in it, or to sort it."""
        if not self.covers(query, with_order=with_order):
            return MAX_LOOKUPS
        rest = self.rest(query)
        return MAX_TESTED_ENTRIES if rest.where or rest.at_least or rest.below else MAX_ENTRIES


@dataclass(frozen=True, slots=True)
class ValueIndex:
    """An index that finds the records with some values of a query, if they are fewer than `most`.

    `query` has the conditions on its keys alone.
    """

    name: str
    query: RecordQuery
    most: int


def subset_indexes(columns: Sequence[Column]) -> list[SubsetIndex]:
    """Return the declared indexes."""
    return [SubsetIndex(column.name, one.keys) for column in columns for one in column.subsets]


def choose_ordered_index(indexes: Sequence[SubsetIndex], query: RecordQuery) -> SubsetIndex | None:
    """Return the index over a subset that has the list in its order and all conditions among its keys, None if there is none."""
    covering = _covering(indexes, query)
    ordered = [one for one in covering if one.has_order(query)]
    return max(ordered, key=lambda one: one.prefix(query), default=None)


def limiting_indexes(
    indexes: Sequence[SubsetIndex], query: RecordQuery, *, with_order: bool = True
) -> list[SubsetIndex]:
    """Return the indexes over a subset that the query limits by their first keys, the most limited one first."""
    found: dict[tuple[object, ...], SubsetIndex] = {}
    by_cost = sorted(
        _usable(indexes, query), key=lambda one: (not one.covers(query, with_order=with_order), len(one.keys))
    )
    for one in by_cost:
        limits = one.limits(query)
        if limits.where or limits.at_least or limits.below:
            found.setdefault((*limits.where, "", *limits.at_least, "", *limits.below), one)
    return sorted(found.values(), key=lambda one: -_limited_keys(one, query))


def choose_sorted_index(indexes: Sequence[SubsetIndex], query: RecordQuery) -> SubsetIndex | None:
    """Return the index whose entries hold what the list needs and have to be sorted, the most limited one."""
    covering = [one for one in _usable(indexes, query) if one.covers(replace(query, search=""))]
    return max(covering, key=lambda one: (_limited_keys(one, query), -len(one.keys)), default=None)


def choose_part_index(indexes: Sequence[SubsetIndex], query: RecordQuery) -> SubsetIndex | None:
    """Return the index to sort a list by if what it shows is not among the first records of the subset in its order.

    None if the list is not about a subset, has no further conditions, or has an index in its order.
    """
    is_filtered = bool(query.at_least or query.below or query.search or len(query.where) > 1)
    if not is_filtered or choose_ordered_index(indexes, query) is not None:
        return None
    return choose_sorted_index(indexes, query)


def split_by_subset(indexes: Sequence[SubsetIndex], query: RecordQuery) -> list[RecordQuery]:
    """Return a query for the records of a subset and one for the others, if the list has both, else the query itself.

    Each is read in a way of its own, because what is usual in one may be rare in the other: old requests are not open.
    """
    for column in dict.fromkeys(index.column for index in indexes):
        wanted = query.where.get(column)
        if isinstance(wanted, tuple) and len(set(wanted)) > 1 and any(map(_is_one, wanted)):
            return [replace(query, where={**query.where, column: value}) for value in dict.fromkeys(wanted)]
    return [query]


def list_position(key: tuple[Scalar, str]) -> tuple[bool, Scalar, str]:
    """Return what the keys of a list are sorted by; records without a value precede those with one."""
    value, record_id = key
    return value is not None, "" if value is None else value, record_id


def only(bounds: Mapping[str, Scalar], name: str) -> dict[str, Scalar]:
    """Return the limit of one column."""
    return {name: bounds[name]} if name in bounds else {}


def without(values: Mapping[str, Value], *names: str) -> dict[str, Value]:
    """Return the conditions on other columns."""
    return {name: value for name, value in values.items() if name not in names}


def bounded_count_indexes(
    indexes: Sequence[SubsetIndex], query: RecordQuery, *, from_key: bool = False
) -> list[SubsetIndex]:
    """Return the indexes over a subset that a bounded count reads, each if it gives up on those before it.

    To count from a key on, the index that has the order of the list begins there.
    """
    ordered = choose_ordered_index(indexes, query) if from_key else None
    if ordered is not None:
        return [ordered]
    found = [*limiting_indexes(indexes, query, with_order=from_key)[:2], choose_sorted_index(indexes, query)]
    return list(dict.fromkeys(one for one in found if one is not None))


def value_indexes(columns: Sequence[Column], indexes: Sequence[SubsetIndex], query: RecordQuery) -> list[ValueIndex]:
    """Return the indexes over all records with values of the query; of one about a subset, those with limits in it."""
    if _usable(indexes, query):
        about = (column for column in columns if column.subsets and _is_one(query.where.get(column.name)))
        return [index for column in about for index in _within_limits(column, query)]
    found = []
    for column in columns:
        filters = [name for name in (column.name, *column.filtered_with) if _is_single(query.where.get(name))]
        if (
            column.filtered_with
            and column.name in filters
            and (len(filters) > 1 or query.order not in column.ordered_by)
        ):
            where = {
                name: query.where[name]
                for name in takewhile(filters.__contains__, (column.name, *column.filtered_with))
            }
            conditions = replace(query, where=where, at_least={}, below={}, search="")
            found.append(ValueIndex(f"with_{column.name}", conditions, MAX_SORTED))
        at_least, below = only(query.at_least, column.name), only(query.below, column.name)
        found += () if column.subsets else _within_limits(column, query)
        if (at_least or below) and column.indexed and not column.ordered_by and column.name != query.order:
            conditions = replace(query, where={}, at_least=at_least, below=below, search="")
            found.append(ValueIndex(f"by_{column.name}", conditions, MAX_SORTED))
    return found


def _within_limits(column: Column, query: RecordQuery) -> Iterator[ValueIndex]:
    """Yield the indexes with one value of a column, and limits of one that its lists are ordered by."""
    if not _is_single(query.where.get(column.name)):
        return
    may_be_unlimited = not (column.filtered_with or column.subsets) and query.order not in column.ordered_by
    for order in column.ordered_by:
        at_least, below = only(query.at_least, order), only(query.below, order)
        is_first = may_be_unlimited and order == column.ordered_by[0]
        if is_first or ((at_least or below) and order != query.order):
            where = {column.name: query.where[column.name]}
            conditions = replace(query, where=where, at_least=at_least, below=below, search="")
            most = MAX_LOOKUPS if column.subsets else MAX_SORTED
            yield ValueIndex(f"by_{column.name}_{order}", conditions, most)


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


def _is_single(wanted: Scalar | tuple[Scalar, ...]) -> bool:
    return wanted is not None and not isinstance(wanted, tuple)


def choose_counted_index(indexes: Sequence[SubsetIndex], query: RecordQuery) -> SubsetIndex | None:
    """Return the index that an exact count reads: the one whose first keys the conditions limit most, of these the smallest."""
    candidates = _covering(indexes, query) or limiting_indexes(indexes, query, with_order=False)
    return max(candidates, key=lambda one: (_limited_keys(one, query), -len(one.keys)), default=None)


def _usable(indexes: Sequence[SubsetIndex], query: RecordQuery) -> list[SubsetIndex]:
    return [one for one in indexes if _is_one(query.where.get(one.column))]


def _covering(indexes: Sequence[SubsetIndex], query: RecordQuery) -> list[SubsetIndex]:
    conditions = {*query.where, *query.at_least, *query.below}
    return [one for one in _usable(indexes, query) if conditions <= {one.column, *one.keys}]


def _limited_keys(index: SubsetIndex, query: RecordQuery) -> int:
    """Return how many of the first keys the query limits; one with a single value counts twice as much as the last one."""
    single, limits = index.prefix(query), index.limits(query)
    return 2 * single + bool(len(limits.where) > single or limits.at_least or limits.below)


def _alternatives(wanted: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    return wanted if isinstance(wanted, tuple) else (wanted,)


def _is_one(wanted: Scalar | tuple[Scalar, ...]) -> bool:
    return not isinstance(wanted, tuple) and wanted == 1
