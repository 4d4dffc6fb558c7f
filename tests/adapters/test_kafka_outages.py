"""The log while Kafka is down, silent, killed or restarted, and while consumers die: nothing is lost, every call ends in time."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.eventlog.kafka.connection import Topic
from shared.eventlog.kafka.consumer import LEAVE_TIMEOUT_SECONDS
from shared.eventlog.kafka.log import KafkaEventLog
from shared.eventlog.port import LogUnavailable
from tests.adapters.test_kafka_members import log_of
from tests.support.adapters.log_listener import (
    RecordingConsumer,
    numbered_records,
    read_all,
    running_consumer,
    wait_for_commit,
)
from tests.support.adapters.stores_and_logs import GRACE_SECONDS
from tests.support.engines import kafka
from tests.support.engines.engine_process import EngineProcess, EngineUnavailable, skip
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka")]

REQUEST_TIMEOUT_SECONDS = 2.0
MAX_ANSWER_SECONDS = 8.0
"""Bound on the time of a call on a busy machine; aiokafka's own timeout is 40 seconds."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EngineProcess]:
    """A Kafka for this test only, not started yet."""
    try:
        made = kafka.server(tmp_path)
    except EngineUnavailable as reason:
        skip(reason)
    yield made
    made.stop()


def short_timeout_log(address: str) -> KafkaEventLog:
    return KafkaEventLog(
        address,
        Topic(f"test-{uuid4().hex}", partitions=6),
        request_timeout=REQUEST_TIMEOUT_SECONDS,
        grace_seconds=GRACE_SECONDS,
    )


async def assert_append_refused(log: KafkaEventLog) -> float:
    """Assert that an append fails, and return how many seconds it took."""
    started_at = time.monotonic()
    with pytest.raises(LogUnavailable):
        await log.append([("a", b"refused")])
    return time.monotonic() - started_at


async def test_every_call_ends_in_time_while_kafka_is_down():
    log = short_timeout_log(f"127.0.0.1:{free_port()}")
    started_at = time.monotonic()
    for ask in (
        log.prepare,
        log.ready,
        log.end,
        lambda: log.lag("intake"),
        lambda: log.read_newest(1),
        lambda: log.read_key("a"),
    ):
        with pytest.raises(LogUnavailable):
            await ask()
    assert await assert_append_refused(log) < MAX_ANSWER_SECONDS
    async with running_consumer(log, "intake", RecordingConsumer()):
        await asyncio.sleep(0.5)
    await log.close()
    assert time.monotonic() - started_at < 7 * MAX_ANSWER_SECONDS


async def test_a_log_that_started_without_kafka_creates_its_topic_when_kafka_starts(
    server: EngineProcess,
):
    log, listener = short_timeout_log(server.address), RecordingConsumer()
    with pytest.raises(LogUnavailable):
        await log.prepare()
    async with running_consumer(log, "intake", listener):
        assert await assert_append_refused(log) < MAX_ANSWER_SECONDS
        await asyncio.to_thread(server.start)
        await log.append([("a", b"1")])
        await listener.wait_until(lambda: listener.values == [b"1"])
        await log.ready()
    await log.close()


async def test_a_missing_topic_is_named_in_the_error(kafka_address: str):
    log = short_timeout_log(kafka_address)
    with pytest.raises(LogUnavailable, match=r"no topic test-.*`simpul prepare`"):
        await log.ready()
    await log.close()


async def test_the_log_recovers_from_a_killed_kafka_with_all_acknowledged_records(server: EngineProcess):
    await asyncio.to_thread(server.start)
    log, listener = short_timeout_log(server.address), RecordingConsumer()
    await log.prepare()
    async with running_consumer(log, "intake", listener):
        await log.append(numbered_records(100))
        await listener.wait_until(lambda: len(set(listener.values)) == 100)
        await asyncio.to_thread(server.kill)
        assert await assert_append_refused(log) < MAX_ANSWER_SECONDS
        with pytest.raises(LogUnavailable):
            await log.ready()
        await asyncio.to_thread(server.start)
        await append_with_retry(log, 100, 200)
        await listener.wait_until(lambda: len(set(listener.values) - {b"refused"}) == 200)
        await wait_for_commit(log, "intake")
    found = {record.value for record in await read_all(log)}
    assert found >= {b"%d" % number for number in range(200)}
    await log.close()


async def append_with_retry(log: KafkaEventLog, start: int, end: int) -> None:
    """Retry an append until it is acknowledged, as the relay does."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await log.append(numbered_records(end - start, start))
            except LogUnavailable:
                await asyncio.sleep(0.2)


async def test_an_unacknowledged_record_may_be_appended_again_in_order(
    server: EngineProcess,
):
    await asyncio.to_thread(server.start)
    log = short_timeout_log(server.address)
    await log.prepare()
    await log.append([("a", b"1")])
    server._signal(signal.SIGSTOP)
    for _ in range(3):
        started_at = time.monotonic()
        with pytest.raises(LogUnavailable):
            await log.append([("a", b"2")])
        assert time.monotonic() - started_at < MAX_ANSWER_SECONDS
    server._signal(signal.SIGCONT)
    async with asyncio.timeout(30):
        while True:
            try:
                await log.append([("a", b"2")])
                break
            except LogUnavailable:
                await asyncio.sleep(0.2)
    await log.append([("a", b"3")])
    values = [record.value for record in await log.read_key("a")]
    assert list(dict.fromkeys(values)) == [b"1", b"2", b"3"]
    await log.close()


async def test_concurrent_appends_of_a_record_publish_it_once(server: EngineProcess):
    """A record that is appended again while its delivery is in flight is the same record."""
    await asyncio.to_thread(server.start)
    log = short_timeout_log(server.address)
    await log.prepare()
    await log.append([("a", b"1")])
    server._signal(signal.SIGSTOP)
    tries = [asyncio.create_task(log.append([("a", b"2")])) for _ in range(5)]
    await asyncio.sleep(0.3)
    server._signal(signal.SIGCONT)
    await asyncio.gather(*tries)
    assert [record.value for record in await log.read_key("a")] == [b"1", b"2"]
    await log.close()


async def test_a_cancelled_consumer_ends_while_kafka_does_not_answer(server: EngineProcess):
    await asyncio.to_thread(server.start)
    log, listener = short_timeout_log(server.address), RecordingConsumer()
    await log.prepare()
    await log.append(numbered_records(1))
    consuming = asyncio.create_task(log.consume("intake", listener))
    await listener.wait_until(lambda: bool(listener.values))
    server._signal(signal.SIGSTOP)
    consuming.cancel()
    await asyncio.wait([consuming], timeout=LEAVE_TIMEOUT_SECONDS + GRACE_SECONDS + 3)
    assert consuming.cancelled()
    server._signal(signal.SIGCONT)
    await log.close()


async def test_records_of_other_producers_are_delivered_unchanged(kafka_address: str):
    async with log_of(kafka_address) as log:
        stranger = AIOKafkaProducer(bootstrap_servers=kafka_address)
        await stranger.start()
        topic = log._connection.topic.name
        await stranger.send_and_wait(topic, value=None, key=b"\xff\xfe", headers=[("content-type", b"\xff")])
        await stranger.send_and_wait(topic, value=b"no key")
        await stranger.stop()
        await log.append([("a", b"ours")])
        listener = RecordingConsumer()
        async with running_consumer(log, "intake", listener):
            await listener.wait_until(lambda: len(listener.values) == 3)
    assert set(listener.values) == {b"", b"no key", b"ours"}


@asynccontextmanager
async def consuming(address: str) -> AsyncIterator[tuple[KafkaEventLog, BatchSubscriber, RecordingConsumer]]:
    """A consumer with a short stall timeout that has received one event."""
    log, listener = (
        KafkaEventLog(address, Topic(f"test-{uuid4().hex}"), grace_seconds=1, stall_seconds=1),
        RecordingConsumer(),
    )
    await log.prepare()
    async with running_consumer(log, "intake", listener):
        await log.append(numbered_records(1))
        await listener.wait_until(lambda: len(listener.values) == 1)
        [subscriber] = log.broker.subscribers
        yield log, cast(BatchSubscriber, subscriber), listener
    await log.close()


@pytest.mark.parametrize("part", ["_coordination_task", "_heartbeat_task"])
async def test_a_consumer_whose_background_task_died_is_restarted(kafka_address: str, part: str):
    async with consuming(kafka_address) as (log, subscriber, listener):
        consumer: Any = subscriber.consumer
        getattr(consumer._coordinator, part).cancel()
        async with asyncio.timeout(30):
            while True:
                await log.append(numbered_records(20, len(listener.values)))
                await asyncio.sleep(1)
                if len(listener.values) > 60 and await log.lag("intake") == 0:
                    break
    assert set(listener.values) >= {b"%d" % number for number in range(20)}


async def test_a_consumer_whose_loop_ended_is_restarted(kafka_address: str):
    async with consuming(kafka_address) as (log, subscriber, listener):
        for task in subscriber.tasks:
            task.cancel()
        await log.append(numbered_records(1, 1))
        await listener.wait_until(lambda: b"1" in listener.values)


async def test_a_consumer_whose_fetcher_died_is_restarted(kafka_address: str):
    async with consuming(kafka_address) as (log, subscriber, listener):
        consumer: Any = subscriber.consumer
        consumer._fetcher._fetch_task.cancel()
        await log.append(numbered_records(1, 1))
        await listener.wait_until(lambda: b"1" in listener.values)


async def test_a_cancelled_commit_is_repeated_with_the_next_batch(kafka_address: str):
    async with consuming(kafka_address) as (log, _, _):
        for task in asyncio.all_tasks():
            if "_commit_pending" in repr(task):
                task.cancel()
        await log.append(numbered_records(1, 1))
        async with asyncio.timeout(30):
            await wait_for_commit(log, "intake")
