"""The documents of a service folded again from the log: what differs is found and repaired, and nothing is sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contracts.envelope import to_bytes
from shared.contracts.intake import RequestWithdrawn
from shared.runtime.rebuilding import Refold
from tests.domain.given import REQUEST, happened
from tests.domain.intake_story import submitted, verified, withdrawn
from tests.services.runtime_ground import (
    INTAKE,
    MANY,
    NOTIFICATION,
    OTHER,
    VERIFICATION,
    VERIFY,
    Ground,
    ground,
    key,
    poisoned,
    status,
    submit,
    until,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as opened:
        yield opened


async def test_a_damaged_document_is_found_and_repaired_while_commands_go_on(world: Ground):
    desk = await world.service(VERIFICATION, started=True)
    intake = await world.service(INTAKE, started=True)
    await submit(intake)
    await submit(intake, OTHER, 2)

    async def heard() -> bool:
        return len(await desk.store.all_ids()) == 2

    await until(heard)
    damaged = "CAST(replace(CAST(body AS TEXT), 'INT-2026-000001', 'INT-2026-000007') AS BLOB)"
    sql = f"UPDATE verification_documents SET body={damaged} WHERE id=?"
    await world.file.write(lambda db: db.execute(sql, (REQUEST,)))
    refold = Refold(VERIFICATION, desk.store, world.log)
    [difference] = (await refold.compare()).differences
    assert (difference.id, difference.fields) == (REQUEST, ("number",))
    await desk.executor.execute(OTHER, VERIFY, key(1))
    assert (await refold.swap()).swapped == 1
    again = await Refold(VERIFICATION, desk.store, world.log).compare()
    assert again.clean, again
    assert await status(desk, OTHER) == "verified"


async def test_a_ledger_that_is_folded_again_owes_no_new_letter(world: Ground):
    ledger = await world.service(NOTIFICATION)
    for fact in (submitted, verified):
        await world.log.append([(REQUEST, to_bytes(happened(fact)))])
    async for batch in world.log.read():
        await ledger.consumer.handle(batch)
    before = await ledger.store.load([REQUEST])
    await world.file.write(lambda db: db.execute("DELETE FROM notification_documents"))
    refold = Refold(NOTIFICATION, ledger.store, world.log)
    assert [difference.kind for difference in (await refold.compare()).differences] == ["missing"]
    await refold.swap()
    after = await ledger.store.load([REQUEST])
    assert after[REQUEST].body == before[REQUEST].body
    assert await ledger.store.unpublished(10) == []


async def test_poison_does_not_keep_the_rest_of_the_log_from_being_verified(world: Ground):
    desk = await world.service(VERIFICATION)
    await world.log.append([(REQUEST, to_bytes(happened(submitted))), (OTHER, to_bytes(happened(MANY, subject=OTHER)))])
    await world.log.append([(REQUEST, to_bytes(happened(withdrawn, 2)))])
    async for batch in world.log.read():
        await desk.consumer.handle(batch)
    refold = Refold(poisoned(RequestWithdrawn), desk.store, world.log)
    await refold._fold_on()
    assert refold.report.unreadable == ["3: ValueError: poison"]


async def test_a_hole_in_the_log_is_reported_until_it_is_filled(world: Ground):
    desk = await world.service(VERIFICATION)
    refold = Refold(VERIFICATION, desk.store, world.log)
    await world.log.append([(REQUEST, to_bytes(happened(withdrawn, 2)))])
    await refold._fold_on()
    assert refold._holes() == [f"1: {REQUEST}: intake: 2 after 0"]
    await world.log.append([(REQUEST, to_bytes(happened(submitted)))])
    await refold._fold_on()
    assert refold._holes() == []
