"""The MongoDB stores report no more than is known when the server's answer is lost, late or an error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from shared.identity.accounts import Account, IdempotencyKey, Role
from shared.identity.mongo import MongoAccountStore
from shared.storage.mongo import client
from shared.storage.mongo.client import MongoDatabase
from shared.storage.mongo.store import MongoStateStore
from shared.storage.port import SaveOutcome, StoreUnavailable
from tests.support.adapters.state_records import COLUMNS, NOW, dead_letter, make_write, save_write, version_of

pytestmark = [pytest.mark.slow, pytest.mark.engines("mongo")]

HASAN = Account("hasan", "Hasan Contoh", "hasan@dinas.example", (Role.ADMIN,), "hash-2")
NOT_MAJORITY = {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}
GOING_DOWN = {"writeConcernError": {"code": 91, "errmsg": "shutting down"}, "errorLabels": ["RetryableWriteError"]}
CUT = {"closeConnection": True}
NO_PRIMARY = {"errorCode": 10107, "errorLabels": ["RetryableWriteError"]}
SHUTS_DOWN = {"errorCode": 11600, "errorLabels": ["RetryableWriteError"]}
TOO_LATE = {"errorCode": 50}
APP_NAME = "simpul-with-faults"
"""Only clients of this name see the faults: other tests use the same server at the same time."""


class Faults:
    """Makes the next commands of some kinds fail on the server."""

    def __init__(self, address: str) -> None:
        self.client: MongoClient[dict[str, Any]] = MongoClient(address)

    @contextmanager
    def of(self, *commands: str, times: int | str, **how: Any) -> Iterator[None]:
        mode = {"times": times} if isinstance(times, int) else times
        data = {"failCommands": list(commands), "appName": APP_NAME, **how}
        self.client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
        try:
            yield
        finally:
            self.client.admin.command("configureFailPoint", "failCommand", mode="off")


@pytest.fixture
def faults(mongo_address: str) -> Iterator[Faults]:
    made = Faults(mongo_address)
    with made.client:
        try:
            made.client.admin.command("configureFailPoint", "failCommand", mode="off")
        except OperationFailure:
            pytest.skip("the MongoDB of SIMPUL_MONGO takes no test commands")
        yield made


@pytest.fixture
async def database(mongo_database: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MongoDatabase]:
    monkeypatch.setitem(client._OPTIONS, "appname", APP_NAME)
    opened = MongoDatabase(*mongo_database)
    yield opened
    await opened.close()


@pytest.fixture
async def store(database: MongoDatabase) -> MongoStateStore:
    made = MongoStateStore(database, "verification", COLUMNS, lambda: NOW)
    await made.prepare()
    return made


@pytest.fixture
async def accounts(database: MongoDatabase) -> MongoAccountStore:
    made = MongoAccountStore(database)
    await made.prepare()
    return made


async def test_the_outcome_of_a_write_without_a_majority_is_unknown(store: MongoStateStore, faults: Faults):
    await save_write(store, make_write("a"))
    with faults.of("update", times="alwaysOn", **NOT_MAJORITY), pytest.raises(StoreUnavailable):
        await store.save([make_write("a", 2, events=["a2"]), make_write("b")])
    assert await store.save([make_write("a", 2, events=["a2"])]) == [SaveOutcome.CONFLICT]
    assert [entry.event_id for entry in await store.unpublished(9)] == ["a2"]


async def test_conflicts_are_not_reported_when_other_outcomes_are_unknown(store: MongoStateStore, faults: Faults):
    await save_write(store, make_write("a"))
    with faults.of("update", times="alwaysOn", **NOT_MAJORITY), pytest.raises(StoreUnavailable):
        await store.save([make_write("a"), make_write("b")])


@pytest.mark.parametrize("how", [CUT, NO_PRIMARY, SHUTS_DOWN])
async def test_a_write_is_retried_once_and_executed_once(store: MongoStateStore, faults: Faults, how: Any):
    with faults.of("update", times=1, **how):
        await save_write(store, make_write("a", events=["a1"]))
    assert (await version_of(store, "a"), len(await store.unpublished(9))) == (1, 1)


@pytest.mark.parametrize("how", [CUT, NO_PRIMARY, TOO_LATE])
async def test_the_outcome_of_a_write_without_a_second_answer_is_unknown(
    store: MongoStateStore, faults: Faults, how: Any
):
    with faults.of("update", times=2, **how), pytest.raises(StoreUnavailable):
        await store.save([make_write("a")])
    await save_write(store, make_write("a"))


async def test_a_write_with_a_lost_answer_does_not_conflict_with_itself(store: MongoStateStore, faults: Faults):
    """The retried command returns the server's first answer although the record has that version by then."""
    with faults.of("update", times=1, **GOING_DOWN):
        assert await store.save([make_write("a", events=["a1"])]) == [SaveOutcome.SAVED]
    assert [entry.event_id for entry in await store.unpublished(9)] == ["a1"]


@pytest.mark.parametrize("how", [CUT, TOO_LATE])
async def test_a_failed_read_raises_store_unavailable(store: MongoStateStore, faults: Faults, how: Any):
    with faults.of("find", "aggregate", times="alwaysOn", **how):
        for call in (store.load(["a"]), store.unpublished(9), store.due(NOW, 9), store.all_ids()):
            with pytest.raises(StoreUnavailable):
                await call
    assert await store.load(["a"]) == {}


async def test_dead_letters_without_a_majority_are_not_parked(store: MongoStateStore, faults: Faults):
    with faults.of("insert", times="alwaysOn", **NOT_MAJORITY), pytest.raises(StoreUnavailable):
        await store.park([dead_letter(1), dead_letter(2)])
    assert await store.park([dead_letter(1), dead_letter(2)])
    assert await store.dead_letters() == [dead_letter(1), dead_letter(2)]


async def test_a_change_of_an_account_is_atomic(accounts: MongoAccountStore, faults: Faults):
    other = replace(HASAN, username="siti")
    for account in (HASAN, other):
        await accounts.add(account)
    with faults.of("delete", times="alwaysOn", errorCode=50), pytest.raises(StoreUnavailable):
        await accounts.change(HASAN, replace(HASAN, active=False))
    assert await accounts.account("hasan") == HASAN
    with faults.of("commitTransaction", times=1, **CUT):
        await accounts.change(HASAN, replace(HASAN, active=False))
    assert await accounts.account("hasan") == replace(HASAN, active=False)


async def test_a_command_with_a_lost_answer_created_its_account(accounts: MongoAccountStore, faults: Faults):
    with faults.of("insert", times="alwaysOn", **NOT_MAJORITY), pytest.raises(StoreUnavailable):
        await accounts.add(HASAN, IdempotencyKey("key", "digest"))
    assert await accounts.add(replace(HASAN, password="another salt"), IdempotencyKey("key", "digest")) == HASAN
