"""What a record contains beside the fold of the log: it is changed without events, and goes along to another store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from services.notification.domain.commands import EndSending, StartSending
from services.notification.domain.state import State
from shared.contracts.envelope import encode_event
from shared.contracts.notification import MessageOutcome
from shared.runtime.rebuild import Rebuild
from shared.runtime.service_runtime import ServiceRuntime
from shared.runtime.store_migration import MigrationReport, StoreMigration
from shared.storage.port import SaveOutcome, StateStore, StoreUnavailable, Write
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.adapters.stored_bodies import replace_in_bodies
from tests.support.domain.given_when_then import NOON, REQUEST, make_event
from tests.support.domain.request_events import submitted, verified
from tests.support.services.runtime_harness import NOTIFICATION, OTHER, RuntimeHarness, runtime_harness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


@pytest.fixture
async def ledger(harness: RuntimeHarness) -> ServiceRuntime[State]:
    """Notification after it has folded a submission."""
    runtime = await harness.service(NOTIFICATION)
    await harness.log.append([(REQUEST, encode_event(make_event(submitted)))])
    await fold(harness, runtime)
    return runtime


async def fold(harness: RuntimeHarness, runtime: ServiceRuntime[State]) -> None:
    async for batch in harness.log.read():
        await runtime.consumer.handle(batch)
    await harness.log.commit_offset("notification", await harness.log.end())


async def read(runtime: ServiceRuntime[State]) -> State:
    loaded = await runtime.executor.read(REQUEST)
    assert loaded is not None
    return loaded.state


async def send(runtime: ServiceRuntime[State]) -> None:
    """Record that everything that is due was sent."""
    claimed = await runtime.executor.record(REQUEST, StartSending("claim"))
    assert claimed is not None
    outcomes = tuple(MessageOutcome(message=one.id, status="sent") for one in claimed.state.messages)
    await runtime.executor.record(REQUEST, EndSending("claim", outcomes))


def statuses(state: State) -> list[str]:
    return [message.status for message in state.messages]


async def test_a_change_beside_the_log_is_the_next_version_and_publishes_nothing(
    harness: RuntimeHarness, ledger: ServiceRuntime[State]
):
    before = await ledger.executor.read(REQUEST)
    assert before is not None
    claimed = await ledger.executor.record(REQUEST, StartSending("claim"))
    assert claimed is not None
    assert (claimed.version, statuses(claimed.state)) == (before.version + 1, ["sending", "sending"])
    assert await ledger.executor.read(REQUEST) == claimed
    assert await ledger.store.unpublished(10) == []
    record = (await ledger.store.load([REQUEST]))[REQUEST]
    assert (record.seen, record.commands) == ({"intake": 1}, ())
    again = await ledger.executor.record(REQUEST, StartSending("claim"))
    assert again == claimed


async def test_nothing_is_recorded_of_an_unknown_request(ledger: ServiceRuntime[State]):
    assert await ledger.executor.record(OTHER, StartSending("claim")) is None


async def test_only_one_of_two_processes_claims_a_message(harness: RuntimeHarness, ledger: ServiceRuntime[State]):
    other = await harness.service(NOTIFICATION)
    assert await other.executor.read(REQUEST) is not None
    first = await ledger.executor.record(REQUEST, StartSending("first"))
    second = await other.executor.record(REQUEST, StartSending("second"))
    assert second == first
    assert {message.claim for message in (await read(ledger)).messages} == {"first"}


class LosesAnAnswer(SqliteStateStore):
    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        await super().save(writes)
        raise StoreUnavailable("answer lost")


@contextmanager
def answers_lost(store: StateStore) -> Iterator[None]:
    store.__class__ = LosesAnAnswer
    yield
    store.__class__ = SqliteStateStore


async def test_a_claim_whose_answer_was_lost_is_found_by_its_id(ledger: ServiceRuntime[State]):
    with answers_lost(ledger.store), pytest.raises(StoreUnavailable):
        await ledger.executor.record(REQUEST, StartSending("claim"))
    claimed = await ledger.executor.record(REQUEST, StartSending("claim"))
    assert claimed is not None
    assert [(message.claim, message.tries) for message in claimed.state.messages] == [("claim", 1), ("claim", 1)]


async def test_a_rebuild_repairs_a_record_and_keeps_its_deliveries(
    harness: RuntimeHarness, ledger: ServiceRuntime[State]
):
    await send(ledger)
    before = await read(ledger)
    assert (await Rebuild(NOTIFICATION, ledger.store, harness.log).compare()).clean
    await harness.file.write(replace_in_bodies("notification", "INT-2026-000001", "INT-2026-000007"))
    rebuild = Rebuild(NOTIFICATION, ledger.store, harness.log)
    assert [difference.fields for difference in (await rebuild.compare()).differences] == [("number",)]
    assert (await rebuild.swap()).swapped == 1
    assert await read(ledger) == before
    assert statuses(before) == ["sent", "sent"]


async def migrated(
    harness: RuntimeHarness,
    ledger: ServiceRuntime[State],
    target: StateStore,
    *,
    live: bool = False,
    lags: bool = False,
) -> MigrationReport:
    await target.prepare()
    migration = StoreMigration(NOTIFICATION, ledger.store, target, harness.log, live=live, lags=lags)
    return await migration.run({})


@pytest.fixture
async def target(harness: RuntimeHarness, tmp_path: Path) -> AsyncIterator[SqliteStateStore]:
    file = SqliteDatabase(tmp_path / "elsewhere.db")
    yield SqliteStateStore(file, "notification", NOTIFICATION.indexed_columns, harness.clock)
    file.close()


async def test_deliveries_move_to_another_store(
    harness: RuntimeHarness, ledger: ServiceRuntime[State], target: SqliteStateStore
):
    await send(ledger)
    report = await migrated(harness, ledger, target)
    assert (report.trouble, report.equal) == ([], 1)
    moved = ledger.executor.runner.state((await target.load([REQUEST]))[REQUEST])
    assert moved == await read(ledger)
    assert statuses(moved) == ["sent", "sent"]
    assert (await Rebuild(NOTIFICATION, target, harness.log).compare()).clean
    again = await migrated(harness, ledger, target)
    assert (again.trouble, again.written) == ([], 0)


async def test_a_copy_of_running_services_owes_the_emails_of_events_that_they_have_not_folded(
    harness: RuntimeHarness, ledger: ServiceRuntime[State], target: SqliteStateStore
):
    await send(ledger)
    await harness.log.append([(REQUEST, encode_event(make_event(verified, time=NOON + timedelta(minutes=1))))])
    report = await migrated(harness, ledger, target, live=True, lags=True)
    assert (report.trouble, report.moved_on) == ([], 1)
    moved = ledger.executor.runner.state((await target.load([REQUEST]))[REQUEST])
    assert statuses(moved) == ["sent", "sent", "queued", "queued"]


@pytest.mark.parametrize(("lags", "status"), [(True, "queued"), (False, "unknown")])
async def test_the_emails_of_a_record_that_a_running_service_lacks_are_owed_only_if_it_lags(
    harness: RuntimeHarness, ledger: ServiceRuntime[State], target: SqliteStateStore, lags: bool, status: str
):
    await harness.file.write(lambda db: db.execute("DELETE FROM notification_documents"))
    await migrated(harness, ledger, target, live=True, lags=lags)
    moved = ledger.executor.runner.state((await target.load([REQUEST]))[REQUEST])
    assert statuses(moved) == [status, status]
