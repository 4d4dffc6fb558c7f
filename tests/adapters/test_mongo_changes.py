"""The change feed of MongoDB: no listener misses a change, whichever process wrote it or issued the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from bson import Timestamp
from pymongo import MongoClient

from shared.storage.mongo import change_feed
from shared.storage.port import StateStore
from tests.support.adapters.state_records import make_write, save_write
from tests.support.adapters.stores_and_logs import mongo_store

pytestmark = [pytest.mark.slow, pytest.mark.engines("mongo")]


@pytest.fixture
async def opened(mongo_database: tuple[str, str]) -> AsyncIterator[StoreFactory]:
    async with AsyncExitStack() as all_open:
        yield StoreFactory(mongo_database, all_open)


class StoreFactory:
    """Opens the same store as another process would."""

    def __init__(self, parse_cursor: tuple[str, str], all_open: AsyncExitStack) -> None:
        self._place, self._all = parse_cursor, all_open

    async def __call__(self) -> StateStore:
        store = await self._all.enter_async_context(mongo_store(*self._place, "verification"))
        await store.prepare()
        return store


async def collect_changes(store: StateStore, cursor: str, until: dict[str, int]) -> list[tuple[str, int]]:
    """Return the changes that a listener receives from this cursor on, until it has these versions."""
    received: list[tuple[str, int]] = []
    async with asyncio.timeout(30):
        while any(dict(received).get(name) != version for name, version in until.items()):
            changes = await store.changes(cursor, 7)
            received += [(change.id, change.version) for change in changes]
            if changes:
                cursor = changes[-1].cursor
            else:
                await store.wait_for_change(cursor, 5)
    return received


async def test_a_listener_learns_of_every_record_while_two_processes_write(opened: StoreFactory):
    one, other, listening = await opened(), await opened(), await opened()
    start = await listening.latest_change()
    names = [f"{number:02d}" for number in range(16)]

    async def write(store: StateStore, mine: list[str]) -> None:
        for version in range(1, 21):
            await save_write(store, *(make_write(name, version) for name in mine))

    until = dict.fromkeys(names, 20)
    listeners = [asyncio.create_task(collect_changes(listening, start, until)) for _ in range(3)]
    writing = [asyncio.create_task(write(one, [name])) for name in names[:8]]
    await asyncio.gather(*writing, write(other, names[8:]))
    for received in await asyncio.gather(*listeners):
        for name in names:
            versions = [version for one_name, version in received if one_name == name]
            assert versions == sorted(set(versions))


async def test_a_cursor_of_one_process_is_valid_in_another_that_started_later(opened: StoreFactory):
    one = await opened()
    await save_write(one, *(make_write(name) for name in "abcdef"))
    changes = await one.changes("", 9)
    later = await opened()
    for index, change in enumerate(changes):
        assert await later.changes(change.cursor, 9) == changes[index + 1 :]


async def test_a_cursor_older_than_the_changes_in_memory_covers_all_later_changes(
    opened: StoreFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(change_feed, "MAX_REMEMBERED_CHANGES", 10)
    store = await opened()
    await save_write(store, make_write("before"))
    old = await store.latest_change()
    names = [f"{number:03d}" for number in range(60)]
    for start in range(0, 60, 5):
        await save_write(store, *(make_write(name) for name in names[start : start + 5]))
    for start in range(0, 30, 15):
        await save_write(store, *(make_write(name, 2) for name in names[start : start + 15 : 3]))
    until = {name: 2 if name in names[:30:3] else 1 for name in names}
    received = await collect_changes(store, old, until)
    # Changes at nearly the time of the cursor may be reported again, all others once.
    assert [one for one in received if one[0] != "before"] == list(dict.fromkeys(received))[-60:]
    met: list[str] = []
    cursor = ""
    while page := await store.changes(cursor, 7):
        met += [change.id for change in page]
        cursor = page[-1].cursor
    assert sorted(met) == sorted(["before", *names])
    assert cursor == await store.latest_change()


async def test_a_change_that_became_visible_late_is_reported_again(
    opened: StoreFactory, mongo_database: tuple[str, str], monkeypatch: pytest.MonkeyPatch
):
    """Of two concurrent writes, the one with the earlier time may become visible later, after a listener has moved on."""
    monkeypatch.setattr(change_feed, "LOOKBACK_SECONDS", 0)
    store = await opened()
    await save_write(store, make_write("a"), make_write("b"))
    cursor = await store.latest_change()
    parse_cursor = change_feed.parse_cursor(cursor).time
    with MongoClient[dict[str, object]](mongo_database[0]) as client:
        late = {"$set": {"change": Timestamp(parse_cursor.time, parse_cursor.inc - 1)}}
        client[mongo_database[1]]["verification_documents"].update_one({"_id": "a"}, late)
    await asyncio.sleep(1.1)
    await save_write(store, make_write("c"))
    later = await opened()
    assert [change.id for change in await later.changes(cursor, 9)] == ["a", "b", "c"]


async def test_a_wait_at_an_old_cursor_without_changes_does_not_end_at_once(opened: StoreFactory):
    store = await opened()
    await store.latest_change()
    began = asyncio.get_running_loop().time()
    await store.wait_for_change("1000.1", 0.3)
    assert asyncio.get_running_loop().time() - began > 0.25


async def test_a_process_with_a_lost_resume_point_finds_what_it_missed(
    opened: StoreFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(change_feed, "SHORT_LOOKBACK_SECONDS", 0)
    monkeypatch.setattr(change_feed, "RETRY_DELAY_SECONDS", 1.2)
    store, other = await opened(), await opened()
    await save_write(other, make_write("a"), make_write("b"))
    cursor = await store.latest_change()
    feed = store._feed  # type: ignore[attr-defined]
    await feed.stop()
    feed._stopped, feed._token = False, {"_data": "82FF"}
    await save_write(other, make_write("c"), make_write("a", 2))
    received = await collect_changes(store, cursor, {"c": 1, "a": 2})
    assert ("b", 1) not in received[2:]
    await save_write(other, make_write("d"))
    assert ("d", 1) in await collect_changes(store, cursor, {"d": 1})


async def test_removing_outbox_entries_is_not_a_change(opened: StoreFactory):
    store = await opened()
    await save_write(store, make_write("a", events=["a1"]))
    before = await store.latest_change()
    await store.remove_published(["a1"])
    await save_write(store, make_write("b"))
    assert [change.id for change in await store.changes(before, 9)] == ["b"]


async def test_one_stream_feeds_all_listeners(opened: StoreFactory):
    store = await opened()
    cursor = await store.latest_change()
    waiting = [asyncio.create_task(store.wait_for_change(cursor, 20)) for _ in range(200)]
    await asyncio.sleep(0.05)
    streams = [task for task in asyncio.all_tasks() if "_listen_forever" in repr(task)]
    assert len(streams) == 1
    await save_write(store, make_write("a"))
    await asyncio.wait_for(asyncio.gather(*waiting), 1)
