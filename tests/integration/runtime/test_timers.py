"""Timers after a downtime: events in the log are folded first, and overdue commands are checked one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.intake.domain.commands import ConfirmBySilence, ExpireRequest
from shared.contracts.envelope import encode_event
from shared.eventlog.port import LogRecord, LogUnavailable
from shared.runtime import service_runtime as runtime_service
from shared.runtime.service_runtime import ServiceRuntime
from shared.runtime.timers import run_due_commands
from tests.support.domain.given_when_then import REQUEST, make_event
from tests.support.domain.request_events import rejected, returned, submitted
from tests.support.services.runtime_harness import (
    INTAKE,
    RuntimeHarness,
    record,
    runtime_harness,
    status,
    submit,
    until,
)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


async def test_timers_wait_for_events_that_arrived_while_nothing_ran(harness: RuntimeHarness):
    """A returned request that the head rejected meanwhile does not expire."""
    asleep = await harness.service(INTAKE)
    await submit(asleep)
    await asleep.relay.drain()
    await asleep.consumer.handle([record(1, returned)])
    await harness.log.append([(REQUEST, encode_event(make_event(returned)))])
    await harness.log.append([(REQUEST, encode_event(make_event(rejected)))])
    harness.now += timedelta(days=30)
    awake = await harness.service(INTAKE, started=True)

    async def settled() -> bool:
        return await harness.log.lag("intake") == 0 and await status(awake) != "returned"

    await until(settled)
    assert await status(awake) == "rejected"
    assert [event.type for event in await harness.events("intake")] == ["RequestSubmitted"]


async def test_a_timer_that_a_batch_sets_waits_for_the_batches_behind_it(harness: RuntimeHarness):
    """A request that was returned long ago in one batch of the log, and rejected in the next, does not expire between them."""
    asleep = await harness.service(INTAKE)
    await submit(asleep)
    await asleep.relay.drain()
    of_its_own = (REQUEST, encode_event(make_event(submitted)))
    await harness.log.append([(REQUEST, encode_event(make_event(returned))), *[of_its_own] * 1000])
    await harness.log.append([(REQUEST, encode_event(make_event(rejected)))])
    harness.now += timedelta(days=30)
    awake = await harness.service(INTAKE)
    first, rest, handle = asyncio.Event(), asyncio.Event(), awake.consumer.handle

    async def handle_in_two_batches(records: Sequence[LogRecord]) -> None:
        if first.is_set():
            await rest.wait()
        await handle(records)
        first.set()

    awake.consumer.handle = handle_in_two_batches  # type: ignore[method-assign]
    harness.start(awake)
    await first.wait()
    await awake.timers.stop()
    assert await status(awake) == "returned"
    rest.set()

    async def settled() -> bool:
        return await status(awake) != "returned"

    await until(settled)
    assert await status(awake) == "rejected"
    assert {event.type for event in await harness.events("intake")} == {"RequestSubmitted"}


async def test_timers_do_not_wait_forever_for_an_unavailable_log(
    harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch
):
    async def raise_unavailable(group: str) -> int:
        raise LogUnavailable("away")

    monkeypatch.setattr(harness.log, "lag", raise_unavailable)
    monkeypatch.setattr(runtime_service, "CATCH_UP_TIMEOUT_SECONDS", 0.3)
    intake = await harness.service(INTAKE)
    await submit(intake)
    await intake.consumer.handle([record(1, returned)])
    harness.now += timedelta(days=30)
    awake = await harness.service(INTAKE, started=True)

    async def is_expired() -> bool:
        return await status(awake) == "expired"

    await until(is_expired)


def give_two_due_commands(runtime: ServiceRuntime[Any], given: list[type[Any]]) -> None:
    """Give a request two due commands, the first of which makes the second obsolete."""
    decider = runtime.executor.decider

    def decide(state: Any, command: Any, now: datetime) -> Any:
        given.append(type(command))
        return decider.decide(state, command, now)

    both = replace(decider, on_due=lambda state: [ExpireRequest(), ConfirmBySilence()], decide=decide)
    runtime.executor.runner.decider = both


async def test_after_each_due_command_the_state_is_read_again(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    await submit(intake)
    await intake.consumer.handle([record(1, returned)])
    harness.now += timedelta(days=30)
    given: list[type[Any]] = []
    give_two_due_commands(intake, given)
    await run_due_commands(intake.executor)(REQUEST)
    assert given == [ExpireRequest]
    assert await status(intake) == "expired"
