"""No offset is committed past a batch that was given up because the consumer stops or its partitions are revoked."""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition

from tests.adapters.test_kafka_commits import HERE, THERE, Consumer, Gate, Slow, deliver, delivery_to
from tests.support.virtual_time import run_virtually


def failing_gate() -> Gate:
    gate = Gate()
    gate.fails = True
    gate.opened.set()
    return gate


def test_no_batch_is_committed_past_one_that_a_stop_interrupted():
    async def stopped_and_restarted() -> tuple[dict[TopicPartition, int], list[bytes]]:
        failing, following, consumer = failing_gate(), Gate(), Consumer(HERE)
        following.opened.set()
        delivery = delivery_to(consumer)
        delivering = asyncio.create_task(deliver(delivery, failing, HERE, 5))
        await failing.begun.wait()
        await delivery.stop()
        await delivering
        await deliver(delivery, following, HERE, 6)
        await delivery.commit()
        committed = dict(consumer.committed)
        delivery.begin()
        await deliver(delivery, following, HERE, 5)
        return committed, following.values

    assert run_virtually(stopped_and_restarted()) == ({}, [b"1"])


def test_no_batch_is_committed_past_one_that_a_revocation_interrupted():
    async def revoked_and_reassigned() -> tuple[dict[TopicPartition, int], list[bytes]]:
        failing, following, consumer = failing_gate(), Gate(), Slow(HERE, THERE)
        following.opened.set()
        delivery = delivery_to(consumer)
        await deliver(delivery, following, THERE, 9)
        delivering = asyncio.create_task(deliver(delivery, failing, HERE, 5))
        await failing.begun.wait()
        revoking = asyncio.create_task(delivery.on_partitions_revoked({HERE, THERE}))
        await delivering
        buffered = asyncio.create_task(deliver(delivery, following, HERE, 6))
        await asyncio.sleep(1)
        consumer.answered.set()
        await asyncio.gather(buffered, revoking)
        committed = dict(consumer.committed)
        await deliver(delivery, following, HERE, 5)
        return committed, following.values

    assert run_virtually(revoked_and_reassigned()) == ({THERE: 9}, [b"1", b"1"])


def test_batches_are_handled_after_one_failed_that_outlived_its_partitions():
    async def outlived() -> list[bytes]:
        failing, following = failing_gate(), Gate()
        failing.opened.clear()
        following.opened.set()
        delivery = delivery_to(Consumer(HERE))
        delivering = asyncio.create_task(deliver(delivery, failing, HERE, 5))
        await failing.begun.wait()
        await delivery.on_partitions_revoked({HERE})
        failing.opened.set()
        await delivering
        await deliver(delivery, following, HERE, 5)
        return following.values

    assert run_virtually(outlived()) == [b"1"]
