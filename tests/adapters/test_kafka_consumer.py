"""A subscriber is started with retries, restarted when it has died, and stopped in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

from shared.eventlog.kafka.consumer import (
    JOIN_TIMEOUT_SECONDS,
    LEAVE_TIMEOUT_SECONDS,
    MAX_FAILED_COMMITS,
    keep_consuming,
)
from shared.eventlog.kafka.delivery import COMMIT_TIMEOUT_SECONDS, AtLeastOnceDelivery
from tests.support.virtual_time import run_virtually

Step = Callable[[], Awaitable[None]]
GRACE_SECONDS, STALL_SECONDS = 1.0, 30.0
PARTITION = TopicPartition("events", 0)


async def hang() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise KafkaConnectionError("Kafka is away")


async def succeed() -> None: ...


class Connection:
    """A connection to a Kafka that is always available."""

    request_timeout = 1.0

    async def connect(self) -> None: ...


class Records:
    """A consumer at the first of `end` records."""

    def __init__(self, end: int = 1) -> None:
        self.end = end

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset({PARTITION})

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.end)

    async def position(self, partition: TopicPartition) -> int:
        return 0


class Subscriber:
    """Runs the given steps, one per start, and then succeeds."""

    group_id = "intake"

    def __init__(self, *starts: Step, stop: Step = succeed, consumer: Records | None = None) -> None:
        self.consumer = consumer
        self._starts: Iterator[Step] = iter(starts)
        self._on_stop = stop
        self.tasks: list[asyncio.Task[None]] = []
        self.started = asyncio.Event()
        self.stops = 0

    async def start(self) -> None:
        await next(self._starts, succeed)()
        self.tasks = [asyncio.create_task(hang())]
        self.started.set()

    async def stop(self) -> None:
        self.stops += 1
        self.tasks = []
        await self._on_stop()


def consuming(subscriber: Subscriber, delivery: AtLeastOnceDelivery | None = None) -> asyncio.Task[None]:
    delivery = delivery or AtLeastOnceDelivery("intake", GRACE_SECONDS)
    delivery.subscriber = cast(Any, subscriber)
    return asyncio.create_task(keep_consuming(cast(Any, Connection()), cast(Any, subscriber), delivery, STALL_SECONDS))


async def seconds_until_started(subscriber: Subscriber) -> float:
    begun = asyncio.get_running_loop().time()
    task = consuming(subscriber)
    await subscriber.started.wait()
    seconds = asyncio.get_running_loop().time() - begun
    task.cancel()
    await asyncio.wait([task])
    return seconds


def test_a_failed_start_is_retried_after_a_stop():
    async def stops_and_seconds() -> tuple[int, float]:
        subscriber = Subscriber(fail, fail)
        seconds = await seconds_until_started(subscriber)
        return subscriber.stops, seconds

    stops, seconds = run_virtually(stops_and_seconds())
    assert stops == 3, "after each failure, and in the end"
    assert 0 < seconds < 2


def test_a_start_that_hangs_times_out():
    seconds = run_virtually(seconds_until_started(Subscriber(hang)))
    assert JOIN_TIMEOUT_SECONDS < seconds < JOIN_TIMEOUT_SECONDS + 2


def test_a_subscriber_whose_loop_ended_is_restarted():
    async def restarted() -> bool:
        subscriber = Subscriber()
        task = consuming(subscriber)
        await subscriber.started.wait()
        subscriber.started.clear()
        subscriber.tasks[0].cancel()
        async with asyncio.timeout(STALL_SECONDS):
            await subscriber.started.wait()
        task.cancel()
        await asyncio.wait([task])
        return True

    assert run_virtually(restarted())


def test_stopping_takes_bounded_time():
    async def seconds_until_stopped() -> float:
        subscriber = Subscriber(stop=hang)
        task = consuming(subscriber)
        await subscriber.started.wait()
        begun = asyncio.get_running_loop().time()
        task.cancel()
        await asyncio.wait([task])
        return asyncio.get_running_loop().time() - begun

    assert run_virtually(seconds_until_stopped()) <= GRACE_SECONDS + LEAVE_TIMEOUT_SECONDS + 1


async def stalls_after(seconds: float, *, end: int = 1, assigned: bool = False) -> bool:
    delivery = AtLeastOnceDelivery("intake", GRACE_SECONDS)
    delivery.subscriber = cast(Any, SimpleNamespace(consumer=Records(end)))
    delivery.begin()
    await asyncio.sleep(seconds)
    if assigned:
        await delivery.on_partitions_assigned({PARTITION})
    return await delivery.is_stalled(STALL_SECONDS, 1.0)


def test_a_consumer_without_batches_is_stalled_if_there_are_records():
    assert run_virtually(stalls_after(STALL_SECONDS))
    assert not run_virtually(stalls_after(STALL_SECONDS, end=0))
    assert not run_virtually(stalls_after(STALL_SECONDS - 1))


def test_a_consumer_is_not_stalled_right_after_an_assignment():
    assert not run_virtually(stalls_after(STALL_SECONDS, assigned=True))


async def refuse() -> None:
    raise TopicAuthorizationFailedError


class CommittingRecords(Records):
    """Runs the given steps, one per commit, and then succeeds."""

    def __init__(self, *commits: Step) -> None:
        super().__init__(end=0)
        self._commits = iter(commits)

    async def commit(self, _offsets: dict[TopicPartition, int]) -> None:
        await next(self._commits, succeed)()


async def starts_within(seconds: float, *commits: Step) -> int:
    """Return how often a subscriber was started that handles a batch every second."""
    subscriber = Subscriber(consumer=CommittingRecords(*commits))
    delivery = AtLeastOnceDelivery("intake", GRACE_SECONDS)
    task = consuming(subscriber, delivery)
    await subscriber.started.wait()
    for offset in range(int(seconds)):
        record = SimpleNamespace(topic=PARTITION.topic, partition=PARTITION.partition, offset=offset)
        await delivery.deliver(succeed, cast(Any, (record,)))
        await asyncio.sleep(1)
    starts = subscriber.stops + 1
    task.cancel()
    await asyncio.wait([task])
    return starts


def test_a_consumer_whose_commits_fail_is_restarted():
    assert run_virtually(starts_within(20, *[refuse] * 40)) > 1
    assert run_virtually(starts_within(20, *[refuse] * MAX_FAILED_COMMITS * 2)) == 1
    assert run_virtually(starts_within(COMMIT_TIMEOUT_SECONDS * MAX_FAILED_COMMITS + 10, *[hang] * 4)) > 1


def test_a_consumer_is_not_restarted_if_a_commit_succeeds_in_between():
    assert run_virtually(starts_within(60, *[refuse, refuse, succeed] * 200)) == 1
