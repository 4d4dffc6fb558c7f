"""Positions are committed though a batch outlived its partitions, and though Kafka refuses some of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, TopicAuthorizationFailedError, UnknownMemberIdError

from shared.eventlog.kafka import consumer as kafka_membership
from shared.eventlog.kafka.connection import KafkaConnection, Topic
from shared.eventlog.kafka.consumer import REFUSALS, Delivery, Membership
from shared.eventlog.kafka.offset_commits import Commits
from shared.eventlog.port import LogRecord
from tests.adapters.test_kafka_members import log_of
from tests.support.adapters.log_listener import RecordingConsumer, numbered_records, running_consumer, wait_for_commit
from tests.support.virtual_time import run_virtually

HERE, THERE, ELSEWHERE = (TopicPartition("events", number) for number in range(3))


class Consumer:
    """Refuses, as the real one does, a commit that names a partition that is not assigned to it."""

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


class Member(Membership):
    """A member whose consumer is scripted, and which takes nothing by itself."""

    def __init__(self, consumer: Consumer, handle: RecordingConsumer) -> None:
        super().__init__(KafkaConnection("localhost:1", Topic("events"), 1.0), "intake", handle, 100, grace=1, stall=30)
        self.consumer = consumer
        self._idle.set()

    def _consumer(self) -> AIOKafkaConsumer:
        return cast(AIOKafkaConsumer, self.consumer)

    def batch(self, place: TopicPartition, at: int) -> Delivery:
        return Delivery([LogRecord(f"{place.partition}:{at - 1}", "a", b"1")], {place: at}, self._commits.revocations)


class Gate(RecordingConsumer):
    """Holds batches up until it is opened."""

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


@pytest.fixture
def outlived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a batch in hand when partitions are revoked."""
    monkeypatch.setattr(kafka_membership, "GRACE", 0.01)


@pytest.mark.usefixtures("outlived")
async def test_a_batch_that_outlived_its_partitions_keeps_nobody_from_committing_the_others():
    gate, consumer = Gate(), Consumer(HERE, THERE)
    member = Member(consumer, gate)
    delivering = asyncio.create_task(member._deliver(member.batch(HERE, 5)))
    await gate.begun.wait()
    await member._release()
    consumer.owned = {THERE}
    gate.opened.set()
    await delivering
    await member._deliver(member.batch(THERE, 9))
    for _ in range(REFUSALS):
        await member._commit()
    assert consumer.committed == {THERE: 9}
    assert member._commits.refused == 0


@pytest.mark.usefixtures("outlived")
async def test_a_partition_that_went_and_came_back_is_not_set_back_by_an_old_batch():
    gate, consumer = Gate(), Consumer(HERE)
    member = Member(consumer, gate)
    delivering = asyncio.create_task(member._deliver(member.batch(HERE, 5)))
    await gate.begun.wait()
    await member._release()
    gate.opened.set()
    await delivering
    consumer.committed[HERE] = 20
    await member._commit()
    assert consumer.committed == {HERE: 20}


@pytest.mark.usefixtures("outlived")
async def test_a_batch_that_fails_after_its_partitions_have_gone_is_not_tried_again():
    gate, consumer = Gate(), Consumer(HERE)
    member = Member(consumer, gate)
    gate.fails = True
    delivering = asyncio.create_task(member._deliver(member.batch(HERE, 5)))
    await gate.begun.wait()
    await member._release()
    gate.opened.set()
    await delivering
    assert gate.tries == 1


async def test_positions_of_partitions_that_have_gone_are_not_committed():
    consumer, commits = Consumer(HERE), Commits("intake")
    commits.handled({HERE: 5, ELSEWHERE: 7}, commits.revocations)
    await commits.commit(lambda: cast(AIOKafkaConsumer, consumer), 1.0)
    assert (consumer.committed, consumer.calls, commits.refused) == ({HERE: 5}, 1, 0)


async def test_a_partition_that_kafka_refuses_takes_no_other_with_it_and_does_not_end_the_member():
    consumer, commits = Consumer(HERE, THERE), Commits("intake")
    consumer.refused[HERE] = TopicAuthorizationFailedError()
    for at in range(1, 2 * REFUSALS):
        commits.handled({HERE: at, THERE: at}, commits.revocations)
        await commits.commit(lambda: cast(AIOKafkaConsumer, consumer), 1.0)
        assert consumer.committed == {THERE: at}
    assert commits.refused == 0
    consumer.refused.clear()
    await commits.commit(lambda: cast(AIOKafkaConsumer, consumer), 1.0)
    assert consumer.committed[HERE] == at


async def test_a_member_that_the_group_does_not_know_is_counted_and_not_asked_for_each_partition():
    consumer, commits = Consumer(HERE, THERE), Commits("intake")
    consumer.refused = dict.fromkeys((HERE, THERE), UnknownMemberIdError())
    commits.handled({HERE: 1, THERE: 1}, commits.revocations)
    for _ in range(REFUSALS):
        await commits.commit(lambda: cast(AIOKafkaConsumer, consumer), 1.0)
    assert (commits.refused, consumer.calls) == (REFUSALS, REFUSALS)


@pytest.mark.slow
async def test_a_batch_that_outlives_a_rebalance_does_not_end_its_member_on_kafka(
    kafka_address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(kafka_membership, "GRACE", 0.1)
    gate = Gate()
    async with log_of(kafka_address) as log:
        await log.append(numbered_records(40))
        async with running_consumer(log, "intake", gate, max_records=10):
            await gate.begun.wait()
            second = RecordingConsumer()
            async with running_consumer(log, "intake", second):
                await second.wait_until(lambda: bool(second.values))
                gate.opened.set()
                await log.append(numbered_records(40, 40))
                await gate.wait_until(lambda: bool(gate.values))
                await wait_for_commit(log, "intake")
    heard = set(gate.values) | set(second.values)
    assert heard == {b"%d" % number for number in range(80)}
    started_again = [one for one in caplog.records if "started again" in one.message]
    refused = [one for one in caplog.records if "is not committed" in one.message and one.levelno >= logging.WARNING]
    assert (started_again, refused) == ([], [])


def test_a_commit_waits_no_longer_for_the_one_before_than_for_its_own_answer():
    """A member that leaves has a second for its commit, though one with half a minute is under way."""

    async def leaving_meanwhile() -> tuple[float, int]:
        silent, commits, loop = Silent(HERE), Commits("intake"), asyncio.get_running_loop()
        commits.handled({HERE: 5}, commits.revocations)
        under_way = asyncio.create_task(commits.commit(lambda: cast(AIOKafkaConsumer, silent), 30.0))
        await asyncio.sleep(0.1)
        began = loop.time()
        await commits.commit(lambda: cast(AIOKafkaConsumer, silent), 1.0)
        waited = loop.time() - began
        under_way.cancel()
        return waited, silent.calls

    waited, calls = run_virtually(leaving_meanwhile())
    assert (round(waited, 3), calls) == (1.0, 1)
