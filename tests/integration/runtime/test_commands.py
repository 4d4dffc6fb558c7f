"""Commands on SQLite: executed once, however they are repeated and whatever they conflict with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.intake.domain.commands import WithdrawRequest
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandResult, IdempotencyKeyReused, UniqueViolation
from shared.runtime.service_runtime import ServiceRuntime
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import SUBMIT, submitted
from tests.support.services.runtime_harness import (
    INTAKE,
    OTHER,
    RETURN,
    VERIFICATION,
    VERIFY,
    RuntimeHarness,
    key,
    record,
    runtime_harness,
    submit,
)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


@pytest.fixture
async def verification(harness: RuntimeHarness) -> ServiceRuntime:  # type: ignore[type-arg]
    """Verification with one submitted request."""
    runtime = await harness.service(VERIFICATION)
    await runtime.consumer.handle([record(1, submitted)])
    return runtime


async def test_a_command_is_executed_and_returns_a_result(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    assert await submit(intake) == CommandResult(REQUEST, SUBMIT.number, "submitted", 1)
    assert [entry.subject for entry in await intake.store.unpublished(10)] == [REQUEST]


async def test_a_repeated_key_returns_the_first_result_after_the_request_has_changed(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    first = await submit(intake)
    await intake.executor.execute(REQUEST, WithdrawRequest("Batal."), key(2))
    assert await submit(intake) == replace(first, repeated=True)
    assert len(await intake.store.unpublished(10)) == 2


async def test_a_repeated_key_returns_the_first_result_in_the_next_process(harness: RuntimeHarness):
    first = await submit(await harness.service(INTAKE))
    assert await submit(await harness.service(INTAKE)) == replace(first, repeated=True)


async def test_a_key_with_another_body_is_refused(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    await submit(intake)
    with pytest.raises(IdempotencyKeyReused):
        await intake.executor.execute(REQUEST, SUBMIT, key(101, "other"))


async def test_a_refused_command_saves_nothing(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    with pytest.raises(Refusal):
        await intake.executor.execute(REQUEST, WithdrawRequest("Batal."), key(1))
    assert await intake.executor.read(REQUEST) is None
    assert await intake.store.unpublished(10) == []


async def test_a_registration_number_is_unique(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    await submit(intake)
    with pytest.raises(UniqueViolation):
        await submit(intake, OTHER)
    assert await intake.executor.read(OTHER) is None


async def test_of_fifty_concurrent_officers_one_wins_and_the_others_learn_who_did(verification: ServiceRuntime):  # type: ignore[type-arg]
    commands = [VERIFY, RETURN] * 25
    outcomes = await asyncio.gather(
        *(verification.executor.execute(REQUEST, command, key(n)) for n, command in enumerate(commands)),
        return_exceptions=True,
    )
    assert len([one for one in outcomes if isinstance(one, CommandResult)]) == 1
    refusals = [one for one in outcomes if isinstance(one, Refusal)]
    assert len(refusals) == 49
    assert {refusal.code for refusal in refusals} == {"moved_on"}
    assert {refusal.params["by"] for refusal in refusals} == {"Nurlaila Ibarat"}
    assert len(await verification.store.unpublished(10)) == 1


async def test_fifty_concurrent_repetitions_of_a_command_are_one_decision(verification: ServiceRuntime):  # type: ignore[type-arg]
    answers = await asyncio.gather(*(verification.executor.execute(REQUEST, VERIFY, key(1)) for _ in range(50)))
    assert {replace(answer, repeated=False) for answer in answers} == {answers[0]}
    assert len(await verification.store.unpublished(10)) == 1


async def test_two_concurrent_processes_decide_once(harness: RuntimeHarness, verification: ServiceRuntime):  # type: ignore[type-arg]
    other = await harness.service(VERIFICATION)
    outcomes = await asyncio.gather(
        verification.executor.execute(REQUEST, VERIFY, key(1)),
        other.executor.execute(REQUEST, RETURN, key(2)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["CommandResult", "Refusal"]


async def test_event_times_never_decrease_when_the_clock_is_set_back(harness: RuntimeHarness):
    intake = await harness.service(INTAKE, started=True)
    await submit(intake)
    harness.now -= timedelta(hours=1)
    await intake.executor.execute(REQUEST, WithdrawRequest("Batal."), key(2))
    await intake.relay.drain()
    first, second = await harness.events("intake")
    assert second.time > first.time
