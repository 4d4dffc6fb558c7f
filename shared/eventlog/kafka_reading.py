"""Reading the log without a group: offsets, parts, and the newest records of all partitions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from heapq import merge
from operator import attrgetter
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.eventlog.kafka_connection import Connection
from shared.eventlog.kafka_positions import Reached, position_of
from shared.eventlog.port import Record

BATCH = 1_000
"""Records of a batch when the log is read."""

LOOK_MS = 500


class Found(Protocol):
    """What aiokafka says of a record."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


async def ends(connection: Connection) -> dict[int, int]:
    """The last offset of each partition, -1 where nothing ever was."""
    partitions = _of_topic(connection, await connection.partitions())
    async with connection.reader() as reader, asyncio.timeout(connection.patience):
        offsets = await reader.end_offsets(partitions)
    return {place.partition: offset - 1 for place, offset in offsets.items()}


async def begins(connection: Connection) -> dict[int, int]:
    """The first offset that each partition still has."""
    partitions = _of_topic(connection, await connection.partitions())
    async with connection.reader() as reader, asyncio.timeout(connection.patience):
        offsets = await reader.beginning_offsets(partitions)
    return {place.partition: offset for place, offset in offsets.items()}


async def between(connection: Connection, after: Reached, upto: Reached) -> AsyncIterator[list[Found]]:
    """Batches of what lies behind `upto` and not behind `after`, each in the order of arrival. Raises LogUnavailable."""
    left = {number: last for number, last in upto.items() if last > after.get(number, -1)}
    if not left:
        return
    async with connection.reader() as reader:
        places = _of_topic(connection, left)
        reader.assign(places)
        for place in places:
            reader.seek(place, max(0, after.get(place.partition, -1) + 1))
        while left:
            batch = await _next(connection, reader, left)
            if batch:
                yield batch


async def _next(connection: Connection, reader: AIOKafkaConsumer, left: dict[int, int]) -> list[Found]:
    """One batch; partitions that were read to their end leave `left`."""
    async with asyncio.timeout(connection.patience):
        found = await reader.getmany(timeout_ms=LOOK_MS, max_records=BATCH)
        while not found and not await _finished(reader, left):
            found = await reader.getmany(timeout_ms=LOOK_MS, max_records=BATCH)
        wanted = [[one for one in part if one.offset <= left.get(one.partition, -1)] for part in found.values()]
        for place in await _finished(reader, left):
            reader.pause(place)
            del left[place.partition]
    return in_order(wanted)


async def _finished(reader: AIOKafkaConsumer, left: Mapping[int, int]) -> list[TopicPartition]:
    places = [place for place in reader.assignment() if place.partition in left]
    return [place for place in places if await reader.position(place) > left[place.partition]]


def in_order(parts: Iterable[Sequence[Found]]) -> list[Found]:
    """Records of several partitions by their time of arrival; those of one stay in their order whatever the time says."""
    return list(merge(*parts, key=attrgetter("timestamp")))


def record_of(found: Found) -> Record:
    key = (found.key or b"").decode(errors="replace")
    return Record(position_of(found.partition, found.offset), key, found.value or b"")


def _of_topic(connection: Connection, numbers: Iterable[int]) -> list[TopicPartition]:
    return [TopicPartition(connection.topic.name, number) for number in numbers]
