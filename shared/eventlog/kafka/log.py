"""The event log as one topic of Apache Kafka: published and consumed through FastStream on aiokafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from aiokafka.partitioner import DefaultPartitioner
from faststream.kafka import KafkaBroker

from shared.eventlog.kafka.connection import KafkaConnection, Topic, translate_kafka_errors
from shared.eventlog.kafka.consumer import GRACE, STALL, Membership
from shared.eventlog.kafka.group_offsets import commit_offset
from shared.eventlog.kafka.positions import format_position, parse_position
from shared.eventlog.kafka.reader import (
    fetch_first_offsets,
    fetch_last_offsets,
    merge_by_timestamp,
    read_range,
    to_log_record,
)
from shared.eventlog.kafka.security import PLAINTEXT, KafkaSecurity
from shared.eventlog.port import BatchHandler, LogRecord, LogUnavailable

REQUEST_TIMEOUT_SECONDS = 10.0
"""Seconds until Kafka counts as not answering."""

READY_TIMEOUT_SECONDS = 2.0
STRAGGLER_TIMEOUT_SECONDS = 2.0
"""Seconds for which a record is waited for after others of its wave were acknowledged: its partition may have no leader."""

REMEMBERED_RECORDS = 2_000
"""Records on their way, or acknowledged in a wave that failed, which are recognised when they are appended again."""


class KafkaEventLog:
    """The EventLog of many processes on many machines. Made without I/O, and usable while Kafka is down.

    A key's records lie in one partition, in order; the whole log has no other order than the time of arrival. What is appended
    again because no answer came may lie there twice.
    """

    def __init__(
        self,
        servers: str,
        topic: Topic | None = None,
        *,
        security: KafkaSecurity = PLAINTEXT,
        request_timeout: float = REQUEST_TIMEOUT_SECONDS,
        grace: float = GRACE,
        stall: float = STALL,
    ) -> None:
        self._connection = KafkaConnection(servers, topic or Topic(), request_timeout, security)
        self._topic, self._request_timeout, self._grace, self._stall = (
            self._connection.topic.name,
            request_timeout,
            grace,
            stall,
        )
        self._deliveries: dict[tuple[str, bytes], asyncio.Task[None]] = {}

    async def prepare(self) -> None:
        """Make the topic; if Kafka does not answer, whoever needs the topic first makes it."""
        self._connection.create_if_missing = True
        await self._connection.partitions()

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        """As the port says. What was acknowledged of a wave that failed is remembered: the same again is not sent again."""
        if not records:
            return
        with translate_kafka_errors():
            async with asyncio.timeout(self._request_timeout):
                broker = await self._connection.broker()
        deliveries = [self._get_or_start_delivery(broker, key, value) for key, value in records]
        await self._wait(set(deliveries))
        if all(_acknowledged(one) for one in deliveries):
            for record in records:
                self._deliveries.pop(record, None)
            return
        appended = [place for place, one in enumerate(deliveries) if _acknowledged(one)]
        try:
            with translate_kafka_errors():
                for one in deliveries:
                    if not one.done() or one.cancelled():
                        raise TimeoutError
                    one.result()
        except LogUnavailable as error:
            raise LogUnavailable(str(error), appended) from error

    async def _wait(self, deliveries: set[asyncio.Task[None]]) -> None:
        """Wait for all; once any has ended, one that hangs on its partition keeps the others no longer than a straggler may."""
        _, pending = await asyncio.wait(deliveries, timeout=self._request_timeout, return_when=asyncio.FIRST_COMPLETED)
        if pending and len(pending) < len(deliveries):
            await asyncio.wait(pending, timeout=min(self._request_timeout, STRAGGLER_TIMEOUT_SECONDS))

    def _get_or_start_delivery(self, broker: KafkaBroker, key: str, value: bytes) -> asyncio.Task[None]:
        """The delivery of this record: a new one, unless one is under way, or was acknowledged in a wave that failed."""
        record = key, value
        if (delivery := self._deliveries.get(record)) is None:
            delivery = self._deliveries[record] = asyncio.create_task(self._deliver(broker, key, value))
            delivery.add_done_callback(lambda done: self._on_delivery_done(record, done))
        return delivery

    async def _deliver(self, broker: KafkaBroker, key: str, value: bytes) -> None:
        """Hand the record to the broker's producer, which goes on trying by itself, and wait until it is durable."""
        await (await broker.publish(value, self._topic, key=key.encode(), no_confirm=True))

    def _on_delivery_done(self, record: tuple[str, bytes], delivery: asyncio.Task[None]) -> None:
        if self._deliveries.get(record) is not delivery:
            return
        if not _acknowledged(delivery):
            del self._deliveries[record]
        elif len(self._deliveries) > REMEMBERED_RECORDS:
            self._evict_oldest()

    def _evict_oldest(self) -> None:
        oldest = next((record for record, one in self._deliveries.items() if one.done()), None)
        if oldest is not None:
            del self._deliveries[oldest]

    async def consume(self, group: str, handler: BatchHandler, *, max_records: int = 500) -> None:
        await Membership(self._connection, group, handler, max_records, self._grace, self._stall).run()

    async def commit_offset(self, group: str, up_to: str) -> None:
        await commit_offset(self._connection, self._connection.topic.group(group), parse_position(up_to))

    async def read(self, after: str = "", up_to: str = "") -> AsyncIterator[Sequence[LogRecord]]:
        end = parse_position(up_to) if up_to else await fetch_last_offsets(self._connection)
        async for batch in read_range(self._connection, parse_position(after), end):
            yield [to_log_record(found) for found in batch]

    async def read_newest(self, count: int) -> list[LogRecord]:
        """Of each partition at most `count` are read: which of them arrived last is known only then."""
        end = await fetch_last_offsets(self._connection)
        begin = {number: last - count for number, last in end.items()}
        found = [one async for batch in read_range(self._connection, begin, end) for one in batch]
        parts = [[one for one in found if one.partition == number] for number in end]
        return [to_log_record(one) for one in merge_by_timestamp(parts)[-count:]] if count else []

    async def read_key(self, key: str) -> list[LogRecord]:
        """Read from the one partition where the key's records lie."""
        number = DefaultPartitioner()(key.encode(), list(await self._connection.partitions()), [])
        end = {number: (await fetch_last_offsets(self._connection))[number]}
        found = [to_log_record(one) async for batch in read_range(self._connection, {}, end) for one in batch]
        return [record for record in found if record.key == key]

    async def end(self) -> str:
        return format_position(await fetch_last_offsets(self._connection))

    async def lag(self, group: str) -> int:
        await self._connection.partitions()
        name = self._connection.topic.group(group)
        committed = await self._connection.call_admin(lambda admin: admin.list_consumer_group_offsets(name))
        reached = {place.partition: at.offset for place, at in committed.items() if place.topic == self._topic}
        begin, end = await fetch_first_offsets(self._connection), await fetch_last_offsets(self._connection)
        return sum(last + 1 - max(reached.get(number, 0), begin[number]) for number, last in end.items())

    async def ready(self) -> None:
        await self._connection.call_admin(
            self._connection.describe_topic, min(self._request_timeout, READY_TIMEOUT_SECONDS)
        )

    async def close(self) -> None:
        await self._connection.close()
        left = [delivery for delivery in self._deliveries.values() if not delivery.done()]
        for delivery in left:
            delivery.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _acknowledged(delivery: asyncio.Task[None]) -> bool:
    return delivery.done() and not delivery.cancelled() and delivery.exception() is None
