"""The events of other services: duplicates change nothing; gaps and poison events block one request and no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.envelope import Event, EventHeader, decode_header, encode_event
from shared.contracts.intake import RequestWithdrawn
from shared.contracts.registry import UnreadableEvent
from shared.documents.references import ReferencesUnknown, referenced_keys
from shared.eventlog.port import LogRecord
from shared.runtime.dead_letters import BLOCKED_REFRESH_SECONDS
from shared.runtime.rebuild import Rebuild
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import SaveOutcome, StoreUnavailable, Write
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.domain.given_when_then import REQUEST, make_event
from tests.support.domain.request_events import rejected, resubmitted, returned, submitted, withdrawn
from tests.support.services.runtime_harness import (
    INTAKE,
    MANY,
    NOTIFICATION,
    OTHER,
    VERIFICATION,
    VERIFY,
    RuntimeHarness,
    poisoned,
    record,
    runtime_harness,
    status,
    submit,
    until,
)


async def wait_for_automatic_replays(runtime: ServiceRuntime[Any]) -> None:
    """Wait until all automatic replays have ended."""

    async def idle() -> bool:
        return not runtime.dead_letters._replays

    await until(idle)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_duplicates_leave_the_stored_bytes_as_they_were(harness: RuntimeHarness, times: int):
    verification = await harness.service(VERIFICATION)
    batch = [record(1, submitted), record(2, withdrawn, 2)]
    await verification.consumer.handle(batch)
    before = await verification.store.load([REQUEST])
    for _ in range(times):
        await verification.consumer.handle(batch)
        await verification.consumer.handle([batch[0], batch[0], batch[1], batch[0]])
    assert await verification.store.load([REQUEST]) == before


async def test_a_gap_parks_its_request_and_the_others_go_on(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    await verification.consumer.handle([record(1, withdrawn, 2), record(2, MANY, 1, OTHER)])
    assert await status(verification) == ""
    assert await status(verification, OTHER) == "submitted"
    [letter] = await verification.store.dead_letters()
    assert letter.reason == "Gap: intake: 2 after 0"


async def test_a_gap_is_resolved_when_the_missing_event_arrives(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    await verification.consumer.handle([record(1, withdrawn, 2)])
    await wait_for_automatic_replays(verification)
    await verification.consumer.handle([record(2, submitted)])
    await wait_for_automatic_replays(verification)
    assert await status(verification) == "withdrawn"
    assert await verification.store.dead_letters() == []


async def test_dead_letters_of_a_crashed_process_are_replayed_by_the_next(harness: RuntimeHarness):
    crashed = await harness.service(VERIFICATION)
    crashed.dead_letters._replay_delays = ()
    await crashed.consumer.handle([record(1, withdrawn, 2)])
    await crashed.consumer.handle([record(2, submitted)])
    started = await harness.service(VERIFICATION, started=True)

    async def is_resolved() -> bool:
        return await status(started) == "withdrawn"

    await until(is_resolved)


async def test_events_behind_a_dead_letter_of_another_process_are_parked(harness: RuntimeHarness):
    one, other = await harness.service(VERIFICATION), await harness.service(VERIFICATION)
    for verification in (one, other):
        verification.dead_letters._replay_delays = ()
        await verification.consumer.handle([record(1, MANY, 1, OTHER)])
    await one.consumer.handle([record(2, submitted), record(3, withdrawn, 3)])
    other.dead_letters._blocked_read_at -= BLOCKED_REFRESH_SECONDS
    await other.consumer.handle([record(4, rejected)])
    assert [letter.position for letter in await other.store.dead_letters()] == ["3", "4"]


async def test_a_poison_event_is_parked_after_five_attempts_and_other_requests_go_on(harness: RuntimeHarness):
    verification = await harness.service(poisoned(RequestWithdrawn))
    await verification.consumer.handle([record(1, submitted), record(2, withdrawn, 2), record(3, MANY, 1, OTHER)])
    await wait_for_automatic_replays(verification)
    [letter] = await verification.store.dead_letters()
    assert (letter.tries, letter.reason) == (5, "ValueError: poison")
    assert (await status(verification), await status(verification, OTHER)) == ("submitted", "submitted")


async def test_unreadable_bytes_are_parked(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    broken = encode_event(make_event(withdrawn, 2)).replace(b'"reason"', b'"reasons"')
    await verification.consumer.handle(
        [record(1, submitted), LogRecord("2", REQUEST, broken), LogRecord("3", REQUEST, b"{")]
    )
    assert [letter.position for letter in await verification.store.dead_letters()] == ["2", "3"]


@pytest.mark.parametrize(
    "sequence", [b"1e999", b"Infinity", b"-Infinity", b"NaN", b"-1", b'"9223372036854775808"', b"[]"]
)
async def test_an_event_with_an_invalid_sequence_is_parked_and_other_requests_go_on(
    harness: RuntimeHarness, sequence: bytes
):
    verification = await harness.service(VERIFICATION)
    odd = encode_event(make_event(withdrawn, 2)).replace(b'"sequence":"0000000002"', b'"sequence":' + sequence)
    await verification.consumer.handle([record(1, submitted), LogRecord("2", REQUEST, odd), record(3, MANY, 1, OTHER)])
    [letter] = await verification.store.dead_letters()
    assert (letter.position, letter.event) == ("2", odd)
    assert (await status(verification), await status(verification, OTHER)) == ("submitted", "submitted")
    await verification.dead_letters.discard(letter)
    await verification.consumer.handle([record(4, withdrawn, 2)])
    assert await status(verification) == "withdrawn"


async def test_an_event_whose_source_is_not_a_string_is_parked(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    odd = encode_event(make_event(withdrawn, 2)).replace(b'"source":"intake"', b'"source":["intake"]')
    await verification.consumer.handle([record(1, submitted), LogRecord("2", REQUEST, odd)])
    assert [letter.position for letter in await verification.store.dead_letters()] == ["2"]


async def test_a_comparison_reports_an_event_with_an_invalid_sequence(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    odd = encode_event(make_event(withdrawn, 2)).replace(b'"sequence":"0000000002"', b'"sequence":1e999')
    await harness.log.append([(REQUEST, encode_event(make_event(submitted)))])
    await harness.log.append([(REQUEST, odd)])
    async for batch in harness.log.read():
        await verification.consumer.handle(batch)
    report = await Rebuild(VERIFICATION, verification.store, harness.log).compare()
    assert [place.partition(":")[0] for place in report.unreadable] == ["2"]


async def test_later_events_wait_behind_a_poison_event_and_are_replayed_in_order(harness: RuntimeHarness):
    verification = await harness.service(poisoned(RequestWithdrawn))
    await verification.consumer.handle([record(1, submitted), record(2, withdrawn, 2)])
    await verification.consumer.handle([record(3, resubmitted, 3)])
    await wait_for_automatic_replays(verification)
    assert [letter.position for letter in await verification.store.dead_letters()] == ["2", "3"]
    repaired = await harness.service(VERIFICATION)
    assert await repaired.dead_letters.replay(REQUEST) == []
    [stored] = (await repaired.store.load([REQUEST])).values()
    assert stored.seen == {"intake": 3}
    assert await status(repaired) == "withdrawn"


async def test_a_discarded_event_is_skipped_and_a_rebuild_agrees(harness: RuntimeHarness):
    verification = await harness.service(poisoned(RequestWithdrawn))
    events = [make_event(submitted), make_event(withdrawn, 2), make_event(resubmitted, 3)]
    await harness.log.append([(REQUEST, encode_event(events[0]))])
    await harness.log.append([(REQUEST, encode_event(events[1]))])
    await harness.log.append([(REQUEST, encode_event(events[2]))])
    async for batch in harness.log.read():
        await verification.consumer.handle(batch)
    await wait_for_automatic_replays(verification)
    poison, _ = await verification.store.dead_letters()
    await verification.dead_letters.discard(poison)
    assert await verification.store.dead_letters() == []
    [stored] = (await verification.store.load([REQUEST])).values()
    assert stored.seen == {"intake": 3}
    report = await Rebuild(poisoned(RequestWithdrawn), verification.store, harness.log).compare()
    assert report.clean, report


async def test_an_event_discarded_before_its_turn_is_skipped_when_its_turn_comes(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    await verification.consumer.handle([record(1, withdrawn, 2), record(2, resubmitted, 3)])
    await wait_for_automatic_replays(verification)
    early, _ = await verification.store.dead_letters()
    await verification.dead_letters.discard(early)
    await verification.consumer.handle([record(3, submitted)])
    await wait_for_automatic_replays(verification)
    [stored] = (await verification.store.load([REQUEST])).values()
    assert stored.seen == {"intake": 3}


async def test_a_discarded_unreadable_event_is_a_duplicate_when_redelivered(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    broken = encode_event(make_event(withdrawn, 2)).replace(b'"reason"', b'"reasons"')
    await verification.consumer.handle([record(1, submitted), LogRecord("2", REQUEST, broken)])
    [letter] = await verification.store.dead_letters()
    await verification.dead_letters.discard(letter)
    await verification.consumer.handle([LogRecord("3", REQUEST, broken), record(4, resubmitted, 3)])
    assert await verification.store.dead_letters() == []


async def test_a_duplicate_number_parks_only_the_second_request(harness: RuntimeHarness):
    ledger = await harness.service(NOTIFICATION)
    await ledger.consumer.handle([record(1, submitted), record(2, submitted, 1, OTHER)])
    [letter] = await ledger.store.dead_letters()
    assert letter.subject == OTHER
    assert await ledger.executor.read(REQUEST) is not None


async def test_an_event_of_an_unknown_type_counts_as_seen_and_changes_nothing(harness: RuntimeHarness):
    verification = await harness.service(VERIFICATION)
    unknown = encode_event(make_event(withdrawn, 2)).replace(b"RequestWithdrawn", b"RequestPraised")
    await verification.consumer.handle(
        [record(1, submitted), LogRecord("2", REQUEST, unknown), record(3, withdrawn, 3)]
    )
    [stored] = (await verification.store.load([REQUEST])).values()
    assert stored.seen == {"intake": 3}
    assert await status(verification) == "withdrawn"


async def test_a_reaction_is_saved_in_the_same_write(harness: RuntimeHarness):
    def react(state: Any, event: Event) -> list[Any]:
        return [VERIFY, VERIFY] if event.source == "intake" else []

    verification = await harness.service(replace(VERIFICATION, react=react))
    await verification.consumer.handle([record(1, submitted)])
    [stored] = (await verification.store.load([REQUEST])).values()
    assert (stored.version, stored.seen) == (1, {"intake": 1, "verification": 1})
    assert len(await verification.store.unpublished(10)) == 1
    await verification.consumer.handle([record(1, submitted)])
    assert len(await verification.store.unpublished(10)) == 1


class UnavailableStore(SqliteStateStore):
    """A store that cannot write."""

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        raise StoreUnavailable("away")


async def test_the_offset_is_not_committed_until_the_store_is_available_again(
    harness: RuntimeHarness,
):
    verification = await harness.service(VERIFICATION)
    verification.store.__class__ = UnavailableStore
    await harness.log.append([(REQUEST, encode_event(make_event(submitted)))])
    consuming = asyncio.create_task(harness.log.consume("verification", verification.consumer.handle))
    await asyncio.sleep(0.1)
    assert await harness.log.lag("verification") == 1
    verification.store.__class__ = SqliteStateStore

    async def is_folded() -> bool:
        return await status(verification) == "submitted"

    await until(is_folded)
    assert await verification.store.dead_letters() == []
    consuming.cancel()
    await asyncio.gather(consuming, return_exceptions=True)
    assert await harness.log.lag("verification") == 0


async def test_bytes_that_are_not_json_are_parked_whatever_their_start_looks_like(harness: RuntimeHarness):
    event = encode_event(make_event(submitted)).replace(b'"source":"intake"', b'"source":"notification"')[:-3]
    verification = await harness.service(VERIFICATION)
    await harness.log.append([(REQUEST, event)])
    assert event.startswith(b'{"specversion":"1.0"')
    assert b'"source":"notification"' in event
    assert "notification" not in VERIFICATION.sources
    await verification.consumer.handle([LogRecord("1", REQUEST, event)])
    [parked] = await verification.store.dead_letters()
    assert parked.event == event
    with pytest.raises(ReferencesUnknown, match="no JSON"):
        await referenced_document_keys(harness, verification)
    await verification.dead_letters.discard(parked)
    assert await referenced_document_keys(harness, verification) == set()


async def referenced_document_keys(harness: RuntimeHarness, verification: ServiceRuntime[Any]) -> set[str]:
    return await referenced_keys(["document-1"], harness.log, [verification.store])


async def test_returned_requests_are_known_to_intake(harness: RuntimeHarness):
    intake = await harness.service(INTAKE)
    await submit(intake)
    await intake.consumer.handle([record(1, returned)])
    assert await status(intake) == "returned"


def test_the_header_of_an_event_is_decoded_from_its_envelope_and_not_from_its_fact():
    event = make_event(withdrawn, 2)
    raw = encode_event(event)
    for same in (raw, b'{"data":{"type":"Other","sequence":"7","time":"2020-01-01T00:00:00+00:00"},' + raw[1:]):
        assert decode_header(same) == EventHeader("RequestWithdrawn", 2, event.time, event.traceparent)
    with pytest.raises(UnreadableEvent):
        decode_header(b'{"specversion":"1.0"}')
