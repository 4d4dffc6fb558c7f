"""The relay publishes the outbox in order and completely, whatever crashed or was unavailable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.intake.domain.commands import WithdrawRequest
from shared.eventlog.port import LogUnavailable
from shared.runtime.relay import Relay
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import OutboxEntry
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import returned
from tests.support.services.runtime_harness import (
    INTAKE,
    OTHER,
    RuntimeHarness,
    key,
    record,
    runtime_harness,
    submit,
    until,
)

WITHDRAW = WithdrawRequest("Batal.")


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


def crashed_before_publishing(runtime: ServiceRuntime[Any]) -> None:
    """From now on, saved events stay in the outbox, as after a crash between the save and the publication."""

    def nothing(entries: Sequence[OutboxEntry]) -> None:
        pass

    runtime.executor._publish = nothing


async def positions_in_log(harness: RuntimeHarness, count: int) -> list[tuple[str, int]]:
    async def all_in_log() -> list[tuple[str, int]]:
        events = await harness.events("intake")
        return [(event.subject, event.sequence) for event in events] if len(events) >= count else []

    await until(all_in_log)
    return await all_in_log()


async def test_events_reach_the_log_in_order_and_leave_the_outbox(harness: RuntimeHarness):
    intake = await harness.service(INTAKE, started=True)
    await submit(intake)
    await intake.executor.execute(REQUEST, WITHDRAW, key(2))
    assert await positions_in_log(harness, 2) == [(REQUEST, 1), (REQUEST, 2)]
    await intake.relay.prune()
    assert await intake.store.unpublished(10) == []


async def test_events_left_in_the_outbox_by_a_crash_are_published_at_the_next_start(harness: RuntimeHarness):
    crashed = await harness.service(INTAKE)
    crashed_before_publishing(crashed)
    await submit(crashed)
    await harness.service(INTAKE, started=True)
    assert await positions_in_log(harness, 1) == [(REQUEST, 1)]


async def test_an_event_never_overtakes_an_earlier_one_that_a_crash_left_in_the_outbox(harness: RuntimeHarness):
    crashed = await harness.service(INTAKE)
    crashed_before_publishing(crashed)
    await submit(crashed)
    started = await harness.service(INTAKE)
    await started.executor.execute(REQUEST, WITHDRAW, key(2))
    await submit(started, OTHER, 2)
    await started.relay.drain()
    events = [event.sequence for event in await harness.events() if event.subject == REQUEST]
    assert events == [1, 2]


async def test_an_event_never_overtakes_an_earlier_one_whose_write_had_an_unknown_outcome(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    await submit(intake)
    await intake.relay.drain()
    publish = intake.executor._publish
    crashed_before_publishing(intake)
    await intake.executor.execute(REQUEST, WITHDRAW, key(2))
    intake.executor._publish = publish
    [unanswered] = await intake.store.unpublished(10)
    following = OutboxEntry(REQUEST, "another", unanswered.event.replace(b'"0000000002"', b'"0000000003"'))
    intake.relay.enqueue([following])
    await intake.relay.drain()
    assert [event.sequence for event in await harness.events()] == [1, 2, 3]


async def test_submissions_continue_without_the_log_and_are_published_in_order_afterwards(harness: RuntimeHarness):
    intake = await harness.service(INTAKE, started=True)
    harness.log.down = True
    await submit(intake)
    await intake.executor.execute(REQUEST, WITHDRAW, key(2))
    for number in range(2, 20):
        await submit(intake, f"00000000-0000-4000-8000-{number:012d}", number)
    assert await harness.events() == []
    harness.log.down = False
    places = await positions_in_log(harness, 20)
    assert len(places) == 20
    assert places.index((REQUEST, 1)) < places.index((REQUEST, 2))


async def test_an_append_without_an_acknowledgement_is_repeated(harness: RuntimeHarness):
    intake = await harness.service(INTAKE, started=True)
    harness.log.loses_next_answer = True
    await submit(intake)
    await intake.executor.execute(REQUEST, WITHDRAW, key(2))
    places = await positions_in_log(harness, 3)
    assert places == [(REQUEST, 1), (REQUEST, 1), (REQUEST, 2)]


async def test_two_concurrent_relays_only_repeat_events(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    await submit(intake)
    await intake.executor.execute(REQUEST, WITHDRAW, key(2))
    other = Relay("intake", intake.store, harness.log)
    await other.sweep()
    await other.drain()
    await intake.relay.drain()
    assert [event.sequence for event in await harness.events()] == [1, 2, 1, 2]


async def test_a_sweep_leaves_young_entries_to_the_process_that_saved_them(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    await submit(intake)
    other = Relay("intake", intake.store, harness.log)
    await other.sweep_leftovers()
    await other.drain()
    assert await harness.events() == []
    await other.sweep_leftovers()
    await other.drain()
    assert [event.sequence for event in await harness.events()] == [1]


async def test_a_possible_gap_of_one_request_repeats_no_event_of_others(harness: RuntimeHarness):
    one, other = await harness.service(INTAKE), await harness.service(INTAKE)
    await submit(one)
    await submit(one, OTHER, 2)
    await other.executor.execute(REQUEST, WITHDRAW, key(3))
    await other.relay.drain()
    assert [(event.subject, event.sequence) for event in await harness.events()] == [(REQUEST, 1), (REQUEST, 2)]


async def test_a_graceful_stop_publishes_waiting_events(harness: RuntimeHarness):
    intake = await harness.service(INTAKE, started=True)
    harness.log.down = True
    await submit(intake)
    harness.log.down = False
    await intake.stop()
    assert {event.sequence for event in await harness.events()} == {1}
    assert await intake.store.unpublished(10) == []


async def test_a_stop_without_the_log_leaves_the_outbox_for_the_next_start(harness: RuntimeHarness):
    intake = await harness.service(INTAKE, started=True)
    harness.log.down = True
    await submit(intake)
    await intake.stop()
    assert len(await intake.store.unpublished(10)) == 1
    with pytest.raises(LogUnavailable):
        await intake.relay.drain()


async def test_a_due_command_is_executed_once(harness: RuntimeHarness):
    """Intake expires a returned request that the applicant does not complete."""
    intake = await harness.service(INTAKE, started=True)
    await submit(intake)
    await intake.consumer.handle([record(1, returned)])
    harness.now += timedelta(days=30)
    intake.timers._sweep_interval = 0.01

    async def is_expired() -> bool:
        loaded = await intake.executor.read(REQUEST)
        return loaded is not None and loaded.state.status.value == "expired"

    await until(is_expired)
    assert [place[1] for place in await positions_in_log(harness, 2)] == [1, 2]
