"""The event log as one topic of Apache Kafka, published and consumed through FastStream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from aiokafka.partitioner import DefaultPartitioner
from faststream.kafka import KafkaBroker, KafkaRouter

from shared.contracts.facts import Fact
from shared.contracts.registry import FACTS
from shared.eventlog.kafka.connection import KafkaConnection, Topic, translate_kafka_errors
from shared.eventlog.kafka.consumer import STALL_SECONDS, keep_consuming
from shared.eventlog.kafka.delivery import GRACE_SECONDS, AtLeastOnceDelivery
from shared.eventlog.kafka.endpoints import add_publisher, add_subscriber
from shared.eventlog.kafka.offsets import commit_group_offsets
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
READY_TIMEOUT_SECONDS = 2.0
STRAGGLER_TIMEOUT_SECONDS = 2.0
"""Time that a record has after others of its wave were acknowledged: its partition may have no leader."""

MAX_REMEMBERED_DELIVERIES = 2_000
"""Deliveries in flight, or acknowledged in a wave that failed, which are recognised when their record is appended again."""


class KafkaEventLog:
    """The EventLog of several processes on several machines. Made without I/O, and usable while Kafka is down.

    The records of a key are stored in one partition, in order; across partitions only the time of arrival gives an order. A record
    that is appended again, because it was not acknowledged in time, may be stored twice.
    """

    def __init__(
        self,
        servers: str,
        topic: Topic | None = None,
        *,
        security: KafkaSecurity = PLAINTEXT,
        request_timeout: float = REQUEST_TIMEOUT_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._topic, self._request_timeout = topic or Topic(), request_timeout
        self._grace_seconds, self._stall_seconds = grace_seconds, stall_seconds
        self._connection = KafkaConnection(servers, self._topic, request_timeout, security, grace_seconds)
        self._publisher = add_publisher(self.broker, self._topic, FACTS)
        self._deliveries: dict[tuple[str, bytes], asyncio.Task[None]] = {}

    @property
    def broker(self) -> KafkaBroker:
        """The FastStream broker that publishes, and runs the subscriber of each group that is consumed."""
        return self._connection.broker

    async def prepare(self) -> None:
        """Create the topic. If Kafka does not answer, it is created by whichever call needs it first."""
        self._connection.create_if_missing = True
        await self._connection.partitions()

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Publish the records. A record that was acknowledged in a wave that failed is not published again."""
        if not records:
            return
        await self._connection.connect()
        deliveries = [self._get_or_start_delivery(key, value) for key, value in records]
        await self._wait(set(deliveries))
        if all(_is_acknowledged(delivery) for delivery in deliveries):
            for record in records:
                self._deliveries.pop(record, None)
            return
        appended = [index for index, delivery in enumerate(deliveries) if _is_acknowledged(delivery)]
        try:
            with translate_kafka_errors():
                for delivery in deliveries:
                    if not delivery.done() or delivery.cancelled():
                        raise TimeoutError
                    delivery.result()
        except LogUnavailable as error:
            raise LogUnavailable(str(error), appended) from error

    async def _wait(self, deliveries: set[asyncio.Task[None]]) -> None:
        """Wait for all deliveries; once one has ended, a partition without a leader delays the others only for a moment."""
        _, pending = await asyncio.wait(deliveries, timeout=self._request_timeout, return_when=asyncio.FIRST_COMPLETED)
        if pending and len(pending) < len(deliveries):
            await asyncio.wait(pending, timeout=min(self._request_timeout, STRAGGLER_TIMEOUT_SECONDS))

    def _get_or_start_delivery(self, key: str, value: bytes) -> asyncio.Task[None]:
        """Return the delivery of this record that is in flight, or was acknowledged in a wave that failed, or a new one."""
        record = key, value
        if (delivery := self._deliveries.get(record)) is None:
            delivery = self._deliveries[record] = asyncio.create_task(self._deliver(key, value))
            delivery.add_done_callback(lambda done: self._on_delivery_done(record, done))
        return delivery

    async def _deliver(self, key: str, value: bytes) -> None:
        """Publish a record and wait until it is durable; the producer retries by itself."""
        await (await self._publisher.publish(value, key=key.encode(), no_confirm=True))

    def _on_delivery_done(self, record: tuple[str, bytes], delivery: asyncio.Task[None]) -> None:
        if self._deliveries.get(record) is not delivery:
            return
        if not _is_acknowledged(delivery):
            del self._deliveries[record]
        elif len(self._deliveries) > MAX_REMEMBERED_DELIVERIES:
            self._evict_oldest()

    def _evict_oldest(self) -> None:
        oldest = next((record for record, delivery in self._deliveries.items() if delivery.done()), None)
        if oldest is not None:
            del self._deliveries[oldest]

    async def consume(
        self, group: str, handler: BatchHandler, *, events: Collection[type[Fact]] = FACTS, max_records: int = 500
    ) -> None:
        delivery = AtLeastOnceDelivery(group, self._grace_seconds)
        router = KafkaRouter(middlewares=[delivery])
        subscriber = add_subscriber(router, self._topic, group, events, handler, delivery, max_records)
        delivery.subscriber = subscriber
        self.broker.include_router(router)
        try:
            await keep_consuming(self._connection, subscriber, delivery, self._stall_seconds)
        finally:
            self.broker.routers.remove(router)

    async def commit_offset(self, group: str, up_to: str) -> None:
        await commit_group_offsets(self._connection, self._topic.group(group), parse_position(up_to))

    async def read(self, after: str = "", up_to: str = "") -> AsyncIterator[Sequence[LogRecord]]:
        end = parse_position(up_to) if up_to else await fetch_last_offsets(self._connection)
        async for batch in read_range(self._connection, parse_position(after), end):
            yield [to_log_record(record) for record in batch]

    async def read_newest(self, count: int) -> list[LogRecord]:
        """Read `count` records of each partition: only then is it known which of them arrived last."""
        end = await fetch_last_offsets(self._connection)
        begin = {partition: last - count for partition, last in end.items()}
        records = [record async for batch in read_range(self._connection, begin, end) for record in batch]
        by_partition = [[record for record in records if record.partition == partition] for partition in end]
        return [to_log_record(record) for record in merge_by_timestamp(by_partition)[-count:]] if count else []

    async def read_key(self, key: str) -> list[LogRecord]:
        """Read the one partition that stores the key's records."""
        partition = DefaultPartitioner()(key.encode(), list(await self._connection.partitions()), [])
        end = {partition: (await fetch_last_offsets(self._connection))[partition]}
        records = [to_log_record(message) async for batch in read_range(self._connection, {}, end) for message in batch]
        return [record for record in records if record.key == key]

    async def end(self) -> str:
        return format_position(await fetch_last_offsets(self._connection))

    async def position(self, group: str) -> str:
        return format_position({one: next_offset - 1 for one, next_offset in (await self._committed(group)).items()})

    async def lag(self, group: str) -> int:
        committed = await self._committed(group)
        begin, end = await fetch_first_offsets(self._connection), await fetch_last_offsets(self._connection)
        return sum(last + 1 - max(committed.get(partition, 0), begin[partition]) for partition, last in end.items())

    async def _committed(self, group: str) -> dict[int, int]:
        """Return the offset after which the group continues, plus one, by partition."""
        await self._connection.partitions()
        name = self._topic.group(group)
        offsets = await self._connection.call_admin(lambda admin: admin.list_consumer_group_offsets(name))
        return {key.partition: at.offset for key, at in offsets.items() if key.topic == self._topic.name}

    async def ready(self) -> None:
        timeout = min(self._request_timeout, READY_TIMEOUT_SECONDS)
        await self._connection.call_admin(self._connection.describe_topic, timeout)

    async def close(self) -> None:
        await self._connection.close()
        unfinished = [delivery for delivery in self._deliveries.values() if not delivery.done()]
        for delivery in unfinished:
            delivery.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)


def _is_acknowledged(delivery: asyncio.Task[None]) -> bool:
    return delivery.done() and not delivery.cancelled() and delivery.exception() is None
