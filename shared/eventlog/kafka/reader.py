"""Reading the log without a group: offsets, parts, and the newest records of all partitions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from heapq import merge
from operator import attrgetter
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.eventlog.kafka.connection import KafkaConnection
from shared.eventlog.kafka.positions import PartitionOffsets, format_record_position
from shared.eventlog.port import LogRecord

READ_BATCH_SIZE = 1_000
"""Records of a batch when the log is read."""

POLL_TIMEOUT_MS = 500


class KafkaRecord(Protocol):
    """What aiokafka says of a record."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


async def fetch_last_offsets(connection: KafkaConnection) -> dict[int, int]:
    """The last offset of each partition, -1 where nothing ever was."""
    partitions = _topic_partitions(connection, await connection.partitions())
    async with connection.reader() as reader, asyncio.timeout(connection.request_timeout):
        offsets = await reader.end_offsets(partitions)
    return {place.partition: offset - 1 for place, offset in offsets.items()}


async def fetch_first_offsets(connection: KafkaConnection) -> dict[int, int]:
    """The first offset that each partition still has."""
    partitions = _topic_partitions(connection, await connection.partitions())
    async with connection.reader() as reader, asyncio.timeout(connection.request_timeout):
        offsets = await reader.beginning_offsets(partitions)
    return {place.partition: offset for place, offset in offsets.items()}


async def read_range(
    connection: KafkaConnection, after: PartitionOffsets, up_to: PartitionOffsets
) -> AsyncIterator[list[KafkaRecord]]:
    """Batches of what lies behind `upto` and not behind `after`, each in the order of arrival. Raises LogUnavailable."""
    left = {number: last for number, last in up_to.items() if last > after.get(number, -1)}
    if not left:
        return
    async with connection.reader() as reader:
        places = _topic_partitions(connection, left)
        reader.assign(places)
        for place in places:
            reader.seek(place, max(0, after.get(place.partition, -1) + 1))
        while left:
            batch = await _poll(connection, reader, left)
            if batch:
                yield batch


async def _poll(connection: KafkaConnection, reader: AIOKafkaConsumer, left: dict[int, int]) -> list[KafkaRecord]:
    """One batch; partitions that were read to their end leave `left`."""
    async with asyncio.timeout(connection.request_timeout):
        found = await reader.getmany(timeout_ms=POLL_TIMEOUT_MS, max_records=READ_BATCH_SIZE)
        while not found and not await _finished_partitions(reader, left):
            found = await reader.getmany(timeout_ms=POLL_TIMEOUT_MS, max_records=READ_BATCH_SIZE)
        wanted = [[one for one in part if one.offset <= left.get(one.partition, -1)] for part in found.values()]
        for place in await _finished_partitions(reader, left):
            reader.pause(place)
            del left[place.partition]
    return merge_by_timestamp(wanted)


async def _finished_partitions(reader: AIOKafkaConsumer, left: Mapping[int, int]) -> list[TopicPartition]:
    places = [place for place in reader.assignment() if place.partition in left]
    return [place for place in places if await reader.position(place) > left[place.partition]]


def merge_by_timestamp(parts: Iterable[Sequence[KafkaRecord]]) -> list[KafkaRecord]:
    """Records of several partitions by their time of arrival; those of one stay in their order whatever the time says."""
    return list(merge(*parts, key=attrgetter("timestamp")))


def to_log_record(found: KafkaRecord) -> LogRecord:
    key = (found.key or b"").decode(errors="replace")
    return LogRecord(format_record_position(found.partition, found.offset), key, found.value or b"")


def _topic_partitions(connection: KafkaConnection, numbers: Iterable[int]) -> list[TopicPartition]:
    return [TopicPartition(connection.topic.name, number) for number in numbers]
