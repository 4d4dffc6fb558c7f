"""Rebuilds from the log: differences are found and repaired, and no email is sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contracts.envelope import encode_event
from shared.contracts.intake import RequestWithdrawn
from shared.runtime.rebuild import Rebuild
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
    damaged = "CAST(replace(CAST(body AS TEXT), 'INT-2026-000001', 'INT-2026-000007') AS BLOB)"
    sql = f"UPDATE verification_documents SET body={damaged} WHERE id=?"
    await harness.file.write(lambda db: db.execute(sql, (REQUEST,)))
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
    before = await ledger.store.load([REQUEST])
    await harness.file.write(lambda db: db.execute("DELETE FROM notification_documents"))
    rebuild = Rebuild(NOTIFICATION, ledger.store, harness.log)
    assert [difference.kind for difference in (await rebuild.compare()).differences] == ["missing"]
    await rebuild.swap()
    after = await ledger.store.load([REQUEST])
    assert after[REQUEST].body == before[REQUEST].body
    assert await ledger.store.unpublished(10) == []


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
