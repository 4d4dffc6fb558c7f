"""Conformance of the state stores: records, outbox and changes."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from shared.storage.port import OutboxEntry, RecordQuery, SaveOutcome, StateStore
from tests.support.adapters.state_records import NOW, dead_letter, make_write, save_write, version_of
from tests.support.adapters.stores_and_logs import OpenStore


async def test_a_record_is_loaded_as_it_was_saved(store: StateStore):
    write = make_write("a", body={"name": "Café ☕ \u0000"}, status="submitted")
    await save_write(store, write)
    assert await store.load(["a", "b"]) == {"a": write.record}


async def test_the_records_of_a_whole_batch_are_loaded_at_once(store: StateStore):
    writes = [make_write(f"{number:04d}") for number in range(700)]
    await save_write(store, *writes)
    assert await store.load([]) == {}
    assert await store.load([write.record.id for write in writes]) == {w.record.id: w.record for w in writes}


async def test_a_record_is_saved_only_on_its_expected_version(store: StateStore):
    assert await store.save([make_write("a", 2)]) == [SaveOutcome.CONFLICT]
    await save_write(store, make_write("a"))
    assert await store.save([make_write("a")]) == [SaveOutcome.CONFLICT]
    assert await store.save([make_write("a", 3)]) == [SaveOutcome.CONFLICT]
    await save_write(store, make_write("a", 2))
    assert await store.load(["a"]) == {"a": make_write("a", 2).record}


async def test_of_fifty_writers_exactly_one_wins_each_version(store: StateStore):
    await save_write(store, make_write("a"))
    for version in range(2, 12):
        tries = [store.save([make_write("a", version, events=[f"{version}-{who}"])]) for who in range(50)]
        outcomes = [outcome for [outcome] in await asyncio.gather(*tries)]
        assert (outcomes.count(SaveOutcome.SAVED), outcomes.count(SaveOutcome.CONFLICT)) == (1, 49)
    assert await version_of(store, "a") == 11
    assert len(await store.unpublished(100)) == 10


async def test_a_unique_value_is_taken_once(store: StateStore):
    await save_write(store, make_write("a", number="INT-1"))
    assert await store.save([make_write("b", number="INT-1", events=["lost"])]) == [SaveOutcome.UNIQUE_VIOLATION]
    await save_write(store, make_write("b", number="INT-2"))
    assert await store.save([make_write("b", 2, number="INT-1", events=["lost"])]) == [SaveOutcome.UNIQUE_VIOLATION]
    assert await version_of(store, "b") == 1
    assert await store.unpublished(10) == []


async def test_a_record_inserted_again_is_a_conflict_and_not_a_unique_violation(store: StateStore):
    await save_write(store, make_write("a", number="INT-1"), make_write("b", number="INT-2"))
    assert await store.save([make_write("a", number="INT-1")]) == [SaveOutcome.CONFLICT]
    assert await store.save([make_write("a", number="INT-2")]) == [SaveOutcome.CONFLICT]


async def test_of_fifty_writers_of_one_number_exactly_one_gets_it(store: StateStore):
    tries = [store.save([make_write(f"{who}", number="INT-1")]) for who in range(50)]
    outcomes = [outcome for [outcome] in await asyncio.gather(*tries)]
    assert (outcomes.count(SaveOutcome.SAVED), outcomes.count(SaveOutcome.UNIQUE_VIOLATION)) == (1, 49)


async def test_any_number_of_records_may_lack_a_unique_value(store: StateStore):
    await save_write(store, make_write("a", number=None), make_write("b", number=None))


async def test_each_write_of_a_call_succeeds_or_fails_alone(store: StateStore):
    await save_write(store, make_write("b", number="INT-2"))
    writes = [
        make_write("a", events=["a1", "a2"]),
        make_write("b", 7, events=["b1"]),
        make_write("c", number="INT-2", events=["c1"]),
        make_write("d", events=["d1"]),
    ]
    assert await store.save(writes) == [
        SaveOutcome.SAVED,
        SaveOutcome.CONFLICT,
        SaveOutcome.UNIQUE_VIOLATION,
        SaveOutcome.SAVED,
    ]
    assert {name: found.version for name, found in (await store.load(list("abcd"))).items()} == {"a": 1, "b": 1, "d": 1}
    assert [entry.event_id for entry in await store.unpublished(10)] == ["a1", "a2", "d1"]


async def test_two_versions_of_a_record_can_be_saved_in_one_call(store: StateStore):
    assert await store.save([make_write("a"), make_write("a", 2), make_write("a", 2)]) == [
        SaveOutcome.SAVED,
        SaveOutcome.SAVED,
        SaveOutcome.CONFLICT,
    ]


async def test_the_outbox_keeps_the_order_in_which_it_was_saved(store: StateStore):
    for version in range(1, 6):
        await save_write(
            store, *(make_write(name, version, events=[f"{name}{version}.1", f"{name}{version}.2"]) for name in "ab")
        )
    entries = await store.unpublished(100)
    for name in "ab":
        theirs = [entry.event_id for entry in entries if entry.subject == name]
        assert theirs == [f"{name}{version}.{index}" for version in range(1, 6) for index in (1, 2)]
    assert entries[0] == OutboxEntry("a", "a1.1", b'{"event": "a1.1"}')


async def test_the_outbox_is_read_in_pages(store: StateStore):
    await save_write(store, *(make_write(f"{number:02d}", events=[f"e{number:02d}"]) for number in range(25)))
    met: list[str] = []
    after: tuple[str, str] | None = None
    while page := await store.unpublished(10, after):
        assert len(page) <= 10
        met += [entry.event_id for entry in page]
        after = page[-1].subject, page[-1].event_id
    assert sorted(met) == [f"e{number:02d}" for number in range(25)]


async def test_the_outbox_of_some_requests_is_read_in_the_order_in_which_it_was_saved(store: StateStore):
    for version in range(1, 4):
        await save_write(store, *(make_write(name, version, events=[f"{name}{version}"]) for name in "abc"))
    await store.remove_published(["a2"])
    found = await store.unpublished_of(["a", "c", "never saved"])
    assert [entry.event_id for entry in found if entry.subject == "a"] == ["a1", "a3"]
    assert [entry.event_id for entry in found if entry.subject == "c"] == ["c1", "c2", "c3"]
    assert {entry.subject for entry in found} == {"a", "c"}
    assert await store.unpublished_of([]) == []


async def test_no_entry_is_missed_when_the_last_of_a_page_is_removed_meanwhile(store: StateStore):
    await save_write(store, *(make_write(f"{number}", events=[f"e{number}"]) for number in range(6)))
    page = await store.unpublished(3)
    await store.remove_published([page[-1].event_id])
    rest = await store.unpublished(10, (page[-1].subject, page[-1].event_id))
    assert {entry.event_id for entry in page + rest} == {f"e{number}" for number in range(6)}


async def test_published_entries_are_removed_and_later_ones_stay(store: StateStore):
    await save_write(store, make_write("a", events=["a1", "a2"]))
    await save_write(store, make_write("a", 2, events=["a3"]))
    await store.remove_published(["a1", "a2", "never saved"])
    await store.remove_published(["a1"])
    await store.remove_published([])
    assert [entry.event_id for entry in await store.unpublished(10)] == ["a3"]


async def test_the_longest_due_comes_first(store: StateStore):
    hour = timedelta(hours=1)
    await save_write(
        store,
        make_write("later", due_at=NOW + hour),
        make_write("just", due_at=NOW),
        make_write("long", due_at=NOW - 2 * hour),
        make_write("never"),
        make_write("short", due_at=NOW - hour),
    )
    assert await store.due(NOW, 10) == ["long", "short", "just"]
    assert await store.due(NOW, 1) == ["long"]
    await save_write(store, make_write("long", 2), make_write("short", 2, due_at=NOW + hour))
    assert await store.due(NOW, 10) == ["just"]


async def test_each_changed_record_is_listed_once_and_the_oldest_change_first(store: StateStore):
    assert await store.changes("", 10) == []
    before = await store.latest_change()
    await save_write(store, make_write("a"), make_write("b"))
    await save_write(store, make_write("c"))
    await save_write(store, make_write("a", 2))
    changes = await store.changes(before, 10)
    assert [(change.id, change.version) for change in changes] == [("b", 1), ("c", 1), ("a", 2)]
    assert changes[-1].cursor == await store.latest_change()
    assert [change.id for change in await store.changes(changes[0].cursor, 10)] == ["c", "a"]
    assert [change.id for change in await store.changes("", 2)] == ["b", "c"]
    assert await store.changes(changes[-1].cursor, 10) == []


async def test_a_failed_write_is_not_a_change(store: StateStore):
    await save_write(store, make_write("a"))
    before = await store.latest_change()
    await store.save([make_write("a"), make_write("b", number="a")])
    assert await store.latest_change() == before


async def test_an_invalid_cursor_means_from_the_beginning(store: StateStore):
    await save_write(store, make_write("a"))
    for cursor in ("made up", "-1", "9" * 40, "²"):
        assert [change.id for change in await store.changes(cursor, 10)] == ["a"]


async def test_a_wait_for_a_change_ends_at_once_when_there_is_one(store: StateStore):
    took = []
    for name in "abcde":
        waiting = [asyncio.create_task(store.wait_for_change(await store.latest_change(), 20)) for _ in range(5)]
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await save_write(store, make_write(name))
        await asyncio.gather(*waiting)
        took.append(time.monotonic() - began)
    assert min(took) < 0.2  # a busy machine may delay one of them


async def test_a_wait_for_a_past_change_ends_at_once(store: StateStore):
    before = await store.latest_change()
    await save_write(store, make_write("a"))
    await asyncio.wait_for(store.wait_for_change(before, 60), 10)


async def test_a_wait_for_a_change_ends_after_its_timeout(store: StateStore):
    began = time.monotonic()
    await store.wait_for_change(await store.latest_change(), 0.1)
    assert 0.05 < time.monotonic() - began < 10


async def test_a_wait_ends_after_a_change_by_another_process(open_store: OpenStore):
    async with open_store("verification") as here, open_store("verification") as elsewhere:
        await here.prepare()
        waiting = asyncio.create_task(here.wait_for_change(await here.latest_change(), 60))
        await asyncio.sleep(0.05)
        await save_write(elsewhere, make_write("a"))
        await asyncio.wait_for(waiting, 20)
        assert [change.id for change in await here.changes("", 10)] == ["a"]


async def test_two_concurrent_stores_never_both_save_one_version(open_store: OpenStore):
    async with open_store("verification") as one, open_store("verification") as other:
        await one.prepare()
        for version in range(1, 31):
            tries = [store.save([make_write("a", version)]) for store in (one, other)]
            outcomes = [outcome for [outcome] in await asyncio.gather(*tries)]
            assert sorted(outcome.value for outcome in outcomes) == ["conflict", "saved"]


async def test_columns_are_those_saved_last_when_two_stores_alternate(open_store: OpenStore):
    async with open_store("verification") as one, open_store("verification") as other:
        await one.prepare()
        for version, store in enumerate((one, other, one, one, other, other, one), 1):
            status = "submitted" if store is one else "returned"
            await save_write(store, make_write("a", version, status=status, open=version % 2, due_at=NOW))
            find = RecordQuery("id", where={"status": status, "open": version % 2})
            assert (await other.find(find)).records == (make_write("a", version).record,)
        await save_write(one, make_write("a", 8))
        assert await other.count(RecordQuery("id", where={"status": None, "open": None})) == 1
        assert await other.due(NOW, 9) == []


async def test_services_in_one_database_are_independent(open_store: OpenStore):
    async with open_store("verification") as one, open_store("assignment") as other:
        await one.prepare()
        await other.prepare()
        await save_write(one, make_write("a", events=["a1"], due_at=NOW))
        await one.park([dead_letter(1)])
        await save_write(other, make_write("a"))
        assert [await other.unpublished(9), await other.due(NOW, 9), await other.dead_letters()] == [[], [], []]


async def test_everything_is_stored_after_reopening(open_store: OpenStore):
    async with open_store("verification") as store:
        await store.prepare()
        await save_write(store, make_write("a", status="submitted", due_at=NOW, events=["a1", "a2"]), make_write("b"))
        await store.park([dead_letter(1)])
        latest = await store.latest_change()
    async with open_store("verification") as store:
        await store.prepare()
        assert await store.load(["a"]) == {"a": make_write("a").record}
        assert [entry.event_id for entry in await store.unpublished(9)] == ["a1", "a2"]
        assert await store.dead_letters() == [dead_letter(1)]
        assert await store.due(NOW, 9) == ["a"]
        assert await store.count(RecordQuery("number", where={"status": "submitted"})) == 1
        assert await store.latest_change() == latest
        await save_write(store, make_write("a", 2))
        assert [change.id for change in await store.changes(latest, 9)] == ["a"]


async def test_an_available_store_is_ready(store: StateStore):
    await store.ready()
