"""The relay keeps publishing: only the request concerned waits for a possible gap, a refusal or a slow partition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from shared.contracts.envelope import decode_header, encode_event
from shared.eventlog.port import EventLog, LogUnavailable
from shared.runtime import relay as relaying
from shared.runtime.relay import Relay
from shared.storage.port import OutboxEntry, StateStore, StoreUnavailable
from tests.support.domain.given_when_then import REQUEST, make_event
from tests.support.domain.request_events import submitted, withdrawn
from tests.support.services.runtime_harness import INTAKE, OTHER, RuntimeHarness, runtime_harness, submit, until
from tests.support.virtual_time import run_virtually

EVENTS_PER_SECOND = 100


def saved(subject: str, sequence: int) -> OutboxEntry:
    fact = submitted if sequence == 1 else withdrawn
    return OutboxEntry(subject, f"{subject}-{sequence}", encode_event(make_event(fact, sequence, subject=subject)))


def request(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


class Store:
    """An outbox that answers after 20 ms, like a majority read."""

    def __init__(self) -> None:
        self.outbox: dict[str, OutboxEntry] = {}
        self.reads = 0
        self.away = False
        self.broken: set[str] = set()
        """Methods that raise an unexpected error."""

    def save(self, entry: OutboxEntry) -> OutboxEntry:
        self.outbox[entry.event_id] = entry
        return entry

    async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
        await asyncio.sleep(0.02)
        self.reads += 1
        entries = sorted(self.outbox.values(), key=lambda entry: entry.subject)
        return [entry for entry in entries if after is None or (entry.subject, entry.event_id) > after][:limit]

    async def unpublished_of(self, subjects: Sequence[str]) -> list[OutboxEntry]:
        await asyncio.sleep(0.02)
        if self.away:
            raise StoreUnavailable("away")
        if "unpublished_of" in self.broken:
            raise RuntimeError("broken")
        return [entry for entry in self.outbox.values() if entry.subject in subjects]

    async def remove_published(self, event_ids: Sequence[str]) -> None:
        if "remove_published" in self.broken:
            raise RuntimeError("broken")
        for event_id in event_ids:
            self.outbox.pop(event_id, None)


class Log:
    """Accepts events, except those of requests that it refuses at once or does not acknowledge before the timeout."""

    def __init__(self) -> None:
        self.appended: list[str] = []
        self.sequences: list[tuple[str, int]] = []
        self.tried: list[str] = []
        self.refused: set[str] = set()
        self.silent: set[str] = set()

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        self.tried += [key for key, _ in records]
        taken = [place for place, (key, _) in enumerate(records) if key not in self.refused | self.silent]
        self.appended += [records[place][0] for place in taken]
        self.sequences += [(records[place][0], decode_header(records[place][1]).sequence) for place in taken]
        if any(key in self.silent for key, _ in records):
            await asyncio.sleep(10)
        if len(taken) < len(records):
            raise LogUnavailable("one partition is unavailable", taken)


def relay(store: Store, log: Log) -> Relay:
    return Relay("intake", cast(StateStore, store), cast(EventLog, log))


def test_events_are_published_at_once_although_each_follows_one_of_another_process():
    async def three_seconds_of_load() -> tuple[int, int]:
        store, log = Store(), Log()
        under_load = relay(store, log)
        running = asyncio.create_task(under_load.run())
        for number in range(3 * EVENTS_PER_SECOND):
            under_load.enqueue([store.save(saved(request(number), 2))])
            await asyncio.sleep(1 / EVENTS_PER_SECOND)
        published, waiting = len(log.appended), len(under_load._queue._waiting)
        running.cancel()
        return published, waiting

    published, waiting = run_virtually(three_seconds_of_load())
    assert (published > 285, waiting < 15) == (True, True)


def test_a_sweep_ends_while_the_outbox_grows():
    async def a_sweep_under_load() -> int:
        store, log = Store(), Log()
        under_load = relay(store, log)

        async def load() -> None:
            for number in range(10_000):
                store.save(saved(request(number), 1))
                await asyncio.sleep(1 / EVENTS_PER_SECOND)

        loading = asyncio.create_task(load())
        await asyncio.sleep(1)
        await under_load.sweep()
        loading.cancel()
        return store.reads

    assert run_virtually(a_sweep_under_load()) == 1


def test_other_requests_go_on_while_the_store_cannot_resolve_a_possible_gap():
    async def possible_gap() -> tuple[list[str], list[str]]:
        store, log = Store(), Log()
        store.away = True
        doubting = relay(store, log)
        running = asyncio.create_task(doubting.run())
        doubting.enqueue([store.save(saved(REQUEST, 2)), store.save(saved(OTHER, 1))])
        await asyncio.sleep(1)
        before = list(log.appended)
        store.away = False
        await asyncio.sleep(1)
        running.cancel()
        return before, log.appended

    assert run_virtually(possible_gap()) == ([OTHER], [OTHER, REQUEST])


@pytest.mark.parametrize("broken", ["unpublished_of", "remove_published"])
def test_a_possible_gap_is_resolved_after_the_relay_failed_and_was_restarted(broken: str):
    """Either the read of the outbox fails, or it is cancelled because another part of the relay fails."""

    async def broken_and_started_again() -> list[str]:
        store, log = Store(), Log()
        store.broken.add(broken)
        doubting = relay(store, log)
        running = asyncio.create_task(doubting.run())
        doubting.enqueue([store.save(saved(OTHER, 1))])
        await asyncio.sleep(relaying.PRUNE_INTERVAL_SECONDS + 0.01)
        doubting.enqueue([store.save(saved(REQUEST, 2))])
        with pytest.raises(ExceptionGroup):
            await running
        store.broken.clear()
        running = asyncio.create_task(doubting.run())
        await asyncio.sleep(1)
        running.cancel()
        return log.appended

    assert run_virtually(broken_and_started_again()) == [OTHER, REQUEST]


def test_only_events_that_the_log_did_not_accept_are_sent_again_and_in_order():
    async def one_partition_away() -> tuple[list[str], list[str], list[str]]:
        store, log = Store(), Log()
        log.refused.add(REQUEST)
        partly = relay(store, log)
        running = asyncio.create_task(partly.run())
        partly.enqueue([saved(REQUEST, 1), saved(OTHER, 1)])
        partly.enqueue([saved(REQUEST, 2), saved(OTHER, 2)])
        await asyncio.sleep(1)
        before = list(log.appended)
        log.refused.clear()
        await asyncio.sleep(5)
        running.cancel()
        return before, log.appended, log.tried

    before, appended, tried = run_virtually(one_partition_away())
    assert before == [OTHER, OTHER]
    assert appended == [OTHER, OTHER, REQUEST, REQUEST]
    assert (tried.count(OTHER), tried.count(REQUEST) > 2) == (2, True)


def test_the_retry_delay_grows_while_a_partition_accepts_nothing():
    async def a_minute_without_one_partition() -> int:
        store, log = Store(), Log()
        log.refused.add(REQUEST)
        partly = relay(store, log)
        running = asyncio.create_task(partly.run())
        partly.enqueue([saved(REQUEST, 1)])
        for number in range(60):
            partly.enqueue([saved(request(number + 100), 1)])
            await asyncio.sleep(1)
        running.cancel()
        return log.tried.count(REQUEST)

    assert 10 < run_virtually(a_minute_without_one_partition()) < 20


def test_a_batch_without_an_acknowledgement_delays_no_other():
    async def one_partition_silent() -> list[str]:
        store, log = Store(), Log()
        log.silent.add(REQUEST)
        partly = relay(store, log)
        running = asyncio.create_task(partly.run())
        partly.enqueue([saved(REQUEST, 1)])
        await asyncio.sleep(0.1)
        for number in range(10, 20):
            partly.enqueue([saved(request(number), 1)])
        await asyncio.sleep(2 * relaying.SLOW_BATCH_SECONDS)
        running.cancel()
        return log.appended

    assert run_virtually(one_partition_silent()) == [request(number) for number in range(10, 20)]


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


async def test_entries_of_another_process_are_found_by_their_request(harness: RuntimeHarness):
    one, other = await harness.service(INTAKE), await harness.service(INTAKE, started=True)
    await submit(one)
    await submit(one, OTHER, 2)
    other.relay.enqueue([saved(REQUEST, 2)])

    async def two_events() -> bool:
        return len(await harness.events()) == 2

    await until(two_events)
    assert [(event.subject, event.sequence) for event in await harness.events()] == [(REQUEST, 1), (REQUEST, 2)]


async def test_draining_sends_no_event_twice_that_is_in_flight(harness: RuntimeHarness):
    intake = await harness.service(INTAKE, started=True)
    for number in range(1, 11):
        await submit(intake, request(number), number)
        await intake.relay.drain()
    assert len(await harness.events()) == 10
