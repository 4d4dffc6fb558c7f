"""Records saved by an older version are folded again from the log, and their columns derived again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.verification.domain.commands import ClaimRequest
from services.verification.projections import requests_query
from shared.eventlog.port import LogRecord
from shared.runtime import column_migration
from shared.runtime.column_migration import BATCH_SIZE, migrate_columns, refold_outdated
from shared.runtime.rebuild import Rebuild
from shared.runtime.service_runtime import ServiceRuntime
from shared.runtime.store_migration import StoreMigration
from shared.storage.port import RecordQuery
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.adapters.test_sqlite_query_plans import plan
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import HASAN
from tests.support.services.runtime_harness import (
    INTAKE,
    OTHER,
    VERIFICATION,
    RuntimeHarness,
    key,
    runtime_harness,
    submit,
    until,
)

OLD = "UPDATE verification_documents SET columns_version=NULL, search='int-2026-000001 rahmat contoh'"
AHEAD_OF_THE_LOG = "UPDATE verification_documents SET seen=?"
FOLDED_WITHOUT_FORM = "UPDATE verification_documents SET body=? WHERE id=?"
OLDER_PROGRAM_WRITES = "UPDATE verification_documents SET version=version+1, search='int-2026-000001 rahmat' WHERE id=?"


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


async def with_records_of_an_older_version(harness: RuntimeHarness) -> ServiceRuntime[Any]:
    """Verification with records of an older version, before its restart."""
    desk = await harness.service(VERIFICATION, started=True)
    intake = await harness.service(INTAKE, started=True)
    await submit(intake)
    await submit(intake, OTHER, 2)

    async def consume_log() -> bool:
        return len(await desk.store.all_ids()) == 2

    await until(consume_log)
    await desk.stop()
    await harness.file.write(lambda db: db.execute(OLD))
    return await harness.service(VERIFICATION)


async def find_ids(desk: ServiceRuntime[Any], words: str) -> list[str]:
    return [record.id for record in (await desk.store.find(requests_query(search=words))).records]


async def test_a_request_saved_by_an_older_version_is_found_by_all_current_search_columns(harness: RuntimeHarness):
    desk = await with_records_of_an_older_version(harness)
    before = await desk.store.load([REQUEST])
    assert await find_ids(desk, "TR\u00c0YEK RAHMAT@DISHUB.EXAMPLE") == []
    desk.start()
    try:
        await until(lambda: find_ids(desk, "TR\u00c0YEK RAHMAT@DISHUB.EXAMPLE"))
    finally:
        await desk.stop()
    after = await desk.store.load([REQUEST])
    assert after[REQUEST] == replace(before[REQUEST], version=before[REQUEST].version + 1)


async def test_a_record_that_an_older_version_folded_is_folded_again_from_the_log(harness: RuntimeHarness):
    desk = await with_records_of_an_older_version(harness)
    complete = await desk.store.load([REQUEST, OTHER])
    await harness.file.write(lambda db: db.execute(FOLDED_WITHOUT_FORM, (b'{"number":"INT-2026-000001"}', REQUEST)))
    assert await refold_outdated(desk.executor.runner, desk.store, harness.log) == 2
    refolded = await desk.store.load([REQUEST, OTHER])
    assert refolded == {one: replace(record, version=record.version + 1) for one, record in complete.items()}
    assert await refold_outdated(desk.executor.runner, desk.store, harness.log) == 0
    assert sorted(await find_ids(desk, "TR\u00c0YEK")) == [REQUEST, OTHER]


@pytest.mark.parametrize("written_by_an_older_program", [False, True])
async def test_a_command_before_that_does_not_hide_the_record(
    harness: RuntimeHarness, written_by_an_older_program: bool
):
    desk = await with_records_of_an_older_version(harness)
    [complete] = (await desk.store.load([REQUEST])).values()
    if written_by_an_older_program:
        await migrate_columns(desk.executor.runner, desk.store)
        await harness.file.write(lambda db: db.execute(OLDER_PROGRAM_WRITES, (REQUEST,)))
    await harness.file.write(lambda db: db.execute(FOLDED_WITHOUT_FORM, (b'{"course":{"round":1}}', REQUEST)))
    await desk.executor.execute(REQUEST, ClaimRequest(HASAN, HASAN), key(200))
    desk.start()
    try:
        await until(partial(has_form, desk))
    finally:
        await desk.stop()
    [refolded] = (await desk.store.load([REQUEST])).values()
    before, after = json.loads(complete.body), json.loads(refolded.body)
    assert (before["claim"], after["claim"]["officer"]["username"]) == (None, HASAN.username)
    assert {**after, "claim": None, "history": before["history"]} == before


async def has_form(desk: ServiceRuntime[Any]) -> bool:
    [record] = (await desk.store.load([REQUEST])).values()
    return json.loads(record.body)["applicant"] is not None


async def test_a_record_of_which_the_log_has_no_more_events_is_left_as_it_is(
    harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(column_migration, "REFOLD_INTERVAL_SECONDS", 0)
    desk = await with_records_of_an_older_version(harness)
    await harness.file.write(lambda db: db.execute(AHEAD_OF_THE_LOG, (b'{"intake":2}',)))
    before = await desk.store.load([REQUEST, OTHER])
    assert await refold_outdated(desk.executor.runner, desk.store, harness.log) == 0
    assert await desk.store.load([REQUEST, OTHER]) == before


async def test_records_that_an_older_program_writes_after_the_migration_are_migrated_again(harness: RuntimeHarness):
    desk = await with_records_of_an_older_version(harness)
    runner = desk.executor.runner
    assert await migrate_columns(runner, desk.store) == 2
    await harness.file.write(lambda db: db.execute(OLDER_PROGRAM_WRITES, (REQUEST,)))
    assert await find_ids(desk, "TR\u00c0YEK RAHMAT@DISHUB.EXAMPLE") == [OTHER]
    assert await migrate_columns(runner, desk.store) == 1
    assert sorted(await find_ids(desk, "TR\u00c0YEK RAHMAT@DISHUB.EXAMPLE")) == [REQUEST, OTHER]
    assert await migrate_columns(runner, desk.store) == 0


async def test_overwritten_records_are_found_by_an_index(harness: RuntimeHarness):
    desk = await harness.service(VERIFICATION)
    assert isinstance(desk.store, SqliteStateStore)
    [step] = plan(harness.file, desk.store._tables.forget_overwritten(), ())
    assert "verification_documents_overwritten" in step


async def test_a_second_migration_finds_nothing_to_do(harness: RuntimeHarness):
    desk = await with_records_of_an_older_version(harness)
    runner = desk.executor.runner
    assert await migrate_columns(runner, desk.store) == 2
    assert await migrate_columns(runner, desk.store) == 0


async def test_records_to_migrate_are_found_by_an_index(harness: RuntimeHarness):
    desk = await harness.service(VERIFICATION)
    assert isinstance(desk.store, SqliteStateStore)
    find = RecordQuery("id", where={"columns_version": None}, limit=BATCH_SIZE)
    [step] = plan(harness.file, *desk.store._paginator.list_statement(find, BATCH_SIZE))
    assert "by_columns_version (columns_version=?)" in step


async def test_a_store_of_an_older_version_is_migrated_to_another_and_is_equal(harness: RuntimeHarness, tmp_path: Path):
    desk = await with_records_of_an_older_version(harness)
    file = SqliteDatabase(tmp_path / "elsewhere.db")
    try:
        target = SqliteStateStore(file, "verification", VERIFICATION.indexed_columns, harness.clock)
        await target.prepare()
        settled = await StoreMigration(VERIFICATION, desk.store, target, harness.log, live=False).run({})
        assert (settled.trouble, settled.equal) == ([], 2)
    finally:
        file.close()


async def test_other_tasks_run_while_records_are_folded_again(harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch):
    desk = await with_records_of_an_older_version(harness)
    in_a_row, most = 0, 0
    fold = Rebuild._fold_record

    def counted(rebuild: Rebuild[Any], record: LogRecord) -> None:
        nonlocal in_a_row, most
        in_a_row += 1
        most = max(most, in_a_row)
        fold(rebuild, record)

    async def others() -> None:
        nonlocal in_a_row
        while True:
            in_a_row = 0
            await asyncio.sleep(0)

    monkeypatch.setattr(Rebuild, "_fold_record", counted)
    monkeypatch.setattr("shared.runtime.rebuild.FOLDED_IN_A_ROW", 1)
    running = asyncio.create_task(others())
    await refold_outdated(desk.executor.runner, desk.store, desk.log)
    running.cancel()
    assert most == 1
