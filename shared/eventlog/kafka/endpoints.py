"""The subscriber and the publisher of the topic: how FastStream runs them, and what AsyncAPI says of them."""

# Annotations are not postponed here: FastStream reads that of the handler, which depends on an argument.

from collections.abc import Collection
from typing import Any

from aiokafka import ConsumerRebalanceListener
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaRouter
from faststream.kafka.publisher.usecase import DefaultPublisher
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.contracts.facts import Fact
from shared.eventlog.kafka.connection import Topic
from shared.eventlog.kafka.messages import EventRecord, decode_records, event_union, parse_without_headers
from shared.eventlog.port import BatchHandler


def add_subscriber(
    registrator: KafkaBroker | KafkaRouter,
    topic: Topic,
    group: str,
    events: Collection[type[Fact]],
    handler: BatchHandler,
    listener: ConsumerRebalanceListener | None = None,
    max_records: int = 500,
) -> BatchSubscriber:
    """Subscribe a group to the topic on a broker or router. `events` are the types that its service subscribes to."""
    union: Any = event_union(events)

    subscriber = registrator.subscriber(
        topic.name,
        group_id=topic.group(group),
        batch=True,
        max_records=max_records,
        batch_timeout_ms=10,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
        rebalance_timeout_ms=60_000,
        max_poll_interval_ms=300_000,
        listener=listener,
        parser=parse_without_headers,
        decoder=decode_records,
        title="subscribe",
        description="Events of other services, in order per request, delivered at least once.",
    )

    @subscriber
    async def on_events(records: list[EventRecord[union]]) -> None:
        await handler([message.record for message in records])

    return subscriber


def add_publisher(broker: KafkaBroker, topic: Topic, events: Collection[type[Fact]]) -> DefaultPublisher:
    """Publish to the topic."""
    return broker.publisher(
        topic.name,
        schema=event_union(events),
        title="publish",
        description="Events of this service, keyed by the id of the request.",
    )
