"""Lists and counts of a subset of the records, and lists of it with the others, against a plain filter and sort."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

import pytest

from shared.storage import search as words
from shared.storage import subsets
from shared.storage.mongo import queries as mongo_queries
from shared.storage.port import BoundedCount, RecordPage, RecordQuery, Scalar, StateStore, Write
from shared.storage.sqlite import queries as sqlite_queries
from tests.support.adapters.state_records import make_write, save_write
from tests.support.adapters.stores_and_logs import OpenStore

WAYS = {"few are sorted": (40, 40, 40), "a part is enough": (0, 0, 40), "a part is not enough": (0, 0, 3)}
"""MAX_ENTRIES, MAX_TESTED_ENTRIES and MAX_LOOKUPS."""
ORDERS = ("submitted_at", "unit", "due", "percent")
DAYS: tuple[Scalar, ...] = (None, "2026-07-01", "2026-07-02", "2026-07-03")
Conditions = Mapping[str, Scalar | tuple[Scalar, ...]]
WHERES: Sequence[Conditions] = (
    {},
    {"status": "new"},
    {"unit": "a", "status": "old"},
    {"status": ("new", "old")},
    {"unit": "zzz"},
)
LIMITS: Sequence[tuple[Mapping[str, Scalar], Mapping[str, Scalar]]] = (
    ({}, {}),
    ({}, {"due": "2026-07-03"}),
    ({"submitted_at": "2026-07-02"}, {}),
    ({}, {"submitted_at": "2026-07-03"}),
)
QUERIES = [
    RecordQuery(order, where={"open": 1, **where}, at_least=at_least, below=below, limit=4, descending=descending)
    for order, where, (at_least, below), descending in product(ORDERS, WHERES, LIMITS, (False, True))
]
OF_ALL = [replace(query, where={**query.where, "open": (0, 1)}) for query in QUERIES]


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[StateStore]:
    async with open_store("verification") as opened:
        await opened.prepare()
        yield opened


def limit_reads(monkeypatch: pytest.MonkeyPatch, entries: int, tested: int, lookups: int) -> None:
    monkeypatch.setattr(subsets, "MAX_ENTRIES", entries)
    monkeypatch.setattr(subsets, "MAX_SORTED", max(entries, 1))
    monkeypatch.setattr(subsets, "MAX_TESTED_ENTRIES", tested)
    for module in (subsets, sqlite_queries, mongo_queries):
        monkeypatch.setattr(module, "MAX_LOOKUPS", lookups)


@pytest.mark.parametrize("search", ["dinas", "d-07", "dinas d-1"])
async def test_a_search_finds_the_same_in_a_subset_and_the_others(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, search: str
):
    monkeypatch.setattr(words, "MAX_CANDIDATES", 20)
    texts = {write.record.id: f"dinas d-{write.record.id}" for write in sample_writes()}
    writes = [replace(one, columns={**one.columns, "search": texts[one.record.id]}) for one in sample_writes()]
    await save_write(store, *writes)
    for query in OF_ALL[::3]:
        found = [one for one in expected(writes, query) if all(word in texts[one] for word in search.split())]
        await check_pages(store, replace(query, search=search), found)


def sample_writes() -> list[Write]:
    pick = random.Random(11)
    return [
        make_write(
            f"{number:02d}",
            open=int(number % 4 > 0),
            status=pick.choice(("new", "old", None)),
            unit=pick.choice(("a", "b", None)),
            submitted_at=pick.choice(DAYS),
            due=pick.choice(DAYS),
            percent=pick.choice((None, 0, 50)),
        )
        for number in range(36)
    ]


def sort_key(write: Write, order: str) -> tuple[bool, str, str]:
    value = write.columns[order]
    return value is not None, "" if value is None else f"{value:>10}", write.record.id


def expected(writes: Sequence[Write], query: RecordQuery) -> list[str]:
    def matches(write: Write) -> bool:
        def has(name: str, wanted: Scalar | tuple[Scalar, ...]) -> bool:
            return write.columns[name] in (wanted if isinstance(wanted, tuple) else (wanted,))

        def value(name: str) -> str:
            return str(write.columns[name] or "")

        return (
            all(has(name, wanted) for name, wanted in query.where.items())
            and all(value(name) >= str(limit) for name, limit in query.at_least.items())
            and all("" < value(name) < str(limit) for name, limit in query.below.items())
        )

    found = sorted(filter(matches, writes), key=lambda write: sort_key(write, query.order), reverse=query.descending)
    return [write.record.id for write in found]


def ids(page: RecordPage) -> list[str]:
    return [record.id for record in page.records]


async def check_pages(store: StateStore, query: RecordQuery, wanted: list[str]) -> None:
    """Read all pages forwards, and each but the first backwards again."""
    page, met = await store.find(query), list[str]()
    assert not page.has_previous
    while True:
        met += ids(page)
        assert page.has_next == (len(met) < len(wanted)), query
        if not page.has_next:
            break
        following = await store.find(replace(query, after=page.keys[-1]))
        assert following.has_previous, query
        back = await store.find(replace(query, before=following.keys[0]))
        assert (ids(back), back.has_next, back.has_previous) == (ids(page), True, page.has_previous), query
        page = following
    assert met == wanted, query


@pytest.mark.parametrize("way", WAYS)
async def test_a_list_of_a_subset_is_the_same_however_it_is_read(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, way: str
):
    limit_reads(monkeypatch, *WAYS[way])
    writes = sample_writes()
    await save_write(store, *writes)
    for query in (*QUERIES, *OF_ALL):
        await check_pages(store, query, expected(writes, query))


@pytest.mark.parametrize("most", [2, 10, 1000])
async def test_a_bounded_count_is_exact_or_a_lower_bound(store: StateStore, monkeypatch: pytest.MonkeyPatch, most: int):
    limit_reads(monkeypatch, most, most, most)
    writes = sample_writes()
    await save_write(store, *writes)
    inexact = 0
    for query in QUERIES:
        wanted, keys = expected(writes, query), (await store.find(replace(query, limit=100))).keys
        counts = [(await store.bounded_count(query), len(wanted))]
        counts += [(await store.bounded_count(query, key), place) for place, key in list(enumerate(keys))[::7]]
        for counted, number in counts:
            assert counted.number == number if counted.is_exact else counted.number <= number, query
            inexact += not counted.is_exact
    assert (inexact == 0) == (most == 1000)


def test_a_count_reads_as_a_number_with_a_plus_if_there_may_be_more():
    counts = [BoundedCount(0), BoundedCount(17), BoundedCount(10_000, is_exact=False)]
    assert [str(count) for count in counts] == ["0", "17", "10000+"]
    assert [bool(count) for count in counts] == [False, True, True]
    assert sum(counts, BoundedCount(0)) == BoundedCount(10_017, is_exact=False)
