"""Members of a consumer group on Kafka: they share the keys and lose none when members join, leave or are killed."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from uuid import uuid4

import pytest

from shared.eventlog.kafka import delivery
from shared.eventlog.kafka.connection import Topic
from shared.eventlog.kafka.log import KafkaEventLog
from shared.eventlog.port import LogRecord
from tests.support.adapters.log_listener import RecordingConsumer, numbered_records, running_consumer, wait_for_commit

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka")]

KEYS = [f"request-{number}" for number in range(30)]
TIMEOUT_SECONDS = 40
"""The keys of a killed member move after its session timeout of 10 seconds."""


@asynccontextmanager
async def log_of(address: str, topic: str = "") -> AsyncIterator[KafkaEventLog]:
    log = KafkaEventLog(address, Topic(topic or f"test-{uuid4().hex}"))
    try:
        await log.prepare()
        yield log
    finally:
        await log.close()


class ConsumerOutput:
    """The output of consumer processes, by key."""

    def __init__(self, log: KafkaEventLog, address: str, topic: str) -> None:
        self._log, self._address, self._topic = log, address, topic
        self.values: dict[str, list[int]] = defaultdict(list)
        self.by: dict[str, set[str]] = defaultdict(set)
        self._listening: list[asyncio.Task[None]] = []
        self._processes: list[Process] = []

    async def start(self, name: str) -> Process:
        words = ("-m", "tests.support.adapters.consumer_process", self._address, self._topic, "intake")
        process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE)
        self._processes.append(process)
        self._listening.append(asyncio.create_task(self._listen(name, process)))
        return process

    async def _listen(self, name: str, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            key, number = line.decode().split()
            self.values[key].append(int(number))
            self.by[name].add(key)

    async def end(self) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.gather(*self._listening)


async def wait_until_received(output: ConsumerOutput, names: Sequence[str]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not all(output.by[name] for name in names):  # noqa: ASYNC110 - output of processes is polled
            await asyncio.sleep(0.05)


async def test_keys_of_a_killed_member_move_to_the_others_without_a_gap(kafka_address: str):
    topic = f"test-{uuid4().hex}"
    async with log_of(kafka_address, topic) as log:
        output, numbers = ConsumerOutput(log, kafka_address, topic), count(1)
        ended = asyncio.Event()

        async def append() -> int:
            while not ended.is_set():
                number = next(numbers)
                await log.append([(key, b"%d" % number) for key in KEYS])
                await asyncio.sleep(0.05)
            return number

        appending = asyncio.create_task(append())
        try:
            first = await output.start("first")
            await output.start("second")
            await wait_until_received(output, ["first", "second"])
            first.kill()
            await output.start("third")
            await wait_until_received(output, ["third"])
            await asyncio.sleep(1)
            ended.set()
            last = await appending
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await wait_for_commit(log, "intake")
        finally:
            appending.cancel()
            await output.end()
    for key in KEYS:
        new = list(dict.fromkeys(output.values[key]))
        assert new == list(range(1, last + 1)), f"{key} came out of order, or with a gap"
    assert output.by["third"] < set(KEYS)


async def test_a_second_member_joins_without_redelivery(kafka_address: str):
    async with log_of(kafka_address) as log:
        first, second = RecordingConsumer(), RecordingConsumer()
        first.before = second.before = simulate_work
        appending = asyncio.create_task(append_waves(log, 60))
        async with running_consumer(log, "intake", first, max_records=10):
            await first.wait_until(lambda: len(first.values) > 100)
            async with running_consumer(log, "intake", second, max_records=10):
                await second.wait_until(lambda: len(second.values) > 100)
                await appending
                await wait_for_commit(log, "intake")
    keys = [{record.key for batch in one.batches for record in batch} for one in (first, second)]
    assert keys[1] < keys[0], "the second has some of the keys that the first had before"
    assert sorted(first.values + second.values) == sorted(one for wave in range(60) for one in wave_values(wave))


async def test_a_failing_batch_does_not_block_a_rebalance(kafka_address: str):
    async def never(_: Sequence[LogRecord]) -> None:
        raise ValueError

    async with log_of(kafka_address) as log:
        await log.append(numbered_records(50))
        listener = RecordingConsumer()
        async with running_consumer(log, "intake", never):
            await asyncio.sleep(1)
            async with running_consumer(log, "intake", listener):
                async with asyncio.timeout(10):
                    await listener.wait_until(lambda: bool(listener.values))
        async with running_consumer(log, "intake", listener):
            await wait_for_commit(log, "intake")
    assert set(listener.values) == {b"%d" % number for number in range(50)}


async def test_handled_offsets_are_committed_before_the_group_is_left(
    kafka_address: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delivery, "COMMIT_INTERVAL_SECONDS", 1_000.0)
    async with log_of(kafka_address) as log:
        await log.append(numbered_records(50))
        listener = RecordingConsumer()
        async with running_consumer(log, "intake", listener):
            await listener.wait_until(lambda: len(listener.values) == 50)
            await asyncio.sleep(0.2)
            assert await log.lag("intake") == 50
        assert await log.lag("intake") == 0


async def simulate_work(_: Sequence[LogRecord]) -> None:
    await asyncio.sleep(0.03)


def wave_values(number: int) -> list[bytes]:
    return [b"%d" % (number * 1_000 + place) for place in range(len(KEYS))]


async def append_waves(log: KafkaEventLog, waves: int) -> None:
    for number in range(waves):
        await log.append(list(zip(KEYS, wave_values(number), strict=True)))
        await asyncio.sleep(0.02)
