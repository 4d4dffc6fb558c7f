"""Query plans of the SQLite state store: lists and lookups use an index, without a full sort or scan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from services.notification import projections as notification
from services.notification.domain.state import STATUSES
from shared.identity.sqlite import SqliteAccountStore
from shared.storage import search, subsets
from shared.storage.port import Column, RecordQuery, Scalar, StateStore, sortable_time
from shared.storage.sqlite import queries, schema
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.queries import KeysetPaginator
from shared.storage.sqlite.schema import Tables
from shared.storage.sqlite.store import SqliteStateStore
from shared.storage.sqlite.word_index import WordIndex
from shared.storage.subsets import MAX_SORTED
from tests.support.adapters.offered_lists import LISTS, random_request
from tests.support.adapters.state_records import COLUMNS, NOW, make_write, save_write

TABLES = Tables("verification", COLUMNS)
LISTER = KeysetPaginator("verification", COLUMNS)
MANY_OPEN, MAX_STEPS = 5_000, 20_000
"""Open requests, and steps of SQLite's machine for a list of them; to read all takes five or more for each."""
KEYS: tuple[tuple[Scalar, str] | None, ...] = (None, ("2026-07-01", "5"), (None, "5"))


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "simpul.db")
    await make_store(opened).prepare()
    yield opened
    opened.close()


def make_store(file: SqliteDatabase, columns: Sequence[Column] = COLUMNS) -> StateStore:
    return SqliteStateStore(file, "verification", columns, lambda: NOW)


def plan(file: SqliteDatabase, sql: str, bindings: Sequence[Any] = ()) -> list[str]:
    return [row[3] for row in file.read("EXPLAIN QUERY PLAN " + sql, bindings)]


def pages(find: RecordQuery) -> list[RecordQuery]:
    """Return queries from each key on, in both directions and both orders."""
    both = [replace(find, descending=descending) for descending in (False, True)]
    return [replace(one, **{side: key}) for one in both for key in KEYS for side in ("after", "before")]  # type: ignore[arg-type]


def assert_each_branch_follows(file: SqliteDatabase, find: RecordQuery, index: str) -> None:
    for page in pages(find):
        for sql, bindings in LISTER.branches(page, 51):
            [step] = plan(file, sql, bindings)
            assert f"verification_documents_by_{index}" in step


@pytest.mark.parametrize("status", ["verified", None, ("submitted", "returned", None)])
def test_a_list_of_some_statuses_follows_their_order(file: SqliteDatabase, status: Scalar | tuple[Scalar, ...]):
    find = RecordQuery("submitted_at", where={"status": status})
    assert_each_branch_follows(file, find, "status_submitted_at (status=?")


def test_an_additional_filter_needs_no_sorting(file: SqliteDatabase):
    find = RecordQuery("submitted_at", where={"status": "verified"}, below={"percent": 50}, search="dinas kesehatan")
    assert_each_branch_follows(file, find, "status_submitted_at (status=?")


def test_a_list_of_everything_follows_the_index_of_its_order(file: SqliteDatabase):
    for column in ("submitted_at", "percent"):
        assert_each_branch_follows(file, RecordQuery(column), column)


def test_a_later_page_is_found_by_an_index_and_not_counted_to(file: SqliteDatabase):
    find = RecordQuery("submitted_at", where={"status": "verified"}, after=("2026-07-01", "5"))
    [(sql, bindings)] = LISTER.branches(find, 51)
    assert "(status=? AND (submitted_at,id)>(?,?))" in plan(file, sql, bindings)[0]


def test_only_the_rows_of_the_branches_are_sorted(file: SqliteDatabase):
    steps = plan(
        file, *LISTER.list_statement(RecordQuery("submitted_at", where={"status": ("submitted", "verified")}), 51)
    )
    assert not any(step.startswith("SCAN verification") for step in steps)
    assert sum(step.startswith("SEARCH verification") for step in steps) == 2


def test_the_queries_of_every_command_use_an_index(file: SqliteDatabase):
    looked_up = [
        (TABLES.select_one, "id=?"),
        (TABLES.select_many, "id=?"),
        (TABLES.select_by("number"), "number=?"),
        (TABLES.greatest("number"), "number>? AND number<?"),
        (TABLES.sql("SELECT id FROM @documents WHERE due_at <= ? ORDER BY due_at, id LIMIT ?"), "due_at<?"),
        (TABLES.sql("SELECT change FROM @documents WHERE change > ? ORDER BY change LIMIT ?"), "change>?"),
        (TABLES.sql("DELETE FROM @outbox WHERE event_id IN (SELECT value FROM json_each(?))"), "event_id=?"),
        (TABLES.sql("SELECT 1 FROM @letters WHERE subject=? AND state='parked' LIMIT 1"), "subject=?"),
    ]
    for sql, way in looked_up:
        steps = plan(file, sql, [None] * sql.count("?"))
        assert any(f"({way}" in step for step in steps), steps
        assert not any(step.startswith("SCAN verification") for step in steps), steps


def test_an_update_touches_only_changed_indexes(file: SqliteDatabase):
    [first, *_] = plan(file, TABLES.update((2,), migrated=False), [None] * 7)
    assert "verification_documents USING INDEX" in first
    assert "(id=?)" in first
    touched = "; ".join(
        str(row)
        for row in file.read("EXPLAIN " + TABLES.update((), migrated=False), [None] * 6)
        if row[1] == "IdxInsert"
    )
    assert touched.count("IdxInsert") == 1


async def test_a_column_declared_later_is_added_to_existing_records(tmp_path: Path):
    file = SqliteDatabase(tmp_path / "simpul.db")
    before = make_store(file, COLUMNS[:1])
    await before.prepare()
    await save_write(before, make_write("a"))
    after = make_store(file)
    await after.prepare()
    await save_write(after, make_write("b", status="verified"))
    assert (await after.find(RecordQuery("number", where={"status": None}))).records == (make_write("a").record,)
    assert (await after.find(RecordQuery("number", where={"status": "verified"}))).records == (make_write("b").record,)
    file.close()


@pytest.mark.parametrize("status", STATUSES)
async def test_messages_of_a_status_follow_an_index_over_the_requests_that_have_one(tmp_path: Path, status: str):
    file = SqliteDatabase(tmp_path / "simpul.db")
    await SqliteStateStore(file, "notification", notification.INDEXED_COLUMNS, lambda: NOW).prepare()
    lister = KeysetPaginator("notification", notification.INDEXED_COLUMNS)
    query = RecordQuery("newest", where={status: 1}, descending=True)
    for sql, bindings in (*lister.branches(query, 51), lister.count_statement(query)):
        [step] = plan(file, sql, bindings)
        assert f"INDEX notification_documents_{status}_newest" in step
    file.close()


async def test_only_retired_indexes_are_dropped_because_other_versions_may_be_running(tmp_path: Path):
    file = SqliteDatabase(tmp_path / "simpul.db")
    columns = (Column("number", unique=True), Column("status"))
    await make_store(file, columns).prepare()
    kept = {"verification_documents_by_number", "verification_documents_by_status", '"of the operator"'}
    for name in (*kept, "verification_documents_by_stage_due"):
        create = f"CREATE INDEX IF NOT EXISTS {name} ON verification_documents (version)"
        await file.write(partial(apsw.Connection.execute, statements=create))
    await make_store(file, columns[:1]).prepare()
    rows = file.read("SELECT name FROM sqlite_schema WHERE type='index' AND tbl_name='verification_documents'")
    names = {name for (name,) in rows if not name.startswith("sqlite_")}
    assert names == {name.strip('"') for name in kept} | {"verification_documents_due"}
    file.close()


async def test_each_index_that_many_records_lack_is_created_and_logged_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(schema, "MAX_INDEXED_AT_ONCE", 2)
    caplog.set_level("INFO")
    file = SqliteDatabase(tmp_path / "simpul.db")
    store = make_store(file)
    await store.prepare(for_lists=False)
    await save_write(store, *(make_write(f"{number}", status="verified") for number in range(3)))
    await store.prepare()
    created = [record.message for record in caplog.records if "creates index" in record.message]
    assert created[0].startswith("creates index 1 of ")
    rows = file.read("SELECT name FROM sqlite_schema WHERE type='index' AND sql LIKE '%_documents_by_status%'")
    assert len(rows) == 1
    assert len(created) > 4
    caplog.clear()
    await store.prepare()
    assert not [record for record in caplog.records if "creates index" in record.message]
    file.close()


@pytest.mark.parametrize("most", [2, MAX_SORTED])
async def test_few_records_with_some_values_are_found_and_sorted_and_many_read_in_order(
    file: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, most: int
):
    monkeypatch.setattr(subsets, "MAX_SORTED", most)
    store = make_store(file)
    for number in range(12):
        status, unit = "withdrawn" if number % 2 else "completed", "ab"[number % 3 == 0]
        write = make_write(f"{number:02d}", number=f"{number}", open=0, status=status, unit=unit, percent=-number)
        await save_write(store, write)
    find = RecordQuery("percent", where={"status": "withdrawn", "unit": "a", "open": 0}, limit=3)
    first = await store.find(find)
    rest = await store.find(replace(find, after=first.keys[-1]))
    assert [record.id for record in (*first.records, *rest.records)] == ["11", "07", "05", "01"]
    assert (first.has_next, rest.has_previous, rest.has_next) == (True, True, False)
    backwards = await store.find(replace(find, before=rest.keys[0]))
    assert backwards.records == first.records


def test_the_index_with_the_values_of_several_filters_is_read(file: SqliteDatabase):
    find = RecordQuery("percent", where={"status": "withdrawn", "unit": "a", "open": 0})
    [few] = LISTER.few_records(find)
    for statement in (few.count, LISTER.list_statement(find, 51, few)):
        assert "verification_documents_with_status (status=? AND unit=?)" in "\n".join(plan(file, *statement))
    assert LISTER.few_records(RecordQuery("submitted_at", where={"status": "withdrawn"})) == []


def test_few_requests_of_some_days_are_found_by_their_submission(file: SqliteDatabase):
    first, last = {"submitted_at": "2026-07-01"}, {"submitted_at": "2026-08-01"}
    find = RecordQuery("number", where={"open": (0, 1)}, at_least=first, below=last)
    [few] = LISTER.few_records(find)
    for statement in (few.count, LISTER.list_statement(find, 51, few)):
        assert "by_submitted_at (submitted_at>? AND submitted_at<?)" in "\n".join(plan(file, *statement))
    assert LISTER.few_records(replace(find, order="submitted_at")) == []


@pytest.mark.parametrize("name", ["body", "change", "1st", "a b", "x); DROP TABLE log; --"])
def test_invalid_column_names_are_refused(name: str):
    with pytest.raises(ValueError, match="names of tables"):
        Tables("verification", [Column(name)])


@pytest.mark.parametrize("table", ["tries", "sign_in_successes"])
async def test_old_sign_ins_are_found_by_their_time_in_a_file_of_an_older_version_too(tmp_path: Path, table: str):
    opened = SqliteDatabase(tmp_path / "simpul.db")
    store = SqliteAccountStore(opened)
    await store.prepare()
    await opened.write(lambda db: db.execute(f"DROP INDEX IF EXISTS {table}_by_time"))
    await store.prepare()
    [step] = plan(opened, f"DELETE FROM {table} WHERE at<?", (0,))
    opened.close()
    assert f"{table}_by_time (at<?)" in step


@pytest.mark.parametrize("service", LISTS)
async def test_lists_of_some_days_in_the_order_of_submission_begin_at_these_days(tmp_path: Path, service: str):
    columns, lists, _ = LISTS[service]
    file = SqliteDatabase(tmp_path / "simpul.db")
    store = SqliteStateStore(file, service, columns, lambda: NOW)
    await store.prepare()
    times = [NOW + timedelta(days=days) for days in range(-400, 400, 2)]
    await save_write(
        store,
        *(
            make_write(f"{number:03d}", number=f"INT-{number:03d}", submitted_at=sortable_time(at), open=0)
            for number, at in enumerate(times)
        ),
    )
    lister = KeysetPaginator(service, columns)
    offered = [
        query
        for listed in lists
        for _, query in listed.queries(1, orders=["number", "received_at"][: 1 + (service == "verification")])
    ]
    of_days = [
        query
        for query in offered
        if query.at_least and query.order in ("number", "received_at") and query.where.get("open") != 1
    ]
    assert of_days
    for query in of_days:
        narrowed = await file.read_snapshot(partial(lister._narrowed, query=query))
        assert query.order in narrowed.at_least, query
        for sql, bindings in lister.branches(narrowed, 51):
            assert f"{query.order}>?" in "".join(plan(file, sql, bindings)), query
    file.close()


@pytest.mark.parametrize("service", LISTS)
async def test_no_list_that_is_offered_scans_or_sorts_more_than_open_requests(tmp_path: Path, service: str):
    columns, lists, board = LISTS[service]
    file = SqliteDatabase(tmp_path / "simpul.db")
    await SqliteStateStore(file, service, columns, lambda: NOW).prepare()
    lister, table = KeysetPaginator(service, columns), f"{service}_documents"
    combined = [one for offered in lists for one in (*offered.queries(2, orders=[]), *offered.queries(1))]
    plans = {name: page_plans(file, lister, query) for name, query in [*((str(one), one) for one in board), *combined]}
    assert len(plans) > 500
    assert [(name, steps) for name, found in plans.items() for steps in found if is_scan(steps, table)] == []
    file.close()


@pytest.mark.slow
@pytest.mark.parametrize("service", LISTS)
async def test_lists_and_counts_of_many_open_requests_read_a_limited_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
):
    monkeypatch.setattr(subsets, "MAX_ENTRIES", 500)
    monkeypatch.setattr(subsets, "MAX_TESTED_ENTRIES", 500)
    for module in (subsets, queries):
        monkeypatch.setattr(module, "MAX_LOOKUPS", 100)
    columns, lists, _ = LISTS[service]
    file, lister = SqliteDatabase(tmp_path / "simpul.db"), KeysetPaginator(service, columns)
    store = SqliteStateStore(file, service, columns, lambda: NOW)
    await store.prepare()
    await save_write(store, *(random_request(columns, number) for number in range(MANY_OPEN)))
    file.close()
    db = apsw.Connection(str(tmp_path / "simpul.db"), statementcachesize=0)
    offered = {
        str(query): query
        for listed in lists
        for _, query in listed.queries(1, ["name", "-due", "lead"])
        if query.where.get("open") == 1 and not query.search
    }
    steps = dict[str, int]()
    for name, query in offered.items():
        page = replace(query, limit=5)
        steps[f"page of {name}"] = count_steps(db, partial(lister.page, query=page))
        steps[f"count of {name}"] = count_steps(db, partial(lister.bounded_count, query=query))
    db.close()
    assert len(steps) > 100
    assert {name: taken for name, taken in steps.items() if taken > MAX_STEPS} == {}


def count_steps(db: apsw.Connection, read: Callable[[apsw.Connection], object]) -> int:
    steps = list[int]()

    def add(event: dict[str, Any]) -> None:
        steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])

    db.trace_v2(apsw.SQLITE_TRACE_PROFILE, add)
    read(db)
    return sum(steps)


def page_plans(file: SqliteDatabase, lister: KeysetPaginator, query: RecordQuery) -> list[list[str]]:
    """Return the plans of the first page, of a later one, and of its counts if it is a list of open requests."""
    key = ("2026-07-01", "5")
    found = [lister.list_statement(one, 51) for one in (query, replace(query, after=key))]
    if query.where.get("open") == 1:
        found += [lister.count_statement(query), lister.count_statement(query, before=key)]
    return [plan(file, *statement) for statement in found]


def is_scan(steps: Sequence[str], table: str) -> bool:
    """Whether a plan reads all requests, or sorts what no index limits to open requests."""
    reads = [step for step in steps if table in step]
    of_open = all(f"{table}_open_" in step for step in reads)
    is_sorted = any("TEMP B-TREE FOR ORDER BY" in step for step in steps) and not any("MERGE" in step for step in steps)
    return not reads or any(
        (step.startswith("SCAN") and " USING " not in step) or (is_sorted and not of_open) for step in reads
    )


async def test_rare_words_are_looked_up_and_common_ones_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search, "MAX_CANDIDATES", 5)
    file = SqliteDatabase(tmp_path / "simpul.db")
    store = make_store(file)
    await store.prepare()
    await save_write(store, *(make_write(f"{number:02d}", search=f"dinas p{number:02d}@dinas") for number in range(20)))
    words = WordIndex("verification")
    matches = await file.read_snapshot(
        lambda db: [words.match(db, [text]) for text in ("dinas", "p07@", "zzz", "nas p")]
    )
    assert [match is None for match in matches] == [True, False, False, True]
    for find in pages(RecordQuery("submitted_at", where={"status": ("verified", None)}, search="p07@")):
        for sql, bindings in (LISTER.list_statement(find, 51, "match"), LISTER.count_statement(find, "match")):
            steps = plan(file, sql, bindings)
            assert "SEARCH verification_documents USING INTEGER PRIMARY KEY (rowid=?)" in steps
            assert not any(step.startswith("SCAN verification_documents") for step in steps), steps
    file.close()


async def test_a_number_is_not_looked_up_by_what_all_numbers_of_its_year_have(tmp_path: Path):
    file = SqliteDatabase(tmp_path / "simpul.db")
    store = make_store(file)
    await store.prepare()
    numbers = [f"int-{year}-9{number:05d}" for year in (2024, 2025) for number in range(400)]
    await save_write(store, *(make_write(number, search=f"{number} dinas") for number in numbers))
    match = await file.read_snapshot(lambda db: WordIndex("verification").match(db, ["int-2025-900317"]))
    assert match is not None
    assert '"025"' not in match
    found = await store.find(RecordQuery("number", search="int-2025-900317"))
    assert [record.id for record in found.records] == ["int-2025-900317"]
    file.close()


async def test_records_of_an_older_version_are_added_to_the_index_of_words(tmp_path: Path):
    file = SqliteDatabase(tmp_path / "simpul.db")
    store = make_store(file)
    await store.prepare()
    await file.write(make_older)
    await save_write(store, *(make_write(f"{number:03d}", search=f"p{number:03d} dinas") for number in range(450)))
    await store.prepare()
    await save_write(store, make_write("007", 2, search="q007 dinas"), make_write("new", search="q008"))
    words, found = WordIndex("verification"), RecordQuery("number", search="q00")
    assert await file.read_snapshot(words.up_to) == 450
    assert [record.id for record in (await store.find(found)).records] == ["007", "new"]
    added: list[int] = []
    await store.complete_search(added.append)
    assert added == [200, 200, 50]
    assert await file.read_snapshot(lambda db: words.match(db, ["q00"])) is not None
    for text, expected in {"q00": ["007", "new"], "p007": [], "p449": ["449"]}.items():
        assert [record.id for record in (await store.find(replace(found, search=text))).records] == expected
    await store.complete_search(added.append)
    assert len(added) == 3
    file.close()


def make_older(db: apsw.Connection) -> None:
    """Leave the file as a program without the index of words would."""
    for kind in ("insert", "update", "delete"):
        db.execute(f"DROP TRIGGER verification_words_{kind}")
    db.execute("DROP TABLE verification_words")
    db.execute("DROP TABLE verification_words_missing")
