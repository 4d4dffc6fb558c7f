"""Conformance of the state stores: lists, lookups and counts."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.storage import subsets
from shared.storage.port import BoundedCount, RecordPage, RecordQuery, Scalar, StateStore, Write, sortable_time
from shared.storage.subsets import MAX_SORTED
from shared.text.search import build_search_text, normalize_query
from tests.support.adapters.state_records import make_write, save_write

STATUSES = ("submitted", "returned", "verified", None)
TIMES = (None, "2026-07-01", "2026-07-02", "2026-07-03")


def sample_writes(seed: int, count: int = 60) -> list[Write]:
    """Return records with few distinct values, so that many of them are equal, and some without a value."""
    pick = random.Random(seed)
    return [
        make_write(
            f"{pick.randrange(10**6):06d}-{number}",
            status=pick.choice(STATUSES),
            submitted_at=pick.choice(TIMES),
            percent=pick.choice((None, -5, 0, 50, 100)),
            open=pick.choice((0, 1)),
        )
        for number in range(count)
    ]


def sort_key(write: Write, order: str) -> tuple[bool, Any, str]:
    """Return the sort key of a record: without a value before those with one, equal ones by id."""
    value = write.record.id if order == "id" else write.columns[order]
    return value is not None, value if value is not None else "", write.record.id


def expected(writes: list[Write], find: RecordQuery) -> list[str]:
    def matching_ids(write: Write) -> bool:
        return all(
            write.columns[name] in (value if isinstance(value, tuple) else (value,))
            for name, value in find.where.items()
        )

    chosen = sorted(
        filter(matching_ids, writes), key=lambda write: sort_key(write, find.order), reverse=find.descending
    )
    return [write.record.id for write in chosen]


def ids(found: RecordPage) -> list[str]:
    return [record.id for record in found.records]


async def list_all_ids(store: StateStore, find: RecordQuery) -> list[str]:
    """List all ids page by page, and check that each page is the same when reached backwards."""
    met: list[str] = []
    page = await store.find(find)
    assert not page.has_previous
    while True:
        met += ids(page)
        assert [key[1] for key in page.keys] == ids(page)
        if not page.has_next:
            return met
        following = await store.find(replace(find, after=page.keys[-1]))
        assert following.has_previous
        back = await store.find(replace(find, before=following.keys[0]))
        assert (ids(back), back.has_next, back.has_previous) == (ids(page), True, page.has_previous)
        page = following


WHERES: tuple[dict[str, Scalar | tuple[Scalar, ...]], ...] = (
    {},
    {"status": "submitted"},
    {"status": ("submitted", "verified")},
    {"status": ("submitted", None, "submitted")},
    {"status": None},
    {"status": ("returned", "verified"), "open": True},
    {"open": (0, 1), "status": ("returned",)},
)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order", ["submitted_at", "percent", "number", "id"])
async def test_pages_cover_the_whole_list_forwards_and_backwards(store: StateStore, order: str, descending: bool):
    writes = sample_writes(seed=len(order) * 2 + descending)
    await save_write(store, *writes)
    for where in WHERES:
        for limit in (1, 7, 100):
            find = RecordQuery(order, where=where, descending=descending, limit=limit)
            assert await list_all_ids(store, find) == expected(writes, find)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("most", [1, MAX_SORTED])
async def test_requests_of_some_days_are_listed_by_number(
    store: StateStore, descending: bool, most: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(subsets, "MAX_SORTED", most)
    start = datetime(2026, 7, 1, tzinfo=UTC)
    times = [start + timedelta(hours=number * 5, seconds=number % 3 * -30_000) for number in range(60)]
    writes = [
        make_write(f"{number:02d}", number=f"INT-{number:03d}", submitted_at=sortable_time(at))
        for number, at in enumerate(times)
    ]
    await save_write(store, *writes, make_write("none", number=None, submitted_at=sortable_time(start)))
    for first, last in ((start + timedelta(days=3), start + timedelta(days=9)), (start - timedelta(days=9), start)):
        find = RecordQuery(
            "number",
            at_least={"submitted_at": sortable_time(first)},
            below={"submitted_at": sortable_time(last)},
            descending=descending,
            limit=7,
        )
        numbers = [f"{number:02d}" for number, at in enumerate(times) if first <= at < last]
        assert await list_all_ids(store, find) == (numbers[::-1] if descending else numbers)


async def test_a_list_continues_after_a_key_that_no_longer_exists(store: StateStore):
    await save_write(store, *(make_write(name, submitted_at=name) for name in "abcde"))
    await save_write(store, make_write("c", 2, submitted_at="z"))
    assert ids(await store.find(RecordQuery("submitted_at", after=("c", "c")))) == ["d", "e", "c"]
    assert ids(await store.find(RecordQuery("submitted_at", before=("c", "c")))) == ["a", "b"]


async def test_the_page_after_the_last_is_empty_and_has_a_previous_page(store: StateStore):
    await save_write(store, *(make_write(name, submitted_at=name) for name in "ab"))
    beyond = await store.find(RecordQuery("submitted_at", after=("b", "b")))
    assert (ids(beyond), beyond.has_next, beyond.has_previous) == ([], False, True)
    ahead = await store.find(RecordQuery("submitted_at", before=("a", "a")))
    assert (ids(ahead), ahead.has_next, ahead.has_previous) == ([], True, False)


async def test_a_page_whose_predecessors_are_gone_has_no_previous_page(store: StateStore):
    await save_write(store, *(make_write(name, submitted_at=name) for name in "bcd"))
    page = await store.find(RecordQuery("submitted_at", after=("a", "a"), limit=2))
    assert (ids(page), page.has_next, page.has_previous) == (["b", "c"], True, False)
    page = await store.find(RecordQuery("submitted_at", before=("e", "e"), limit=2))
    assert (ids(page), page.has_next, page.has_previous) == (["c", "d"], False, True)


async def test_an_empty_list_has_no_other_pages(store: StateStore):
    found = await store.find(RecordQuery("submitted_at"))
    assert (found.records, found.keys, found.has_next, found.has_previous) == ((), (), False, False)


async def test_one_of_no_values_matches_nothing(store: StateStore):
    await save_write(store, make_write("a", status="submitted"))
    assert ids(await store.find(RecordQuery("submitted_at", where={"status": ()}))) == []
    assert await store.count(RecordQuery("submitted_at", where={"status": ()})) == 0


async def test_below_means_stored_and_smaller(store: StateStore):
    dues = {"early": "2026-07-01", "today": "2026-07-02", "late": "2026-07-03", "none": None}
    await save_write(store, *(make_write(name, due=due, open=1) for name, due in dues.items()))
    overdue = RecordQuery("due", where={"open": 1}, below={"due": "2026-07-03"})
    assert ids(await store.find(overdue)) == ["early", "today"]
    assert await store.count(overdue) == 2


async def test_every_word_of_a_search_must_occur(store: StateStore):
    await save_write(
        store,
        make_write("a", search="int-2026-000001 rahmat contoh dinas kesehatan"),
        make_write("b", search="int-2026-000002 siti contoh inspektorat 100% a_b"),
        make_write("c"),
    )
    for search, found in {
        "contoh": ["a", "b"],
        "  contoh   kese ": ["a"],
        "000002": ["b"],
        "rahmat siti": [],
        "%": [],
        "00%": ["b"],
        "a_": ["b"],
        "a_b": ["b"],
        "'": [],
        "": ["a", "b", "c"],
    }.items():
        assert ids(await store.find(RecordQuery("number", search=search))) == found
        assert await store.count(RecordQuery("number", search=search)) == len(found)


async def test_a_search_matches_folded_text(store: StateStore):
    description = "Data trayek 100% \\_ terhubung ke portal. " * 100
    await save_write(
        store,
        make_write(
            "a", search=build_search_text("INT-2026-000001", "Jum\u02bbat az\u2010Zahr\u0101\u02bc", description)
        ),
        make_write(
            "b", search=build_search_text("INT-2026-000002", "Andr\u00e9 \u2764\ufe0f\u200d\U0001f525 \U0001fae8")
        ),
    )
    for query, found in {
        "jum'at": ["a"],
        "JUM\u2019AT AZ-ZAHRA": ["a"],
        "jumat": ["a"],
        "ANDRE\u0301": ["b"],
        "int\u20112026\u2011000002": ["b"],
        "\U0001fae8": ["b"],
        "100%": ["a"],
        "\\_": ["a"],
        "_": [],
        "$where": [],
        ".*": [],
        "\u2019": [],
    }.items():
        find = RecordQuery("number", search=normalize_query(query))
        assert ids(await store.find(find)) == found, query
        assert await store.count(find) == len(found)


async def test_a_count_ignores_limit_and_key(store: StateStore):
    await save_write(store, *(make_write(f"{number}", status="submitted") for number in range(5)), make_write("x"))
    find = RecordQuery("submitted_at", where={"status": "submitted"}, limit=2, after=(None, "3"))
    assert await store.count(find) == 5


async def test_a_list_has_the_stored_versions(store: StateStore):
    await save_write(store, make_write("a", status="submitted"))
    await save_write(store, make_write("a", 2, status="verified"))
    assert (await store.find(RecordQuery("id", where={"status": "submitted"}))).records == ()
    assert (await store.find(RecordQuery("id", where={"status": "verified"}))).records == (make_write("a", 2).record,)


async def test_a_record_is_found_by_a_unique_value(store: StateStore):
    await save_write(store, make_write("a", number="INT-2026-000001"), make_write("b", number="INT-2026-000002"))
    assert await store.find_one("number", "INT-2026-000002") == make_write("b").record
    assert await store.find_one("number", "INT-2026-000003") is None


async def test_the_greatest_number_of_a_year_is_found(store: StateStore):
    numbers = ("INT-2026-000009", "INT-2026-000010", "INT-2027-000001", "JNT-1", None)
    await save_write(store, *(make_write(str(index), number=number) for index, number in enumerate(numbers)))
    assert await store.greatest("number", "INT-2026-") == "INT-2026-000010"
    assert await store.greatest("number", "INT-2025-") is None


async def test_all_ids_are_listed_in_order_page_by_page(store: StateStore):
    names = sorted(f"{number * 7919 % 100:02d}" for number in range(25))
    await save_write(store, *(make_write(name) for name in reversed(names)))
    assert await store.all_ids() == names
    assert await store.all_ids(limit=10) == names[:10]
    assert await store.all_ids(names[9], 10) == names[10:20]
    assert await store.all_ids(names[-1]) == []


async def test_an_undeclared_column_is_refused(store: StateStore):
    for find in (
        RecordQuery("body"),
        RecordQuery("number", where={"1=1 OR number": 1}),
        RecordQuery("number", below={"version": 3}),
    ):
        with pytest.raises(ValueError, match="no column"):
            await store.find(find)
    with pytest.raises(ValueError, match="no column"):
        await store.find_one("body", "{}")


async def test_at_least_means_stored_and_not_smaller(store: StateStore):
    days = {"early": "2026-07-01", "first": "2026-07-02", "last": "2026-07-03", "none": None}
    await save_write(store, *(make_write(name, submitted_at=day, unit=name) for name, day in days.items()))
    period = RecordQuery("submitted_at", at_least={"submitted_at": "2026-07-02"}, below={"submitted_at": "2026-07-03"})
    assert ids(await store.find(period)) == ["first"]
    assert ids(await store.find(replace(period, order="unit", below={}, descending=True))) == ["last", "first"]
    assert await store.count(period) == 1


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order", ["unit", "due", "percent"])
async def test_open_requests_and_all_requests_have_every_order(store: StateStore, order: str, descending: bool):
    pick = random.Random(5)
    units, dues, percents = ("Badan", "Dinas", None), (None, "2026-07-01", "2026-07-03"), (None, 0, 50)
    writes = [
        make_write(
            f"{number:02d}",
            open=pick.choice((0, 1)),
            unit=pick.choice(units),
            due=pick.choice(dues),
            percent=pick.choice(percents),
            status=pick.choice(STATUSES),
        )
        for number in range(40)
    ]
    await save_write(store, *writes)
    wheres: list[dict[str, Scalar | tuple[Scalar, ...]]] = [
        {"open": 1},
        {"open": (0, 1)},
        {"open": 1, "status": "submitted"},
    ]
    for where in wheres:
        find = RecordQuery(order, where=where, descending=descending, limit=7)
        assert await list_all_ids(store, find) == expected(writes, find)


@pytest.mark.parametrize("descending", [False, True])
async def test_the_records_before_a_key_are_counted(store: StateStore, descending: bool):
    days = (None, None, "2026-07-01", "2026-07-02", "2026-07-02", "2026-07-03")
    await save_write(
        store,
        *(make_write(str(number), submitted_at=day, open=1) for number, day in enumerate(days)),
        make_write("closed", submitted_at="2026-07-01", open=0),
    )
    find = RecordQuery("submitted_at", where={"open": 1}, descending=descending, limit=100)
    keys = (await store.find(find)).keys
    assert [await store.bounded_count(find, key) for key in keys] == [BoundedCount(place) for place in range(6)]
    assert await store.bounded_count(replace(find, where={"open": 2}), keys[-1]) == BoundedCount(0)
