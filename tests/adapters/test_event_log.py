"""The contract of the event log, tested with each adapter."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.eventlog.port import EventLog, LogRecord, LogUnavailable
from shared.eventlog.sqlite.log import SqliteEventLog
from shared.storage.sqlite.database import SqliteDatabase
from tests.support.adapters.log_listener import (
    TIMEOUT_SECONDS,
    RecordingConsumer,
    numbered_records,
    read_all,
    running_consumer,
    sort_by_position,
    wait_for_commit,
)
from tests.support.adapters.stores_and_logs import GRACE_SECONDS, OpenLog


async def test_an_empty_log_has_no_end_and_no_lag(log: EventLog):
    assert await log.end() == ""
    assert await log.lag("intake") == 0
    assert await read_all(log) == []
    await log.ready()


async def test_records_are_delivered_and_read_unchanged(log: EventLog):
    await log.append([("a", b'{"name": "Caf\xc3\xa9"}'), ("b", b"\x00\xff")])
    await log.append([])
    listener = RecordingConsumer()
    async with running_consumer(log, "intake", listener):
        await listener.wait_until(lambda: len(listener.values) == 2)
    received = [record for batch in listener.batches for record in batch]
    assert sorted((record.key, record.value) for record in received) == [
        ("a", b'{"name": "Caf\xc3\xa9"}'),
        ("b", b"\x00\xff"),
    ]
    assert sort_by_position(received) == sort_by_position(await read_all(log))
    assert len({record.position for record in received}) == 2


async def test_records_of_a_key_are_delivered_in_order(log: EventLog):
    listener = RecordingConsumer()
    async with running_consumer(log, "intake", listener, max_records=7):
        for number in range(40):
            await log.append([(key, b"%s%d" % (key.encode(), number)) for key in "abc"])
        await listener.wait_until(lambda: len(listener.values) >= 120)
    for key in (b"a", b"b", b"c"):
        assert [v for v in listener.values if v.startswith(key)] == [b"%s%d" % (key, number) for number in range(40)]


async def test_the_newest_records_are_read_oldest_first(log: EventLog):
    assert await log.read_newest(3) == []
    for number in range(5):
        await log.append(numbered_records(1, number))
        await asyncio.sleep(0.002)
    assert [record.value for record in await log.read_newest(3)] == [b"2", b"3", b"4"]
    assert await log.read_newest(0) == []
    assert sort_by_position(await log.read_newest(9)) == sort_by_position(await read_all(log))


async def test_the_records_of_one_key_are_read_in_order(log: EventLog):
    await log.append([("a", b"1"), ("b", b"2")])
    await log.append([("a", b"3")])
    assert [(record.key, record.value) for record in await log.read_key("a")] == [("a", b"1"), ("a", b"3")]
    assert await log.read_key("c") == []


async def test_five_thousand_records_are_delivered_once_in_bounded_batches(log: EventLog):
    for start in range(0, 5_000, 500):
        await log.append(numbered_records(500, start))
    listener = RecordingConsumer()
    async with running_consumer(log, "intake", listener, max_records=200):
        await listener.wait_until(lambda: len(listener.values) >= 5_000)
    assert sorted(listener.values, key=int) == [b"%d" % number for number in range(5_000)]
    assert max(map(len, listener.batches)) <= 200
    assert min(map(len, listener.batches)) > 0


async def test_an_appended_record_is_delivered_at_once(log: EventLog):
    listener, took = RecordingConsumer(), []
    async with running_consumer(log, "intake", listener):
        await log.append(numbered_records(1))
        await listener.wait_until(lambda: bool(listener.values))
        for number in range(1, 6):
            await asyncio.sleep(0.1)
            started_at = time.monotonic()
            await log.append(numbered_records(1, number))
            await listener.wait_for(b"%d" % number)
            took.append(time.monotonic() - started_at)
    assert min(took) < 0.25  # other work of the machine may hold one up, not all


async def test_a_batch_whose_handler_fails_is_redelivered(log: EventLog):
    failures = iter([ValueError("first"), OSError("second")])

    async def refuse(records: Sequence[LogRecord]) -> None:
        for failure in failures:
            tried.append([record.value for record in records])
            raise failure

    tried: list[list[bytes]] = []
    listener = RecordingConsumer()
    listener.before = refuse
    await log.append(numbered_records(3))
    async with running_consumer(log, "intake", listener):
        await listener.wait_until(lambda: len(listener.values) >= 3)
    first = [record.value for record in listener.batches[0]]
    assert tried == [first, first]


async def test_later_records_do_not_overtake_a_failing_batch(log: EventLog):
    failing = True

    async def refuse(records: Sequence[LogRecord]) -> None:
        if failing:
            raise ValueError

    listener = RecordingConsumer()
    listener.before = refuse
    async with running_consumer(log, "intake", listener):
        await log.append([("a", b"1")])
        await asyncio.sleep(0.05)
        await log.append([("a", b"2")])
        await asyncio.sleep(0.1)
        failing = False
        await listener.wait_until(lambda: len(listener.values) >= 2)
    assert listener.values == [b"1", b"2"]


async def test_a_batch_that_is_cancelled_is_redelivered(log: EventLog):
    started = asyncio.Event()

    async def hang(_: Sequence[LogRecord]) -> None:
        started.set()
        await asyncio.sleep(TIMEOUT_SECONDS)

    await log.append(numbered_records(3))
    async with running_consumer(log, "intake", hang):
        await started.wait()
    assert await log.lag("intake") == 3
    listener = RecordingConsumer()
    async with running_consumer(log, "intake", listener):
        await listener.wait_until(lambda: len(listener.values) >= 3)
    assert sorted(listener.values) == [b"0", b"1", b"2"]


async def test_a_cancelled_consumer_may_finish_the_batch_in_flight(log: EventLog):
    started, finished = asyncio.Event(), asyncio.Event()

    async def take_a_moment(_: Sequence[LogRecord]) -> None:
        started.set()
        await asyncio.sleep(GRACE_SECONDS / 3)
        finished.set()

    await log.append(numbered_records(3))
    async with running_consumer(log, "intake", take_a_moment):
        await started.wait()
    assert finished.is_set()
    assert await log.lag("intake") == 0


async def test_a_cancelled_consumer_delivers_nothing_more(log: EventLog):
    listener = RecordingConsumer()
    async with running_consumer(log, "intake", listener):
        await log.append(numbered_records(1))
        await listener.wait_until(lambda: bool(listener.values))
    await log.append(numbered_records(1, 1))
    await asyncio.sleep(0.1)
    assert listener.values == [b"0"]


async def test_a_handler_that_raises_cancelled_error_does_not_end_the_consumer(log: EventLog):
    tries = 0

    async def end_once(_: Sequence[LogRecord]) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncio.CancelledError

    listener = RecordingConsumer()
    listener.before = end_once
    await log.append(numbered_records(1))
    async with running_consumer(log, "intake", listener):
        await listener.wait_until(lambda: bool(listener.values))
    assert listener.values == [b"0"]


async def test_each_group_receives_everything_at_its_own_pace(log: EventLog):
    async def never(_: Sequence[LogRecord]) -> None:
        raise ValueError

    await log.append(numbered_records(10))
    listener = RecordingConsumer()
    async with running_consumer(log, "stuck", never), running_consumer(log, "intake", listener):
        await listener.wait_until(lambda: len(listener.values) >= 10)
        await wait_for_commit(log, "intake")
        assert (await log.lag("stuck"), await log.lag("new")) == (10, 10)


async def test_lag_counts_undelivered_records(log: EventLog):
    listener = RecordingConsumer()
    await log.append(numbered_records(4))
    async with running_consumer(log, "intake", listener):
        await listener.wait_until(lambda: len(listener.values) >= 4)
    await log.append(numbered_records(3, 4))
    assert await log.lag("intake") == 3


async def test_the_lag_of_a_consumer_that_keeps_up_returns_to_zero(open_log: OpenLog):
    async with open_log() as log, open_log() as elsewhere:
        await log.prepare()
        async with running_consumer(log, "intake", RecordingConsumer()):
            await log.append(numbered_records(3))
            await wait_for_commit(elsewhere, "intake")


async def test_a_group_continues_at_its_position_after_reopening(open_log: OpenLog):
    async with open_log() as log:
        await log.prepare()
        await log.append(numbered_records(5))
        listener = RecordingConsumer()
        async with running_consumer(log, "intake", listener):
            await listener.wait_until(lambda: len(listener.values) >= 5)
        await log.append(numbered_records(2, 5))
        end = await log.end()
    async with open_log() as log:
        await log.prepare()
        assert await log.end() == end
        assert await log.lag("intake") == 2
        listener = RecordingConsumer()
        async with running_consumer(log, "intake", listener):
            await listener.wait_until(lambda: len(listener.values) >= 2)
        assert sorted(listener.values) == [b"5", b"6"]
        assert len(await read_all(log)) == 7


async def test_records_appended_by_another_instance_are_delivered(open_log: OpenLog):
    async with open_log() as here, open_log() as elsewhere:
        await here.prepare()
        listener = RecordingConsumer()
        async with running_consumer(here, "intake", listener):
            await asyncio.sleep(0.05)
            await elsewhere.append(numbered_records(2))
            await listener.wait_until(lambda: len(listener.values) >= 2)


async def test_reading_ends_at_the_end_of_the_log_when_it_started(log: EventLog):
    await log.append(numbered_records(2_500))
    met: list[LogRecord] = []
    async for batch in log.read():
        met += batch
        await log.append([("late", b"late")])
    assert sorted(int(record.value) for record in met) == list(range(2_500))


async def test_a_range_of_the_log_can_be_read(log: EventLog):
    ends = []
    for number in (0, 10, 20):
        await log.append(numbered_records(10, number))
        ends.append(await log.end())
    assert await values(log, after=ends[0]) == list(range(10, 30))
    assert await values(log, after=ends[0], up_to=ends[1]) == list(range(10, 20))
    assert await values(log, up_to=ends[0]) == list(range(10))
    assert await values(log, after=ends[2]) == []
    assert await values(log, after=ends[1], up_to=ends[0]) == []


async def values(log: EventLog, after: str = "", up_to: str = "") -> list[int]:
    return sorted(int(record.value) for record in await read_all(log, after, up_to))


async def test_a_repeated_record_is_stored_again(log: EventLog):
    await log.append([("a", b"1")])
    await log.append([("a", b"1")])
    assert [(record.key, record.value) for record in await read_all(log)] == [("a", b"1")] * 2


@pytest.mark.parametrize("appenders", [20])
async def test_concurrent_appends_keep_the_order_of_each_key(log: EventLog, appenders: int):
    async def append(who: int) -> None:
        for number in range(10):
            await log.append([(f"{who}", b"%d" % number)])

    await asyncio.gather(*map(append, range(appenders)))
    whole = await read_all(log)
    assert len(whole) == 10 * appenders
    for who in range(appenders):
        assert [record.value for record in whole if record.key == f"{who}"] == [b"%d" % number for number in range(10)]


async def test_a_failed_append_reports_nothing_as_appended(tmp_path: Path):
    """SQLite stores all of a wave or nothing; for partial waves on Kafka see test_kafka_appends.py."""
    file = SqliteDatabase(tmp_path / "simpul.db")
    log = SqliteEventLog(file)
    await log.prepare()
    await file.write(lambda db: db.execute("PRAGMA max_page_count=32"))
    with pytest.raises(LogUnavailable) as refusal:
        await log.append([("a", b"1"), ("b", random.Random(1).randbytes(1_000_000))])
    assert refusal.value.appended == frozenset()
    assert await read_all(log) == []
    file.close()
