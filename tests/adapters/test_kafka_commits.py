"""Offsets are committed even if a batch outlives its partitions or Kafka rejects some of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, TopicAuthorizationFailedError, UnknownMemberIdError

from shared.eventlog.kafka.connection import Topic
from shared.eventlog.kafka.delivery import AtLeastOnceDelivery
from shared.eventlog.kafka.log import KafkaEventLog
from shared.eventlog.kafka.offsets import PendingOffsets
from shared.eventlog.port import LogRecord
from tests.adapters.test_kafka_members import log_of
from tests.support.adapters.log_listener import RecordingConsumer, numbered_records, running_consumer, wait_for_commit
from tests.support.virtual_time import run_virtually

HERE, THERE, ELSEWHERE = (TopicPartition("events", number) for number in range(3))


class Consumer:
    """Rejects a commit with an unassigned partition, as aiokafka does."""

    def __init__(self, *owned: TopicPartition) -> None:
        self.owned = set(owned)
        self.committed: dict[TopicPartition, int] = {}
        self.refused: dict[TopicPartition, KafkaError] = {}
        self.calls = 0

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.owned)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.calls += 1
        if not self.owned.issuperset(offsets):
            raise IllegalStateError("not assigned")
        refusals = [self.refused[place] for place in offsets if place in self.refused]
        self.committed |= {place: at for place, at in offsets.items() if place not in self.refused}
        if refusals:
            raise refusals[0]


class Silent(Consumer):
    """Never answers a commit."""

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.calls += 1
        await asyncio.Event().wait()


class Slow(Consumer):
    """Completes its commits when `answered` is set."""

    def __init__(self, *owned: TopicPartition) -> None:
        super().__init__(*owned)
        self.committing, self.answered = asyncio.Event(), asyncio.Event()

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committing.set()
        await self.answered.wait()
        await super().commit(offsets)


class Gate(RecordingConsumer):
    """Delays batches until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.opened = asyncio.Event(), asyncio.Event()
        self.fails = False
        self.tries = 0
        self.before = self.hold

    async def hold(self, _: Sequence[LogRecord]) -> None:
        self.tries += 1
        self.begun.set()
        await self.opened.wait()
        if self.fails:
            raise ValueError


def delivery_to(consumer: Consumer) -> AtLeastOnceDelivery:
    """Return a delivery that does not wait for the batch in flight when partitions are revoked."""
    delivery = AtLeastOnceDelivery("intake", grace_seconds=0.01)
    delivery.subscriber = cast(Any, SimpleNamespace(consumer=consumer))
    delivery.begin()
    return delivery


async def deliver(delivery: AtLeastOnceDelivery, gate: Gate, place: TopicPartition, at: int) -> None:
    record = LogRecord(f"{place.partition}:{at - 1}", "a", b"1")
    raw = SimpleNamespace(topic=place.topic, partition=place.partition, offset=at - 1)
    await delivery.deliver(lambda: gate([record]), cast(Any, (raw,)))


async def test_a_batch_that_outlives_its_partitions_does_not_block_commits_of_other_partitions():
    gate, consumer = Gate(), Consumer(HERE, THERE)
    delivery = delivery_to(consumer)
    delivering = asyncio.create_task(deliver(delivery, gate, HERE, 5))
    await gate.begun.wait()
    await delivery.on_partitions_revoked({HERE})
    consumer.owned = {THERE}
    gate.opened.set()
    await delivering
    await deliver(delivery, gate, THERE, 9)
    await delivery.commit()
    assert consumer.committed == {THERE: 9}


async def test_an_old_batch_does_not_reset_the_offset_of_a_reassigned_partition():
    gate, consumer = Gate(), Consumer(HERE)
    delivery = delivery_to(consumer)
    delivering = asyncio.create_task(deliver(delivery, gate, HERE, 5))
    await gate.begun.wait()
    await delivery.on_partitions_revoked({HERE})
    gate.opened.set()
    await delivering
    consumer.committed[HERE] = 20
    await delivery.commit()
    assert consumer.committed == {HERE: 20}


async def test_a_failing_batch_is_not_retried_after_its_partitions_are_revoked():
    gate, consumer = Gate(), Consumer(HERE)
    delivery = delivery_to(consumer)
    gate.fails = True
    delivering = asyncio.create_task(deliver(delivery, gate, HERE, 5))
    await gate.begun.wait()
    await delivery.on_partitions_revoked({HERE})
    gate.opened.set()
    await delivering
    assert gate.tries == 1


async def test_offsets_added_during_a_commit_are_committed_without_another_batch():
    consumer = Slow(HERE)
    delivery, opened = delivery_to(consumer), Gate()
    opened.opened.set()
    await deliver(delivery, opened, HERE, 5)
    await consumer.committing.wait()
    await deliver(delivery, opened, HERE, 6)
    consumer.answered.set()
    async with asyncio.timeout(5):
        while consumer.committed != {HERE: 6}:  # noqa: ASYNC110 - the fake consumer reports nothing
            await asyncio.sleep(0.01)


async def test_a_batch_in_flight_during_a_stop_is_committed_at_once():
    gate, consumer = Gate(), Consumer(HERE)
    delivery = delivery_to(consumer)
    delivering = asyncio.create_task(deliver(delivery, gate, HERE, 5))
    await gate.begun.wait()
    await delivery.stop()
    gate.opened.set()
    await delivering
    assert consumer.committed == {HERE: 5}


async def test_a_failing_batch_is_not_retried_during_a_stop_with_a_rebalance():
    gate, consumer = Gate(), Consumer(HERE)
    delivery = delivery_to(consumer)
    gate.fails = True
    await delivery.stop()
    await delivery.on_partitions_revoked({HERE})
    gate.opened.set()
    await deliver(delivery, gate, HERE, 5)
    assert gate.tries == 1


async def commit(offsets: PendingOffsets, consumer: Consumer, seconds: float = 1.0) -> None:
    await offsets.commit(cast(AIOKafkaConsumer, consumer), seconds)


async def test_offsets_of_unassigned_partitions_are_not_committed():
    consumer, offsets = Consumer(HERE), PendingOffsets("intake")
    offsets.add({HERE: 5, ELSEWHERE: 7}, offsets.revocation_epoch)
    await commit(offsets, consumer)
    assert (consumer.committed, consumer.calls) == ({HERE: 5}, 1)


async def test_a_rejected_partition_does_not_block_commits_of_other_partitions():
    consumer, offsets = Consumer(HERE, THERE), PendingOffsets("intake")
    consumer.refused[HERE] = TopicAuthorizationFailedError()
    for at in range(1, 6):
        offsets.add({HERE: at, THERE: at}, offsets.revocation_epoch)
        await commit(offsets, consumer)
        assert consumer.committed == {THERE: at}
    consumer.refused.clear()
    await commit(offsets, consumer)
    assert consumer.committed[HERE] == at


async def test_an_unknown_member_sends_one_request_per_commit():
    consumer, offsets = Consumer(HERE, THERE), PendingOffsets("intake")
    consumer.refused = dict.fromkeys((HERE, THERE), UnknownMemberIdError())
    offsets.add({HERE: 1, THERE: 1}, offsets.revocation_epoch)
    for _ in range(3):
        await commit(offsets, consumer)
    assert consumer.calls == 3


async def test_a_failing_batch_is_retried_after_a_restart():
    gate, consumer = Gate(), Consumer(HERE)
    delivery = delivery_to(consumer)
    await delivery.stop()
    delivery.begin()
    gate.fails = True
    gate.opened.set()
    delivering = asyncio.create_task(deliver(delivery, gate, HERE, 5))
    await gate.begun.wait()
    gate.fails = False
    async with asyncio.timeout(5):
        await delivering
    assert gate.values == [b"1"]


@pytest.mark.slow
@pytest.mark.engines("kafka")
async def test_a_batch_that_outlives_a_rebalance_does_not_restart_its_consumer_on_kafka(
    kafka_address: str, caplog: pytest.LogCaptureFixture
):
    gate = Gate()
    async with log_of(kafka_address) as other:
        log = KafkaEventLog(kafka_address, Topic(other._connection.topic.name), grace_seconds=0.1)
        await log.append(numbered_records(40))
        async with running_consumer(log, "intake", gate, max_records=10):
            await gate.begun.wait()
            second = RecordingConsumer()
            async with running_consumer(other, "intake", second):
                await second.wait_until(lambda: bool(second.values))
                gate.opened.set()
                await log.append(numbered_records(40, 40))
                await gate.wait_until(lambda: bool(gate.values))
                await wait_for_commit(log, "intake")
        await log.close()
    received = set(gate.values) | set(second.values)
    assert received == {b"%d" % number for number in range(80)}
    restarted = [one for one in caplog.records if "restarted" in one.message]
    refused = [one for one in caplog.records if "are not committed" in one.message and one.levelno >= logging.WARNING]
    assert (restarted, refused) == ([], [])


def test_waiting_for_another_commit_counts_towards_the_timeout():
    """A consumer that stops has one second for its commit, even if a commit with 30 seconds is in progress."""

    async def leaving_meanwhile() -> tuple[float, int]:
        silent, offsets, loop = Silent(HERE), PendingOffsets("intake"), asyncio.get_running_loop()
        offsets.add({HERE: 5}, offsets.revocation_epoch)
        under_way = asyncio.create_task(commit(offsets, silent, 30.0))
        await asyncio.sleep(0.1)
        started_at = loop.time()
        await commit(offsets, silent)
        waited = loop.time() - started_at
        under_way.cancel()
        return waited, silent.calls

    waited, calls = run_virtually(leaving_meanwhile())
    assert (round(waited, 3), calls) == (1.0, 1)
