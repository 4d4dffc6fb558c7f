"""Conformance of the state stores: dead letters."""

from __future__ import annotations

import asyncio

from shared.storage.port import StateStore
from tests.support.adapters.state_records import dead_letter


async def test_dead_letters_are_listed_as_they_were_parked_and_in_that_order(store: StateStore):
    dead_letters = [dead_letter(2, event=b"\xff{", tries=1), dead_letter(1, "b"), dead_letter(10)]
    assert await store.park(dead_letters)
    assert await store.dead_letters() == dead_letters
    assert await store.dead_letters(subject="a") == [dead_letters[0], dead_letters[2]]
    assert await store.parked_subjects() == {"a", "b"}


async def test_parking_is_idempotent(store: StateStore):
    await store.park([dead_letter(1)])
    assert await store.park([dead_letter(1, tries=9), dead_letter(2)])
    assert await store.dead_letters() == [dead_letter(1), dead_letter(2)]


async def test_the_first_dead_letter_of_each_request_is_found_by_its_reason(store: StateStore):
    newer = [dead_letter(number, subject, reason="newer") for number, subject in enumerate(("a", "b", "b", "c"), 3)]
    discarded = dead_letter(1, "d", reason="newer", state="discarded")
    await store.park([discarded, dead_letter(2, "a"), *newer, dead_letter(7, "c"), dead_letter(8, "d", reason="newer")])
    assert await store.first_parked("newer") == [newer[1], newer[3], dead_letter(8, "d", reason="newer")]
    assert await store.first_parked("other") == []


async def test_a_replayed_dead_letter_is_removed(store: StateStore):
    await store.park([dead_letter(1), dead_letter(2)])
    await store.resolve(dead_letter(1).id, discarded=False)
    assert await store.dead_letters(states=("parked", "discarded")) == [dead_letter(2)]
    await store.resolve(dead_letter(2).id, discarded=False)
    assert await store.parked_subjects() == set()


async def test_a_discarded_dead_letter_is_remembered_and_blocks_nothing(store: StateStore):
    await store.park([dead_letter(1), dead_letter(2)])
    await store.resolve(dead_letter(1).id, discarded=True)
    assert await store.dead_letters() == [dead_letter(2)]
    assert await store.dead_letters(states=("discarded",)) == [dead_letter(1, state="discarded")]
    assert await store.dead_letters(states=("parked", "discarded")) == [
        dead_letter(1, state="discarded"),
        dead_letter(2),
    ]
    await store.resolve(dead_letter(2).id, discarded=True)
    assert await store.parked_subjects() == set()


async def test_each_attempt_is_counted_with_its_reason(store: StateStore):
    await store.park([dead_letter(1, tries=1), dead_letter(2)])
    await store.record_attempt(dead_letter(1).id, "still wrong")
    await store.record_attempt("verification:9", "not there")
    assert await store.dead_letters() == [dead_letter(1, tries=2, reason="still wrong"), dead_letter(2)]


async def test_a_discarded_dead_letter_stays_discarded(store: StateStore):
    await store.park([dead_letter(1)])
    await store.resolve(dead_letter(1).id, discarded=True)
    await store.resolve(dead_letter(1).id, discarded=False)
    await store.park([dead_letter(1)])
    assert await store.dead_letters(states=("parked", "discarded")) == [dead_letter(1, state="discarded")]


async def test_only_parked_dead_letters_are_counted(store: StateStore):
    assert await store.count_parked() == 0
    await store.park([dead_letter(1), dead_letter(2), dead_letter(3, "b"), dead_letter(4)])
    await store.resolve(dead_letter(1).id, discarded=True)
    await store.resolve(dead_letter(2).id, discarded=False)
    assert await store.count_parked() == 2


async def test_resolving_a_missing_dead_letter_does_nothing(store: StateStore):
    await store.resolve("verification:9", discarded=True)
    await store.resolve("verification:9", discarded=False)
    assert await store.dead_letters(states=("parked", "discarded")) == []


async def test_an_event_is_parked_behind_another_only_while_that_is_still_parked(store: StateStore):
    assert not await store.park([dead_letter(1)], only_if_blocked=True)
    assert await store.dead_letters() == []
    await store.park([dead_letter(1)])
    assert await store.park([dead_letter(2)], only_if_blocked=True)
    assert not await store.park([dead_letter(3, "b")], only_if_blocked=True)
    await store.resolve(dead_letter(1).id, discarded=False)
    await store.resolve(dead_letter(2).id, discarded=True)
    assert not await store.park([dead_letter(4)], only_if_blocked=True)


async def test_an_event_never_waits_behind_a_resolved_dead_letter(store: StateStore):
    for position in range(1, 60, 2):
        first, second = dead_letter(position), dead_letter(position + 1)
        await store.park([first])
        behind, _ = await asyncio.gather(
            store.park([second], only_if_blocked=True), store.resolve(first.id, discarded=False)
        )
        assert await store.dead_letters() == ([second] if behind else [])
        await store.resolve(second.id, discarded=False)
