"""Write conflicts of commands, batches and dead letters are retried with growing random delays and a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from shared.runtime.service_runtime import ServiceRuntime
from shared.runtime.write_conflicts import (
    INITIAL_DELAY_SECONDS,
    MAX_ATTEMPTS,
    MAX_DELAY_SECONDS,
    TooManyConflicts,
    conflict_backoff,
)
from shared.storage.port import SaveOutcome, Write
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import submitted, withdrawn
from tests.support.services.runtime_harness import (
    INTAKE,
    VERIFICATION,
    RuntimeHarness,
    record,
    runtime_harness,
    status,
    submit,
)

ALWAYS = 1_000


class ConflictingStore(SqliteStateStore):
    """A store in which another writer is faster, a given number of times."""

    conflicts = 0

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        if self.conflicts:
            self.conflicts -= 1
            return [SaveOutcome.CONFLICT] * len(writes)
        return await super().save(writes)


class ConflictingWrites:
    """A service with write conflicts, and the delays before its attempts."""

    def __init__(self, runtime: ServiceRuntime[Any]) -> None:
        self.runtime, self.delays = runtime, list[float]()
        runtime.store.__class__ = ConflictingStore
        backoff = conflict_backoff(Random(1), self.sleep)
        runtime.executor._backoff = runtime.consumer._backoff = runtime.dead_letters._backoff = backoff

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)

    def conflict(self, times: int) -> None:
        assert isinstance(self.runtime.store, ConflictingStore)
        self.runtime.store.conflicts = times


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


async def delays_with(seed: int, tries: int) -> list[float]:
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    backoff = conflict_backoff(Random(seed), sleep)
    for number in range(tries):
        await backoff.wait(number)
    return delays


async def test_delays_grow_to_a_limit_and_the_first_attempt_has_none():
    delays = await delays_with(1, MAX_ATTEMPTS)
    assert len(delays) == MAX_ATTEMPTS - 1
    for number, delay in enumerate(delays):
        assert 0 <= delay <= min(MAX_DELAY_SECONDS, INITIAL_DELAY_SECONDS * 2**number)
    assert max(delays[-10:]) > MAX_DELAY_SECONDS / 2


async def test_two_competitors_wait_for_different_delays():
    assert await delays_with(1, 10) != await delays_with(2, 10)
    assert await delays_with(1, 10) == await delays_with(1, 10)


async def test_a_command_with_conflicts_is_retried_after_delays(harness: RuntimeHarness):
    conflicting = ConflictingWrites(await harness.service(INTAKE))
    conflicting.conflict(5)
    assert (await submit(conflicting.runtime)).status == "submitted"
    assert len(conflicting.delays) == 5


async def test_a_command_with_a_conflict_in_every_attempt_fails(harness: RuntimeHarness):
    conflicting = ConflictingWrites(await harness.service(INTAKE))
    conflicting.conflict(ALWAYS)
    with pytest.raises(TooManyConflicts):
        await submit(conflicting.runtime)
    assert len(conflicting.delays) == MAX_ATTEMPTS - 1


async def test_a_batch_with_conflicts_is_folded_again_after_delays(harness: RuntimeHarness):
    conflicting = ConflictingWrites(await harness.service(VERIFICATION))
    conflicting.conflict(5)
    await conflicting.runtime.consumer.handle([record(1, submitted)])
    assert await status(conflicting.runtime) == "submitted"
    assert len(conflicting.delays) == 4, "the first time it was folded into what was remembered"


async def test_a_batch_with_a_conflict_in_every_attempt_fails_and_can_be_redelivered(harness: RuntimeHarness):
    conflicting = ConflictingWrites(await harness.service(VERIFICATION))
    conflicting.conflict(ALWAYS)
    with pytest.raises(TooManyConflicts):
        await conflicting.runtime.consumer.handle([record(1, submitted)])
    conflicting.conflict(0)
    await conflicting.runtime.consumer.handle([record(1, submitted)])
    assert await status(conflicting.runtime) == "submitted"
    assert await conflicting.runtime.store.dead_letters() == []


async def test_a_dead_letter_with_a_conflict_in_every_attempt_stays_parked(harness: RuntimeHarness):
    conflicting = ConflictingWrites(await harness.service(VERIFICATION))
    conflicting.runtime.dead_letters._replay_delays = ()
    await conflicting.runtime.consumer.handle([record(1, withdrawn, 2)])
    await conflicting.runtime.consumer.handle([record(2, submitted)])
    [gap, first] = await conflicting.runtime.store.dead_letters()
    conflicting.conflict(ALWAYS)
    with pytest.raises(TooManyConflicts):
        await conflicting.runtime.dead_letters.replay(REQUEST)
    with pytest.raises(TooManyConflicts):
        await conflicting.runtime.dead_letters.discard(first)
    conflicting.conflict(0)
    assert [one.id for one in await conflicting.runtime.store.dead_letters()] == [gap.id]
