"""Stored due days follow the rules of the office, whatever else happens to their records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.verification.decider import decider
from shared.calendar import WorkingCalendar, today
from shared.contracts.stages import StageRules
from shared.runtime.decider import Decider
from shared.runtime.due_renewal import DueRenewal
from shared.runtime.service_runtime import ServiceRuntime
from shared.runtime.store_migration import StoreMigration
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.domain.given_when_then import NOON, REQUEST
from tests.support.services.runtime_harness import INTAKE, OTHER, RuntimeHarness, runtime_harness, submit, until

FOLDED_WITHOUT_FORM = "UPDATE verification_documents SET columns_version=NULL, body=?"
USUAL = StageRules(WorkingCalendar({}))
WITH_A_HOLIDAY = StageRules(WorkingCalendar({today(NOON) + timedelta(days=1): "Hari Uji"}))


class Office:
    """The rules in effect."""

    rules = USUAL

    def verification(self) -> Decider[Any]:
        return decider(lambda: self.rules)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


async def with_two_requests(harness: RuntimeHarness, office: Office) -> ServiceRuntime[Any]:
    """Verification with two submitted requests, before its restart."""
    desk = await harness.service(office.verification(), started=True)
    intake = await harness.service(INTAKE, started=True)
    await submit(intake)
    await submit(intake, OTHER, 2)

    async def consumed() -> bool:
        return len(await desk.store.all_ids()) == 2

    await until(consumed)
    await desk.stop()
    return await harness.service(office.verification())


def stored_dues(harness: RuntimeHarness) -> set[str]:
    return {due for (due,) in harness.file.read("SELECT due FROM verification_documents")}


def due(rules: StageRules) -> str:
    return rules.calendar.add_working_days(today(NOON), rules.verify_days).isoformat()


async def test_due_days_are_renewed_once(harness: RuntimeHarness):
    office = Office()
    desk = await with_two_requests(harness, office)
    renewal = DueRenewal(office.verification(), desk.store, lambda: office.rules)
    assert await renewal.renew() == 0
    office.rules = WITH_A_HOLIDAY
    assert stored_dues(harness) == {due(USUAL)} != {due(WITH_A_HOLIDAY)}
    assert await renewal.renew() == 2
    assert stored_dues(harness) == {due(WITH_A_HOLIDAY)}
    assert await renewal.renew() == 0


async def has_passed(renewal: CountedRenewal, passes: int) -> bool:
    return renewal.passes >= passes


class CountedRenewal(DueRenewal[Any]):
    passes = 0

    async def renew(self) -> int:
        self.passes += 1
        return await super().renew()


@pytest.mark.parametrize("changed_before_the_start", [False, True])
async def test_a_pass_is_repeated_only_after_a_change(
    harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch, changed_before_the_start: bool
):
    monkeypatch.setattr("shared.runtime.due_renewal.POLL_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr("shared.runtime.due_renewal.REPEAT_AFTER_SECONDS", (0.05,))
    office = Office()
    desk = await with_two_requests(harness, office)
    if changed_before_the_start:
        office.rules = WITH_A_HOLIDAY
    renewal = CountedRenewal(office.verification(), desk.store, lambda: office.rules)
    running = asyncio.create_task(renewal.run())
    try:
        expected = 2 if changed_before_the_start else 1
        await until(partial(has_passed, renewal, expected))
        await asyncio.sleep(0.2)
        assert renewal.passes == expected
        office.rules = USUAL if changed_before_the_start else WITH_A_HOLIDAY
        await until(partial(has_passed, renewal, expected + 2))
    finally:
        running.cancel()


async def test_of_processes_that_renew_at_once_one_saves_each_record(harness: RuntimeHarness):
    office = Office()
    desk = await with_two_requests(harness, office)
    office.rules = WITH_A_HOLIDAY
    renewals = [DueRenewal(office.verification(), desk.store, lambda: office.rules) for _ in range(3)]
    assert sum(await asyncio.gather(*(renewal.renew() for renewal in renewals))) == 2
    records = await desk.store.load([REQUEST, OTHER])
    assert {record.version for record in records.values()} == {2}


async def test_a_record_of_an_older_version_is_folded_again_although_its_due_day_moves(harness: RuntimeHarness):
    office = Office()
    desk = await with_two_requests(harness, office)
    complete = await desk.store.load([REQUEST, OTHER])
    await harness.file.write(
        lambda db: db.execute(FOLDED_WITHOUT_FORM, (complete[REQUEST].body[:-1] + b',"scope":null}',))
    )
    office.rules = WITH_A_HOLIDAY
    renewal = DueRenewal(office.verification(), desk.store, lambda: office.rules)
    desk.add_background("due days", renewal.run)
    harness.start(desk)

    async def renewed_and_folded_again() -> bool:
        after = await desk.store.load([REQUEST, OTHER])
        bodies = [(after[one].body, complete[one].body) for one in complete]
        return stored_dues(harness) == {due(WITH_A_HOLIDAY)} and all(one == other for one, other in bodies)

    await until(renewed_and_folded_again)


async def test_a_store_with_due_days_by_earlier_rules_is_moved(harness: RuntimeHarness, tmp_path: Path):
    office = Office()
    desk = await with_two_requests(harness, office)
    office.rules = WITH_A_HOLIDAY
    file = SqliteDatabase(tmp_path / "elsewhere.db")
    try:
        verification = office.verification()
        target = SqliteStateStore(file, "verification", verification.indexed_columns, harness.clock)
        await target.prepare()
        report = await StoreMigration(verification, desk.store, target, harness.log, live=False).run({})
        assert (report.trouble, report.equal) == ([], 2)
        assert {row for (row,) in file.read("SELECT due FROM verification_documents")} == {due(WITH_A_HOLIDAY)}
    finally:
        file.close()
