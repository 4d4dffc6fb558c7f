"""Rebuilds from the log: differences are found and repaired, and no email is sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.contracts.envelope import encode_event
from shared.contracts.intake import RequestWithdrawn
from shared.runtime.rebuild import Rebuild
from tests.support.adapters.stored_bodies import replace_in_bodies
from tests.support.domain.given_when_then import REQUEST, make_event
from tests.support.domain.request_events import submitted, verified, withdrawn
from tests.support.services.runtime_harness import (
    INTAKE,
    MANY,
    NOTIFICATION,
    OTHER,
    VERIFICATION,
    VERIFY,
    RuntimeHarness,
    key,
    poisoned,
    runtime_harness,
    status,
    submit,
    until,
)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


async def test_a_damaged_record_is_found_and_repaired_while_commands_go_on(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION, started=True)
    intake = await harness.service(INTAKE, started=True)
    await submit(intake)
    await submit(intake, OTHER, 2)

    async def consume_log() -> bool:
        return len(await verification.store.all_ids()) == 2

    await until(consume_log)
    damage = replace_in_bodies("verification", "INT-2026-000001", "INT-2026-000007", REQUEST)
    await harness.file.write(damage)
    rebuild = Rebuild(VERIFICATION, verification.store, harness.log)
    [difference] = (await rebuild.compare()).differences
    assert (difference.id, difference.fields) == (REQUEST, ("number",))
    await verification.executor.execute(OTHER, VERIFY, key(1))
    assert (await rebuild.swap()).swapped == 1
    again = await Rebuild(VERIFICATION, verification.store, harness.log).compare()
    assert again.clean, again
    assert await status(verification, OTHER) == "verified"


async def test_a_rebuilt_ledger_sends_no_email_again(harness: RuntimeHarness):
    ledger = await harness.service(NOTIFICATION)
    for fact in (submitted, verified):
        await harness.log.append([(REQUEST, encode_event(make_event(fact)))])
    async for batch in harness.log.read():
        await ledger.consumer.handle(batch)
    await harness.log.commit_offset("notification", await harness.log.end())
    before = await ledger.executor.read(REQUEST)
    await harness.file.write(lambda db: db.execute("DELETE FROM notification_documents"))
    rebuild = Rebuild(NOTIFICATION, ledger.store, harness.log)
    assert [difference.kind for difference in (await rebuild.compare()).differences] == ["missing"]
    await rebuild.swap()
    after = await ledger.executor.read(REQUEST)
    assert before is not None
    assert after is not None
    assert [one.id for one in after.state.messages] == [one.id for one in before.state.messages]
    assert {(one.status, one.due) for one in after.state.messages} == {("unknown", None)}
    assert await ledger.store.due(harness.clock() + timedelta(days=365), 10) == []
    assert await ledger.store.unpublished(10) == []


async def test_a_request_whose_events_were_not_delivered_yet_is_left_to_the_service(
    harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch
):
    """Its emails are owed, and a rebuild would take them for old ones."""
    monkeypatch.setattr("shared.runtime.rebuild.COMPARE_INTERVAL_SECONDS", 0)
    ledger = await harness.service(NOTIFICATION)
    await harness.log.append([(OTHER, encode_event(make_event(MANY, subject=OTHER)))])
    await harness.log.commit_offset("notification", await harness.log.end())
    await harness.log.append([(REQUEST, encode_event(make_event(submitted)))])
    rebuild = Rebuild(NOTIFICATION, ledger.store, harness.log)
    report = await rebuild.compare()
    assert ([difference.id for difference in report.differences], report.behind) == ([OTHER], [REQUEST])
    assert (await rebuild.swap()).swapped == 1
    assert await ledger.store.all_ids() == [OTHER]


async def test_a_poison_event_does_not_keep_the_rest_of_the_log_from_being_verified(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    await harness.log.append(
        [(REQUEST, encode_event(make_event(submitted))), (OTHER, encode_event(make_event(MANY, subject=OTHER)))]
    )
    await harness.log.append([(REQUEST, encode_event(make_event(withdrawn, 2)))])
    async for batch in harness.log.read():
        await verification.consumer.handle(batch)
    rebuild = Rebuild(poisoned(RequestWithdrawn), verification.store, harness.log)
    await rebuild._fold_to_end()
    assert rebuild.report.unreadable == ["3: ValueError: poison"]


async def test_a_gap_in_the_log_is_reported_until_it_is_filled(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    rebuild = Rebuild(VERIFICATION, verification.store, harness.log)
    await harness.log.append([(REQUEST, encode_event(make_event(withdrawn, 2)))])
    await rebuild._fold_to_end()
    assert rebuild._find_gaps() == [f"1: {REQUEST}: intake: 2 after 0"]
    await harness.log.append([(REQUEST, encode_event(make_event(submitted)))])
    await rebuild._fold_to_end()
    assert rebuild._find_gaps() == []
