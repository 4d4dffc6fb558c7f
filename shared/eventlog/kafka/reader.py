"""Reads the topic without a consumer group: offsets, ranges, and records of several partitions merged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from heapq import merge
from operator import attrgetter
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.eventlog.kafka.connection import KafkaConnection
from shared.eventlog.kafka.positions import PartitionOffsets, format_record_position
from shared.eventlog.port import LogRecord

READ_BATCH_SIZE = 1_000
POLL_TIMEOUT_MS = 500


OffsetsReader = Callable[[AIOKafkaConsumer, Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]


class KafkaRecord(Protocol):
    """The fields of an aiokafka ConsumerRecord that are used."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


async def fetch_last_offsets(connection: KafkaConnection) -> dict[int, int]:
    """Return the last offset of each partition, -1 if it is empty. Raises LogUnavailable."""
    ends = await _fetch_offsets(connection, AIOKafkaConsumer.end_offsets)
    return {number: end - 1 for number, end in ends.items()}


async def fetch_first_offsets(connection: KafkaConnection) -> dict[int, int]:
    """Return the first offset of each partition. Raises LogUnavailable."""
    return await _fetch_offsets(connection, AIOKafkaConsumer.beginning_offsets)


async def _fetch_offsets(connection: KafkaConnection, fetch: OffsetsReader) -> dict[int, int]:
    partitions = _topic_partitions(connection, await connection.partitions())
    async with connection.reader() as reader, asyncio.timeout(connection.request_timeout):
        offsets = await fetch(reader, partitions)
    return {partition.partition: offset for partition, offset in offsets.items()}


async def read_range(
    connection: KafkaConnection, after: PartitionOffsets, up_to: PartitionOffsets
) -> AsyncIterator[list[KafkaRecord]]:
    """Yield batches of the records after some offsets, up to and including others, each batch by time of arrival.

    Raises LogUnavailable.
    """
    remaining = {number: last for number, last in up_to.items() if last > after.get(number, -1)}
    if not remaining:
        return
    async with connection.reader() as reader:
        partitions = _topic_partitions(connection, remaining)
        reader.assign(partitions)
        for partition in partitions:
            reader.seek(partition, max(0, after.get(partition.partition, -1) + 1))
        while remaining:
            if batch := await _poll(connection, reader, remaining):
                yield batch


async def _poll(connection: KafkaConnection, reader: AIOKafkaConsumer, remaining: dict[int, int]) -> list[KafkaRecord]:
    """Return one batch, and remove the partitions that were read to their end from `remaining`."""
    async with asyncio.timeout(connection.request_timeout):
        fetched = await reader.getmany(timeout_ms=POLL_TIMEOUT_MS, max_records=READ_BATCH_SIZE)
        while not fetched and not await _finished_partitions(reader, remaining):
            fetched = await reader.getmany(timeout_ms=POLL_TIMEOUT_MS, max_records=READ_BATCH_SIZE)
        in_range = [
            [record for record in records if record.offset <= remaining.get(record.partition, -1)]
            for records in fetched.values()
        ]
        for partition in await _finished_partitions(reader, remaining):
            reader.pause(partition)
            del remaining[partition.partition]
    return merge_by_timestamp(in_range)


async def _finished_partitions(reader: AIOKafkaConsumer, remaining: Mapping[int, int]) -> list[TopicPartition]:
    assigned = [partition for partition in reader.assignment() if partition.partition in remaining]
    return [partition for partition in assigned if await reader.position(partition) > remaining[partition.partition]]


def merge_by_timestamp(partitions: Iterable[Sequence[KafkaRecord]]) -> list[KafkaRecord]:
    """Merge the records of several partitions by time of arrival; those of one partition stay in their order."""
    return list(merge(*partitions, key=attrgetter("timestamp")))


def to_log_record(record: KafkaRecord) -> LogRecord:
    """Convert a Kafka record; a key that is not UTF-8 is decoded with replacement characters."""
    key = (record.key or b"").decode(errors="replace")
    return LogRecord(format_record_position(record.partition, record.offset), key, record.value or b"")


def _topic_partitions(connection: KafkaConnection, numbers: Iterable[int]) -> list[TopicPartition]:
    return [TopicPartition(connection.topic.name, number) for number in numbers]
