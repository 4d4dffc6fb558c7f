"""A rolling upgrade: a process of the old version parks events that it cannot read, and one of the new version folds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from shared.contracts.envelope import Event, decode_event, encode_event
from shared.contracts.facts import Fact
from shared.eventlog.port import LogRecord, LogUnavailable
from shared.runtime import dead_letters
from shared.runtime.event_decoding import NEWER_VERSION_REASON
from shared.runtime.rebuild import Rebuild
from shared.runtime.service_runtime import ServiceRuntime
from tests.support.domain.given_when_then import REQUEST, make_event
from tests.support.domain.request_events import rejected, resubmitted, submitted, withdrawn
from tests.support.services.runtime_harness import (
    MANY,
    OTHER,
    VERIFICATION,
    RuntimeHarness,
    record,
    runtime_harness,
    status,
    until,
)

V1, V2 = b'"schemaversion":1', b'"schemaversion":2'


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


def of_version_2(fact: Fact, sequence: int) -> bytes:
    return encode_event(make_event(fact, sequence)).replace(V1, V2)


def understands_version_2(raw: bytes) -> Event:
    return decode_event(raw.replace(V2, V1))


async def upgraded_process(harness: RuntimeHarness, *, running: bool = False) -> ServiceRuntime[Any]:
    """Return a process of the new version."""
    verification = await harness.service(VERIFICATION)
    verification.event_folder.reader.decode = understands_version_2
    if running:
        verification.start()
        harness._running.append(verification)
    return verification


HISTORY = (encode_event(make_event(submitted)), of_version_2(withdrawn, 2), encode_event(make_event(resubmitted, 3)))


async def old_process_with_newer_event(harness: RuntimeHarness) -> ServiceRuntime[Any]:
    """Return a process of the old version that has consumed a log with an event of a newer version."""
    old = await harness.service(VERIFICATION)
    for raw in HISTORY:
        await harness.log.append([(REQUEST, raw)])
    await old.consumer.handle([LogRecord(str(place), REQUEST, raw) for place, raw in enumerate(HISTORY, 1)])
    return old


async def test_an_event_of_a_newer_version_is_parked_and_later_events_wait(harness: RuntimeHarness):
    old = await old_process_with_newer_event(harness)
    await old.consumer.handle([record(4, MANY, 1, OTHER)])
    letters = await old.store.dead_letters()
    assert [(letter.position, letter.reason) for letter in letters] == [
        ("2", NEWER_VERSION_REASON),
        ("3", dead_letters.BLOCKED_REASON),
    ]
    [stored] = (await old.store.load([REQUEST])).values()
    assert stored.seen == {"intake": 1}
    assert await status(old, OTHER) == "submitted"


async def test_after_the_upgrade_parked_events_are_folded_in_order_and_the_states_are_equal(harness: RuntimeHarness):
    await old_process_with_newer_event(harness)
    new = await upgraded_process(harness, running=True)

    async def is_folded() -> bool:
        return await new.store.dead_letters() == []

    await until(is_folded)
    [stored] = (await new.store.load([REQUEST])).values()
    straight = await upgraded_process(harness)
    working_copy = straight.executor.runner.open(REQUEST, None)
    for raw in HISTORY:
        straight.executor.runner.fold(working_copy, understands_version_2(raw))
    assert stored.seen == working_copy.seen == {"intake": 3}
    assert new.executor.runner.state(stored) == working_copy.state


async def handle_nothing(records: Sequence[LogRecord]) -> None:
    """Handle no records, as if their partitions were assigned to another process."""
    raise LogUnavailable("not here")


async def test_an_upgraded_process_folds_what_an_older_one_parks_beside_it(
    harness: RuntimeHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dead_letters, "POLL_INTERVAL_SECONDS", 0.01)
    new = await upgraded_process(harness, running=True)
    monkeypatch.setattr(new.consumer, "handle", handle_nothing)
    await old_process_with_newer_event(harness)

    async def is_folded() -> bool:
        return await new.store.dead_letters() == [] and await status(new) == "withdrawn"

    await until(is_folded)


async def test_an_older_process_does_not_replay_events_it_cannot_read(harness: RuntimeHarness):
    old = await old_process_with_newer_event(harness)
    assert await old.dead_letters.readable_requests() == []


async def test_events_of_a_newer_version_are_counted(harness: RuntimeHarness):
    def newer_event() -> float:
        return REGISTRY.get_sample_value("simpul_events_total", {"service": "verification", "outcome": "newer"}) or 0.0

    before = newer_event()
    await old_process_with_newer_event(harness)
    assert newer_event() == before + 1


@pytest.mark.parametrize(
    "changed",
    [of_version_2(withdrawn, 2).replace(b"RequestWithdrawn", b"SurveyAnswered"), b""],
    ids=["newer", "in breach of its contract"],
)
async def test_events_without_a_subscription_are_skipped_even_if_unreadable(harness: RuntimeHarness, changed: bytes):
    verification = await harness.service(VERIFICATION)
    survey = changed or encode_event(make_event(withdrawn, 2)).replace(b"RequestWithdrawn", b"SurveyAnswered")
    await verification.consumer.handle([record(1, submitted), LogRecord("2", REQUEST, survey), record(3, withdrawn, 3)])
    assert await verification.store.dead_letters() == []
    [stored] = (await verification.store.load([REQUEST])).values()
    assert stored.seen == {"intake": 3}
    assert await status(verification) == "withdrawn"


async def test_a_skipped_event_keeps_its_place_in_the_sequence(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    survey = encode_event(make_event(withdrawn, 3)).replace(b"RequestWithdrawn", b"SurveyAnswered")
    await verification.consumer.handle([record(1, submitted), LogRecord("2", REQUEST, survey)])
    [letter] = await verification.store.dead_letters()
    assert letter.reason == "Gap: intake: 3 after 1"


async def test_a_rebuild_reports_events_of_a_newer_version(harness: RuntimeHarness):
    old = await old_process_with_newer_event(harness)
    report = await Rebuild(VERIFICATION, old.store, harness.log).compare()
    assert not report.clean
    assert report.unreadable == [f"2: {NEWER_VERSION_REASON}"]
    assert report.differences == []


async def test_a_rebuild_skips_events_without_a_subscription(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    survey = encode_event(make_event(withdrawn, 2)).replace(b"RequestWithdrawn", b"SurveyAnswered")
    for raw in (encode_event(make_event(submitted)), survey, encode_event(make_event(withdrawn, 3))):
        await harness.log.append([(REQUEST, raw)])
    async for batch in harness.log.read():
        await verification.consumer.handle(batch)
    report = await Rebuild(VERIFICATION, verification.store, harness.log).compare()
    assert report.clean, report


async def test_own_events_of_a_newer_version_are_reported_too(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    await harness.log.append([(REQUEST, encode_event(make_event(submitted)))])
    async for batch in harness.log.read():
        await verification.consumer.handle(batch)
    own = encode_event(make_event(rejected)).replace(b"RequestRejected", b"RequestVerified").replace(V1, V2)
    await harness.log.append([(REQUEST, own.replace(b'"source":"assignment"', b'"source":"verification"'))])
    report = await Rebuild(VERIFICATION, verification.store, harness.log).compare()
    assert report.unreadable == [f"2: {NEWER_VERSION_REASON}"]
