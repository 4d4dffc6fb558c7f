"""Query plans of the MongoDB state store: lists and lookups use an index, without a full sort or scan."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from services.assignment import projections as assignment
from services.assignment.projections import INDEXED_COLUMNS as ASSIGNMENT
from services.intake.projections import INDEXED_COLUMNS as INTAKE
from services.notification.projections import INDEXED_COLUMNS as NOTIFICATION
from services.verification import projections as verification
from services.verification.projections import INDEXED_COLUMNS as VERIFICATION
from shared.contracts.stages import Stage
from shared.storage import subsets
from shared.storage.mongo import queries
from shared.storage.mongo.client import MongoDatabase
from shared.storage.mongo.mapping import HAS_OUTBOX, IS_DUE
from shared.storage.mongo.store import MongoStateStore
from shared.storage.mongo.word_index import term_filter
from shared.storage.port import Column, RecordQuery, Scalar
from shared.storage.subsets import subset_indexes, value_indexes
from tests.support.adapters.offered_lists import LISTS, random_request
from tests.support.adapters.state_records import COLUMNS, NOW, make_write, save_write

pytestmark = [pytest.mark.slow, pytest.mark.engines("mongo")]

STORED = 1500
PAGE = 20
MANY, MAX_READ, MAX_EXAMINED = 4_000, 200, 1_000
"""Records, half of them open, entries that are read at most, and keys or documents examined for a list or count."""
VALUES: dict[str, Sequence[Scalar]] = {
    "status": ("submitted", "returned", "verified", "assigned") * 40 + ("rare",),
    "unit": ("dinas", "badan"),
    "scope": ("new", "change"),
    "lead": ("dewi", "jafar", None),
    "lead_name": ("dewi", "jafar", ""),
    "email": ("siti@dinas.example", "rahmat@dinas.example"),
}


@dataclass
class FilledStore:
    """A store of one service with many records, and its collection through the driver."""

    store: MongoStateStore
    records: Collection[dict[str, Any]]

    def plans(self, find: RecordQuery, index: str = "") -> list[dict[str, Any]]:
        lister, limit = self.store._paginator, find.limit + 1
        return [
            self.records.find(stretch, sort=lister.order(find), limit=limit, hint=index or lister.hint(find)).explain()
            for stretch in lister.filters_beyond(find)
        ]


def stages(explained: dict[str, Any]) -> Iterator[dict[str, Any]]:
    plan = explained["queryPlanner"]["winningPlan"]
    waiting = [plan.get("queryPlan", plan)]
    while waiting:
        stage = waiting.pop()
        yield stage
        waiting += [stage["inputStage"]] if "inputStage" in stage else stage.get("inputStages", [])


def assert_uses_index(explained: dict[str, Any], index: str = "", examined: int = STORED * 6 // 10) -> None:
    kinds = {stage["stage"] for stage in stages(explained)}
    assert "IXSCAN" in kinds or "COUNT_SCAN" in kinds, kinds
    read = {stage["indexName"] for stage in stages(explained) if "indexName" in stage}
    # What an index over open requests finds may be sorted.
    assert not kinds & ({"COLLSCAN"} if all(one.startswith("open_") for one in read) else {"COLLSCAN", "SORT"}), kinds
    if index:
        assert read == {index}
    assert explained["executionStats"]["totalKeysExamined"] <= examined


@asynccontextmanager
async def filled(
    place: tuple[str, str], service: str, columns: Sequence[Column], stored: int = STORED
) -> AsyncIterator[FilledStore]:
    address, name = place
    database, pick = MongoDatabase(address, name), random.Random(7)
    store = MongoStateStore(database, service, columns, lambda: NOW)
    await store.prepare()
    writes = []
    for number in range(stored):
        values = {column.name: sample_value(column, pick) for column in columns}
        write = make_write(f"{number:05d}")
        writes.append(replace(write, columns=values | {"number": f"INT-{number:06d}"}))
    await save_write(store, *writes)
    with MongoClient[dict[str, Any]](address) as client:
        yield FilledStore(store, client[name][f"{service}_documents"])
    await database.close()


def sample_value(column: Column, pick: random.Random) -> Scalar:
    if column.kind == "integer":
        return pick.choice((0, 1))
    day = f"2026-{pick.randrange(1, 13):02d}-{pick.randrange(1, 29):02d}"
    return pick.choice(VALUES.get(column.name, (day, None)))


KEYS: tuple[tuple[Scalar, str] | None, ...] = (None, ("2026-07-01", "00700"), (None, "00700"))


def pages(find: RecordQuery) -> list[RecordQuery]:
    """Return queries from each key on, in both directions and both orders."""
    both = [replace(find, descending=descending, limit=PAGE) for descending in (False, True)]
    return [replace(one, **{side: key}) for one in both for key in KEYS for side in ("after", "before")]  # type: ignore[arg-type]


async def test_a_page_is_found_by_an_index_in_both_directions(mongo_database: tuple[str, str]):
    async with filled(mongo_database, "verification", COLUMNS) as full:
        wheres: list[dict[str, Scalar | tuple[Scalar, ...]]] = [
            {},
            {"status": "rare"},
            {"status": ("rare", "returned", None)},
        ]
        for where in wheres:
            for page in pages(RecordQuery("submitted_at", where=where)):
                for plan in full.plans(page):
                    assert_uses_index(plan, examined=STORED // 10)


async def test_the_queries_of_every_command_use_an_index(mongo_database: tuple[str, str]):
    async with filled(mongo_database, "verification", COLUMNS) as full:
        records = full.records
        await full.store.save([make_write("00007", 2, events=["e1", "e2"], due_at=NOW, number="INT-000007")])
        number = {"number": {"$gte": "INT-", "$lt": "INT-\U0010ffff"}}
        for asked, index in (
            (records.find({"number": "INT-000700"}), "by_number"),
            (records.find(number, {"number": 1, "_id": 0}, sort=[("number", -1)], limit=1), "by_number"),
            (records.find({"due_at": {**IS_DUE, "$lte": NOW.timestamp()}}, sort=[("due_at", 1), ("_id", 1)]), "due"),
            (records.find({"_id": {"$gte": "0"}, **HAS_OUTBOX}, sort=[("_id", 1)]), "waiting"),
            (records.find({"$and": [{"_id": {"$gte": ""}}, HAS_OUTBOX, {"outbox.id": {"$in": ["e1"]}}]}), "waiting"),
        ):
            assert_uses_index(asked.explain(), index, examined=4)


SERVICES: dict[str, tuple[Sequence[Column], Sequence[RecordQuery]]] = {
    "intake": (INTAKE, [RecordQuery("submitted_at", where={"email": "siti@dinas.example"}, limit=10, descending=True)]),
    "verification": (
        VERIFICATION,
        [
            verification.requests_query(),
            verification.requests_query(status="verified"),
            verification.requests_query(status=("submitted", "returned"), scope="new"),
            verification.requests_query(unit="dinas", open_only=True),
            verification.requests_query(open_only=True),
            verification.requests_query(open_only=True, status="verified", order="unit"),
        ],
    ),
    "assignment": (
        ASSIGNMENT,
        [
            assignment.requests_query(),
            assignment.requests_query(status=("verified", "assigned")),
            assignment.requests_query(open_only=True, overdue_on=date(2026, 7, 1)),
            assignment.requests_query(advised=True),
            assignment.work_list_query("dewi"),
            assignment.open_work_query("dewi"),
            assignment.overdue_work_query("dewi", date(2026, 7, 1)),
            assignment.overdue_query(date(2026, 7, 1)),
            assignment.overdue_query(date(2026, 7, 1), stages=(Stage.VERIFY,)),
            assignment.overdue_query(date(2026, 7, 1), responsible="staff:dewi"),
            assignment.overdue_query(date(2026, 7, 1), responsible="staff:dewi", stages=(Stage.WORK,)),
        ],
    ),
    "notification": (
        NOTIFICATION,
        [
            RecordQuery("newest"),
            RecordQuery("newest", where={"failed": 1}),
            RecordQuery("newest", where={"sending": 1}, limit=200),
        ],
    ),
}


@pytest.mark.parametrize("service", SERVICES)
async def test_the_lists_of_every_service_follow_an_index(mongo_database: tuple[str, str], service: str):
    columns, finds = SERVICES[service]
    async with filled(mongo_database, service, columns) as full:
        for find in finds:
            for page in pages(find):
                for plan in full.plans(page):
                    assert_uses_index(plan)


@pytest.mark.parametrize("service", LISTS)
async def test_no_list_that_is_offered_scans_or_sorts_more_than_open_requests(
    mongo_database: tuple[str, str], service: str
):
    columns, lists, board = LISTS[service]
    async with filled(mongo_database, service, columns, stored=20) as full:
        offered = [one for listed in lists for one in listed.queries(1, orders=["name", "-due"])]
        for name, query in [*((str(query), query) for query in board), *offered]:
            for explained in full.plans(query):
                try:
                    assert_uses_index(explained)
                except AssertionError as error:
                    raise AssertionError(name) from error


@pytest.mark.parametrize("service", LISTS)
async def test_few_records_with_some_values_are_found_by_an_index_for_them(
    mongo_database: tuple[str, str], service: str
):
    columns, lists, _ = LISTS[service]
    async with filled(mongo_database, service, columns, stored=20) as full:
        queries = [query for listed in lists for _, query in listed.queries(2, orders=["name"])]
        found = [
            (index, query) for query in queries for index in value_indexes(columns, subset_indexes(columns), query)
        ]
        assert {index.name for index, _ in found} >= (
            {"with_status"} if service == "assignment" else {"by_submitted_at"}
        )
        for index, query in found:
            assert await full.store._paginator._choose_few(query) is not None
            for explained in full.plans(query, index.name):
                kinds = {stage["stage"] for stage in stages(explained)}
                assert "IXSCAN" in kinds, query
                [bounds] = [stage["indexBounds"] for stage in stages(explained) if "indexBounds" in stage]
                [first] = bounds[next(iter(bounds))]
                assert not first.startswith("[MinKey"), query


@pytest.mark.parametrize("service", LISTS)
async def test_lists_and_counts_of_many_requests_read_a_limited_part(
    mongo_database: tuple[str, str], monkeypatch: pytest.MonkeyPatch, service: str
):
    monkeypatch.setattr(subsets, "MAX_ENTRIES", MAX_READ)
    monkeypatch.setattr(subsets, "MAX_TESTED_ENTRIES", MAX_READ)
    monkeypatch.setattr(subsets, "MAX_SORTED", MAX_READ)
    for module in (subsets, queries):
        monkeypatch.setattr(module, "MAX_LOOKUPS", MAX_READ // 4)
    address, name = mongo_database
    columns, lists, _ = LISTS[service]
    store = MongoStateStore(database := MongoDatabase(address, name), service, columns, lambda: NOW)
    await store.prepare()
    await save_write(store, *(random_request(columns, number, is_open=number % 2 > 0) for number in range(MANY)))
    offered = {
        str(query): query
        for listed in lists
        for _, query in listed.queries(1, ["name", "-due", "lead"])
        if not query.search and "open" in query.where
    }
    read = dict[str, tuple[int, int]]()
    with MongoClient[dict[str, Any]](address) as client:
        for text, query in offered.items():
            with profiled(client[name], read, f"page of {text}"):
                await store.find(replace(query, limit=5))
            if query.where["open"] == 1:
                with profiled(client[name], read, f"count of {text}"):
                    await store.bounded_count(query)
    await database.close()
    assert len(read) > 150
    assert {text: number for text, number in read.items() if max(number) > MAX_EXAMINED} == {}


@contextmanager
def profiled(database: Database[dict[str, Any]], read: dict[str, tuple[int, int]], name: str) -> Iterator[None]:
    """Note how many keys of indexes and how many documents the server examines."""
    database.command("profile", 2)
    yield
    database.command("profile", 0)
    rows = list(database["system.profile"].find({"op": {"$in": ["query", "command", "getmore"]}}))
    database["system.profile"].drop()
    assert rows
    read[name] = sum(row.get("keysExamined", 0) for row in rows), sum(row.get("docsExamined", 0) for row in rows)


async def test_a_column_declared_later_has_no_value_in_existing_records(mongo_database: tuple[str, str]):
    address, name = mongo_database
    database = MongoDatabase(address, name)
    before = MongoStateStore(database, "verification", COLUMNS[:1], lambda: NOW)
    await before.prepare()
    await save_write(before, make_write("a"))
    after = MongoStateStore(database, "verification", COLUMNS, lambda: NOW)
    await after.prepare()
    await save_write(after, make_write("b", status="verified"))
    assert (await after.find(RecordQuery("number", where={"status": None}))).records == (make_write("a").record,)
    assert (await after.find(RecordQuery("submitted_at"))).keys == ((None, "a"), (None, "b"))
    await database.close()


@pytest.mark.parametrize("name", ["body", "change", "1st", "a b", "$where", "a.b"])
def test_invalid_column_names_are_refused(name: str):
    with pytest.raises(ValueError, match="names of collections"):
        MongoStateStore(MongoDatabase("mongodb://127.0.0.1:1"), "verification", [Column(name)], lambda: NOW)


async def test_words_are_counted_in_the_index_alone(mongo_database: tuple[str, str]):
    async with filled(mongo_database, "verification", COLUMNS) as full:
        await save_write(full.store, make_write("x", search="siti.a+b@dinas.example \\q *r"))
        for term in ("dinas.exa", "siti.a+b@", " si", "ti.a+b@dinas.example", " *r", "\\q", "it"):
            explained = full.records.database.command(
                {"explain": {"count": full.records.name, "query": term_filter(term), "hint": "words", "limit": 50}}
            )
            kinds = {stage["stage"] for stage in stages(explained)}
            assert not kinds & {"COLLSCAN", "FETCH", "SORT"}, (term, kinds)
            assert explained["executionStats"]["totalKeysExamined"] <= 3
        page = await full.store.find(RecordQuery("submitted_at", search="dinas.example"))
        assert [record.id for record in page.records] == ["x"]
