"""Offsets committed for groups without consumers, and copies of one log into another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from shared.eventlog.log_copy import MAX_WAVE_SIZE, LogCopier, TargetDiverged, find_positions, split_into_waves
from shared.eventlog.port import EventLog, LogRecord, LogUnavailable
from shared.eventlog.sqlite.log import SqliteEventLog
from shared.storage.sqlite.database import SqliteDatabase
from tests.support.adapters.log_listener import RecordingConsumer, numbered_records, read_all, running_consumer
from tests.support.adapters.stores_and_logs import kafka_log, sqlite_log


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[EventLog]:
    """An SQLite log to copy from."""
    (tmp_path / "other").mkdir()
    async with sqlite_log(tmp_path / "other") as opened:
        await opened.prepare()
        yield opened


async def read_values(log: EventLog, key: str) -> list[bytes]:
    return [record.value for record in await log.read_key(key)]


async def append_values(log: EventLog, key: str, *values: bytes) -> None:
    for value in values:
        await log.append([(key, value)])


async def copy_log(source: EventLog, target: EventLog) -> LogCopier:
    copy = LogCopier(source, target, await source.end())
    await copy.compare()
    await copy.copy()
    return copy


async def test_a_group_with_a_committed_end_receives_only_later_records(log: EventLog):
    await log.append(numbered_records(20))
    await log.commit_offset("intake", await log.end())
    assert await log.lag("intake") == 0
    await log.append([("key-3", b"later")])
    assert await log.lag("intake") == 1
    listener = RecordingConsumer()
    async with running_consumer(log, "intake", listener):
        await listener.wait_until(lambda: bool(listener.values))
    assert listener.values == [b"later"]
    assert await log.lag("verification") == 21


async def test_the_position_of_a_group_is_the_end_up_to_which_it_received_records(log: EventLog):
    assert await log.position("intake") == ""
    await log.append(numbered_records(20))
    await log.commit_offset("intake", await log.end())
    assert await log.position("intake") == await log.end()
    await log.append([("key-3", b"later")])
    undelivered = [record.value async for batch in log.read(await log.position("intake")) for record in batch]
    assert undelivered == [b"later"]
    assert await log.position("verification") == ""


async def test_a_committed_offset_never_decreases(log: EventLog):
    await log.append(numbered_records(5))
    early = await log.end()
    await log.append(numbered_records(5, 5))
    await log.commit_offset("intake", await log.end())
    await log.commit_offset("intake", early)
    await log.commit_offset("intake", "")
    assert await log.lag("intake") == 0


async def test_a_copy_has_every_event_in_the_order_of_its_request(log: EventLog, other: EventLog):
    for number in range(30):
        await other.append([(f"key-{number % 7}", b"%d" % number)])
    copy = await copy_log(other, log)
    assert (copy.events, copy.present, copy.repeats) == (30, 0, 0)
    for key in range(7):
        assert await read_values(log, f"key-{key}") == [b"%d" % n for n in range(30) if n % 7 == key]


async def test_a_copy_ends_at_the_given_position(log: EventLog, other: EventLog):
    await append_values(other, "a", b"1", b"2")
    up_to = await other.end()
    await append_values(other, "a", b"3")
    copy = LogCopier(other, log, up_to)
    await copy.compare()
    assert await copy.copy() == 2
    assert await read_values(log, "a") == [b"1", b"2"]


class PartialLog(SqliteEventLog):
    """Stores only the first record of each wave and reports that, like a log with a slow partition."""

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        await super().append(records[:1])
        if len(records) > 1:
            raise LogUnavailable("the rest is slow", {0})


async def test_a_copy_retries_only_unacknowledged_records(other: EventLog, tmp_path: Path):
    for key in "abc":
        await append_values(other, key, b"1", b"2")
    file = SqliteDatabase(tmp_path / "in-part.db")
    target = PartialLog(file)
    await target.prepare()
    await copy_log(other, target)
    assert [await read_values(target, key) for key in "abc"] == [[b"1", b"2"]] * 3
    file.close()


async def test_a_copy_of_an_empty_log_is_empty(log: EventLog, other: EventLog):
    copy = LogCopier(other, log, await other.end())
    await append_values(other, "a", b"1")
    await copy.compare()
    assert (copy.events, await copy.copy()) == (0, 0)


async def test_a_copy_resumes_and_tolerates_duplicates_in_the_target(log: EventLog, other: EventLog):
    await append_values(other, "a", b"1", b"2", b"3")
    await append_values(other, "b", b"4", b"5")
    await append_values(log, "a", b"1", b"2", b"2")
    copy = await copy_log(other, log)
    assert (copy.present, copy.events) == (2, 5)
    assert await read_values(log, "a") == [b"1", b"2", b"2", b"3"]
    assert await read_values(log, "b") == [b"4", b"5"]


async def test_duplicates_in_the_source_are_copied_once(log: EventLog, other: EventLog):
    await append_values(other, "a", b"1", b"2", b"1", b"2", b"3")
    assert (await copy_log(other, log)).repeats == 2
    assert await read_values(log, "a") == [b"1", b"2", b"3"]


@pytest.mark.parametrize("present", [[b"9"], [b"2"], [b"1", b"3"], [b"1", b"2", b"3", b"4"]])
async def test_a_target_that_diverges_is_not_changed(log: EventLog, other: EventLog, present: Sequence[bytes]):
    await append_values(other, "a", b"1", b"2", b"3")
    await append_values(log, "a", *present)
    with pytest.raises(TargetDiverged):
        await copy_log(other, log)
    assert await read_values(log, "a") == list(present)


async def test_a_target_with_an_unknown_request_is_not_changed(log: EventLog, other: EventLog):
    await append_values(other, "a", b"1")
    await append_values(log, "b", b"1")
    with pytest.raises(TargetDiverged):
        await copy_log(other, log)
    assert len(await read_all(log)) == 1


async def test_positions_are_found_by_value(log: EventLog):
    await append_values(log, "a", b"1", b"2", b"1")
    first, second, _ = await log.read_key("a")
    assert await find_positions(log, {b"1", b"2", b"9"}) == {b"1": first.position, b"2": second.position}


def test_a_wave_has_each_request_at_most_once_and_bounded_size():
    rows = [
        LogRecord("", f"key-{number % (MAX_WAVE_SIZE + 50)}", b"%d" % number)
        for number in range(3 * (MAX_WAVE_SIZE + 50))
    ]
    rounds = split_into_waves(rows)
    assert [len(each) for each in rounds] == [MAX_WAVE_SIZE, 50] * 3
    assert all(len({record.key for record in each}) == len(each) for each in rounds)
    read_key: Callable[[str], list[LogRecord]] = lambda key: [r for each in rounds for r in each if r.key == key]  # noqa: E731
    assert [r.value for r in read_key("key-7")] == [r.value for r in rows if r.key == "key-7"]


@pytest.mark.slow
@pytest.mark.engines("kafka")
async def test_committing_for_a_group_with_members_is_rejected(kafka_address: str):
    async with kafka_log(kafka_address, f"test-{uuid4().hex}") as log:
        await log.prepare()
        await log.append(numbered_records(5))
        listener = RecordingConsumer()
        async with running_consumer(log, "intake", listener):
            await listener.wait_until(lambda: len(listener.values) == 5)
            with pytest.raises(LogUnavailable, match="somebody consumes"):
                await log.commit_offset("intake", "0:99,1:99,2:99,3:99,4:99,5:99")
