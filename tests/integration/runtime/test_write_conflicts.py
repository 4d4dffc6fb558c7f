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


class Contested(SqliteStateStore):
    """A store in which another writer is faster, a given number of times."""

    losses = 0

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        if self.losses:
            self.losses -= 1
            return [SaveOutcome.CONFLICT] * len(writes)
        return await super().save(writes)


class Contest:
    """A service with write conflicts, and the delays before its attempts."""

    def __init__(self, runtime: ServiceRuntime[Any]) -> None:
        self.runtime, self.pauses = runtime, list[float]()
        runtime.store.__class__ = Contested
        backoff = conflict_backoff(Random(1), self.sleep)
        runtime.executor._backoff = runtime.consumer._backoff = runtime.dead_letters._backoff = backoff

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def lose(self, times: int) -> None:
        assert isinstance(self.runtime.store, Contested)
        self.runtime.store.losses = times


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


async def pauses_with(seed: int, tries: int) -> list[float]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    backoff = conflict_backoff(Random(seed), sleep)
    for number in range(tries):
        await backoff.wait(number)
    return pauses


async def test_delays_grow_to_a_limit_and_the_first_attempt_has_none():
    pauses = await pauses_with(1, MAX_ATTEMPTS)
    assert len(pauses) == MAX_ATTEMPTS - 1
    for number, pause in enumerate(pauses):
        assert 0 <= pause <= min(MAX_DELAY_SECONDS, INITIAL_DELAY_SECONDS * 2**number)
    assert max(pauses[-10:]) > MAX_DELAY_SECONDS / 2


async def test_two_competitors_wait_for_different_delays():
    assert await pauses_with(1, 10) != await pauses_with(2, 10)
    assert await pauses_with(1, 10) == await pauses_with(1, 10)


async def test_a_command_with_conflicts_is_retried_after_delays(harness: RuntimeHarness):
    contest = Contest(await harness.service(INTAKE))
    contest.lose(5)
    assert (await submit(contest.runtime)).status == "submitted"
    assert len(contest.pauses) == 5


async def test_a_command_with_a_conflict_in_every_attempt_fails(harness: RuntimeHarness):
    contest = Contest(await harness.service(INTAKE))
    contest.lose(ALWAYS)
    with pytest.raises(TooManyConflicts):
        await submit(contest.runtime)
    assert len(contest.pauses) == MAX_ATTEMPTS - 1


async def test_a_batch_with_conflicts_is_folded_again_after_delays(harness: RuntimeHarness):
    contest = Contest(await harness.service(VERIFICATION))
    contest.lose(5)
    await contest.runtime.consumer.handle([record(1, submitted)])
    assert await status(contest.runtime) == "submitted"
    assert len(contest.pauses) == 4, "the first time it was folded into what was remembered"


async def test_a_batch_with_a_conflict_in_every_attempt_fails_and_can_be_redelivered(harness: RuntimeHarness):
    contest = Contest(await harness.service(VERIFICATION))
    contest.lose(ALWAYS)
    with pytest.raises(TooManyConflicts):
        await contest.runtime.consumer.handle([record(1, submitted)])
    contest.lose(0)
    await contest.runtime.consumer.handle([record(1, submitted)])
    assert await status(contest.runtime) == "submitted"
    assert await contest.runtime.store.dead_letters() == []


async def test_a_dead_letter_with_a_conflict_in_every_attempt_stays_parked(harness: RuntimeHarness):
    contest = Contest(await harness.service(VERIFICATION))
    contest.runtime.dead_letters._replay_delays = ()
    await contest.runtime.consumer.handle([record(1, withdrawn, 2)])
    await contest.runtime.consumer.handle([record(2, submitted)])
    [gap, first] = await contest.runtime.store.dead_letters()
    contest.lose(ALWAYS)
    with pytest.raises(TooManyConflicts):
        await contest.runtime.dead_letters.replay(REQUEST)
    with pytest.raises(TooManyConflicts):
        await contest.runtime.dead_letters.discard(first)
    contest.lose(0)
    assert [one.id for one in await contest.runtime.store.dead_letters()] == [gap.id]
