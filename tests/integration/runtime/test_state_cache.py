"""The state cache saves reads of the store, and stale records have no effect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.runtime import state_cache
from shared.runtime.decider import Refusal
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import StateRecord
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import SUBMIT, resubmitted, submitted, withdrawn
from tests.support.services.runtime_harness import (
    INTAKE,
    RETURN,
    VERIFICATION,
    VERIFY,
    RuntimeHarness,
    key,
    record,
    runtime_harness,
    status,
    submit,
)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


def record_reads(runtime: ServiceRuntime[Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the requests that are read from the store from now on."""
    asked: list[str] = []
    load = runtime.store.load

    async def counting(ids: Sequence[str]) -> dict[str, StateRecord]:
        asked.extend(ids)
        return await load(ids)

    monkeypatch.setattr(runtime.store, "load", counting)
    return asked


async def test_a_command_on_a_just_saved_record_does_not_read_the_store(
    harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch
):
    verification = await harness.service(VERIFICATION)
    await verification.consumer.handle([record(1, submitted)])
    asked = record_reads(verification, monkeypatch)
    await verification.executor.execute(REQUEST, VERIFY, key(1))
    await verification.consumer.handle([record(2, withdrawn, 2)])
    assert asked == []
    assert await status(verification) == "withdrawn"


async def test_an_expired_record_is_read_again(harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(state_cache, "CACHE_TTL_SECONDS", 0.0)
    verification = await harness.service(VERIFICATION)
    await verification.consumer.handle([record(1, submitted)])
    asked = record_reads(verification, monkeypatch)
    await verification.executor.execute(REQUEST, VERIFY, key(1))
    assert asked == [REQUEST]


async def test_a_command_is_decided_on_the_record_that_another_process_saved(harness: RuntimeHarness):
    one, other = await harness.service(VERIFICATION), await harness.service(VERIFICATION)
    await one.consumer.handle([record(1, submitted)])
    await other.consumer.handle([record(1, submitted)])
    await other.executor.execute(REQUEST, VERIFY, key(1))
    with pytest.raises(Refusal, match="moved_on"):
        await one.executor.execute(REQUEST, VERIFY, key(2))
    assert len(await one.store.unpublished(10)) == 1


async def test_no_command_is_refused_because_of_a_stale_record(harness: RuntimeHarness):
    one, other = await harness.service(VERIFICATION), await harness.service(VERIFICATION)
    await one.consumer.handle([record(1, submitted)])
    await one.executor.execute(REQUEST, RETURN, key(1))
    await other.consumer.handle([record(2, resubmitted, 2)])
    assert (await one.executor.execute(REQUEST, VERIFY, key(2))).status == "verified"


async def test_an_event_whose_predecessor_another_process_folded_is_not_a_gap(harness: RuntimeHarness):
    one, other = await harness.service(VERIFICATION), await harness.service(VERIFICATION)
    await one.consumer.handle([record(1, submitted)])
    await one.executor.execute(REQUEST, RETURN, key(1))
    await other.consumer.handle([record(2, resubmitted, 2)])
    await one.consumer.handle([record(3, withdrawn, 3)])
    assert await one.store.dead_letters() == []
    assert await status(one) == "withdrawn"


async def test_a_new_request_that_is_stored_already_returns_the_first_result(harness: RuntimeHarness):
    one, other = await harness.service(INTAKE), await harness.service(INTAKE)
    first = await submit(one)
    assert await other.executor.execute(REQUEST, SUBMIT, key(101), new=True) == replace(first, repeated=True)
    assert len(await one.store.unpublished(10)) == 1


async def test_a_change_is_read_from_the_cache_unless_another_process_saved_a_newer_version(
    harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch
):
    one, other = await harness.service(VERIFICATION), await harness.service(VERIFICATION)
    await one.consumer.handle([record(1, submitted)])
    await other.executor.execute(REQUEST, VERIFY, key(1))
    asked = record_reads(one, monkeypatch)
    first = await one.executor.read_change(REQUEST, 1)
    assert first
    assert (first.version, asked) == (1, [])
    second = await one.executor.read_change(REQUEST, 2)
    assert second
    assert (second.version, asked) == (2, [REQUEST])


async def test_the_stored_record_is_read_when_no_version_is_known(harness: RuntimeHarness):
    one, other = await harness.service(VERIFICATION), await harness.service(VERIFICATION)
    await one.consumer.handle([record(1, submitted)])
    await other.executor.execute(REQUEST, VERIFY, key(1))
    loaded = await one.executor.read_change(REQUEST, 0)
    assert loaded
    assert loaded.version == 2


async def test_a_batch_of_known_requests_reads_nothing(harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch):
    verification = await harness.service(VERIFICATION)
    await verification.consumer.handle([record(1, submitted)])
    reads: list[Sequence[str]] = []
    load = verification.store.load

    async def counting(ids: Sequence[str]) -> dict[str, StateRecord]:
        reads.append(ids)
        return await load(ids)

    monkeypatch.setattr(verification.store, "load", counting)
    await verification.consumer.handle([record(2, withdrawn, 2)])
    assert reads == []
