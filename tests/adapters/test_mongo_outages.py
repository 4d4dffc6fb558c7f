"""MongoDB killed and restarted during writes: no acknowledged write is lost, and all calls recover."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from shared.identity.mongo import MongoAccountStore
from shared.storage.mongo.client import MAX_PROBES, MongoDatabase
from shared.storage.mongo.store import MongoStateStore
from shared.storage.port import SaveOutcome, StoreUnavailable
from tests.support.adapters.state_records import COLUMNS, NOW, dead_letter, make_write, save_write
from tests.support.engines import mongo
from tests.support.engines.engine_process import EngineProcess, EngineUnavailable, serving, skip

pytestmark = [pytest.mark.slow, pytest.mark.engines("mongo")]

WRITERS = 12
AWAY = 2.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EngineProcess]:
    try:
        with serving(mongo.server(tmp_path)) as started:
            yield started
    except EngineUnavailable as reason:
        skip(reason)


def make_store(database: MongoDatabase) -> MongoStateStore:
    return MongoStateStore(database, "verification", COLUMNS, lambda: NOW)


class Writer:
    """Writes version after version of one record; `acknowledged` and `tried` are the last versions."""

    def __init__(self, store: MongoStateStore, name: str) -> None:
        self.store, self.name = store, name
        self.acknowledged = self.tried = 0
        self.ends: Counter[str] = Counter()

    async def write_until(self, enough: asyncio.Event) -> None:
        version = 1
        while not enough.is_set():
            self.tried = version
            try:
                [outcome] = await self.store.save([make_write(self.name, version, events=[f"{self.name}-{version}"])])
                self.ends[outcome.value] += 1
                # The only possible conflict is with an own write whose answer was lost.
                version += 1
                if outcome is SaveOutcome.SAVED:
                    self.acknowledged = version - 1
            except StoreUnavailable:
                self.ends["unavailable"] += 1
                await asyncio.sleep(0.05)


async def test_no_acknowledged_write_is_lost_when_it_is_killed(server: EngineProcess):
    database = MongoDatabase(server.address)
    store = make_store(database)
    await store.prepare()
    writers, enough = [Writer(store, f"{number:02d}") for number in range(WRITERS)], asyncio.Event()
    tasks = [asyncio.create_task(writer.write_until(enough)) for writer in writers]
    for _ in range(3):
        await asyncio.sleep(1)
        before = [writer.acknowledged for writer in writers]
        await asyncio.to_thread(server.restart, AWAY)
        await wait_for_more_writes(writers, before)
    enough.set()
    await asyncio.gather(*tasks)
    stored = await store.load([writer.name for writer in writers])
    outbox = Counter(entry.subject for entry in await store.unpublished(100_000))
    for writer in writers:
        assert writer.acknowledged <= stored[writer.name].version <= writer.tried
        # Each version has one event and is stored with it or not at all.
        assert outbox[writer.name] == stored[writer.name].version
    ends: Counter[str] = sum((writer.ends for writer in writers), Counter())
    assert ends["saved"] > 100
    assert ends["taken"] == 0
    await database.close()


async def wait_for_more_writes(writers: list[Writer], before: list[int]) -> None:
    """Wait until each writer has another write acknowledged."""
    deadline = time.monotonic() + 20
    for writer, known in zip(writers, before, strict=True):
        while writer.acknowledged <= known:
            assert time.monotonic() < deadline, writer.ends
            await asyncio.sleep(0.05)


async def test_during_an_outage_every_call_fails_in_time_and_afterwards_all_work(server: EngineProcess):
    database = MongoDatabase(server.address)
    store, accounts = make_store(database), MongoAccountStore(database)
    await store.prepare()
    await accounts.prepare()
    await save_write(store, make_write("a"))
    latest = await store.latest_change()
    server.kill()
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "load": lambda: store.load(["a"]),
        "save": lambda: store.save([make_write("b")]),
        "unpublished": lambda: store.unpublished(10),
        "published": lambda: store.remove_published(["e1"]),
        "park": lambda: store.park([dead_letter(1)]),
        "ready": store.ready,
        "prepare": store.prepare,
        "session": lambda: accounts.session("token"),
        "tries": lambda: accounts.count_attempt({"a": 1}, NOW, NOW),
    }
    took: list[float] = []

    async def timed(call: Callable[[], Awaitable[object]]) -> object:
        began = time.monotonic()
        try:
            return await call()
        finally:
            took.append(time.monotonic() - began)

    ends = await asyncio.gather(*(timed(call) for call in calls.values() for _ in range(5)), return_exceptions=True)
    assert {type(end) for end in ends} == {StoreUnavailable}, [end for end in ends if type(end) is not StoreUnavailable]
    # The first calls look for the server for five seconds, then two more do; all others fail at once.
    assert max(took) < 14
    assert sum(seconds > 8 for seconds in took) <= MAX_PROBES
    with pytest.raises(StoreUnavailable):
        await store.changes(latest, 10)
    for end in ends:
        assert len(str(end)) < 500
    await asyncio.to_thread(server.start)
    await retry_until_available(store)
    assert await store.save([make_write("c")]) == [SaveOutcome.SAVED]
    assert [change.id for change in await store.changes(latest, 10)][-1] == "c"
    await database.close()


async def retry_until_available(store: MongoStateStore) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await store.ready()
                await store.latest_change()
            except StoreUnavailable:
                await asyncio.sleep(0.1)
            else:
                return


async def test_a_listener_learns_of_changes_after_an_outage(server: EngineProcess):
    database, elsewhere = MongoDatabase(server.address), MongoDatabase(server.address)
    store, other = make_store(database), make_store(elsewhere)
    await store.prepare()
    await save_write(other, make_write("a"))
    cursor = await store.latest_change()
    waiting = asyncio.create_task(store.wait_for_change(cursor, 60))
    await asyncio.to_thread(server.restart, 1.0)
    await retry_until_available(other)
    await save_write(other, make_write("b"))
    await asyncio.wait_for(waiting, 30)
    assert [change.id for change in await store.changes(cursor, 10)] == ["b"]
    await database.close()
    await elsewhere.close()


async def test_a_process_can_start_during_an_outage(server: EngineProcess):
    server.kill()
    database = MongoDatabase(server.address)
    store = make_store(database)
    with pytest.raises(StoreUnavailable):
        await store.prepare()
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(20):
        while True:
            try:
                await store.prepare()
                break
            except StoreUnavailable:
                await asyncio.sleep(0.1)
    await save_write(store, make_write("a"))
    await database.close()
