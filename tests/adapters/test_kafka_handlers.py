"""The wiring of subscriber and publisher, on FastStream's test broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import get_args

import pytest
from faststream.kafka import KafkaRouter, TestKafkaBroker

from shared.backoff import Backoff
from shared.contracts.registry import FACTS
from shared.contracts.verification import RequestReturned, RequestVerified
from shared.eventlog.kafka import delivery as delivery_module
from shared.eventlog.kafka.connection import Topic
from shared.eventlog.kafka.delivery import AtLeastOnceDelivery
from shared.eventlog.kafka.endpoints import add_subscriber
from shared.eventlog.kafka.log import KafkaEventLog
from shared.eventlog.kafka.messages import CloudEvent
from shared.eventlog.port import LogRecord
from tests.support.adapters.log_listener import RecordingConsumer, running_consumer

TOPIC = Topic("events")


@pytest.fixture
def handler() -> RecordingConsumer:
    return RecordingConsumer()


@pytest.fixture
async def log(handler: RecordingConsumer) -> AsyncIterator[KafkaEventLog]:
    """A log on FastStream's test broker, consumed by `handler`."""
    log, delivery = KafkaEventLog("localhost:9092", TOPIC), AtLeastOnceDelivery("intake")
    router = KafkaRouter(middlewares=[delivery])
    delivery.subscriber = add_subscriber(router, TOPIC, "intake", FACTS, handler, delivery)
    delivery.begin()
    log.broker.include_router(router)
    async with TestKafkaBroker(log.broker):
        yield log


async def test_records_reach_the_handler_with_their_raw_value(log: KafkaEventLog, handler: RecordingConsumer):
    for value in (b'{"specversion": "1.0"}', b"\xff no JSON", b""):
        await log.broker.publish(value, "events", key=b"a", headers={"content-type": "text/odd"})
    assert handler.values == [b'{"specversion": "1.0"}', b"\xff no JSON", b""]
    assert handler.batches[0] == [LogRecord("0:0", "a", b'{"specversion": "1.0"}')]


async def test_a_batch_reaches_the_handler_in_one_call(log: KafkaEventLog, handler: RecordingConsumer):
    await log.broker.publish_batch(b"1", b"2", topic="events")
    assert [[record.value for record in batch] for batch in handler.batches] == [[b"1", b"2"]]


async def test_the_publisher_sends_to_the_topic_with_the_key_of_the_request(
    log: KafkaEventLog, handler: RecordingConsumer
):
    await log._publisher.publish(b"1", key=b"request")
    assert handler.batches == [[LogRecord("0:0", "request", b"1")]]


async def test_a_failing_handler_is_called_again_with_the_same_batch(
    log: KafkaEventLog, handler: RecordingConsumer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delivery_module, "RETRY_BACKOFF", Backoff(0.001, 5.0))
    failures = iter([ValueError(), asyncio.CancelledError()])

    async def fail(_: Sequence[LogRecord]) -> None:
        for failure in failures:
            raise failure

    handler.before = fail
    await log.broker.publish(b"1", "events", key=b"a")
    assert handler.values == [b"1"]


async def test_the_handler_is_annotated_with_the_events_that_the_service_subscribes_to():
    subscriber = add_subscriber(KafkaRouter(), TOPIC, "intake", [RequestReturned, RequestVerified], RecordingConsumer())
    [handler] = subscriber.calls
    [annotation] = get_args(handler.handler._original_call.__annotations__["records"])
    [events] = get_args(annotation)
    assert get_args(events) == (CloudEvent[RequestReturned], CloudEvent[RequestVerified])


async def test_the_subscriber_of_a_cancelled_consumer_is_removed_from_the_broker():
    log = KafkaEventLog("127.0.0.1:1", TOPIC, request_timeout=0.1)
    async with running_consumer(log, "intake", RecordingConsumer()):
        await asyncio.sleep(0.01)
        assert len(log.broker.subscribers) == 1
    assert log.broker.subscribers == []
    await log.close()
