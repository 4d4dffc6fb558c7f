"""The way to Kafka for everything but consuming: a FastStream broker that publishes, and an admin client that asks.

FastStream offers no reading from a position, no offsets and no groups; for these, and for the topic, aiokafka is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from faststream.kafka import KafkaBroker

from shared.eventlog.kafka.library_logging import limit_aiokafka_logs
from shared.eventlog.kafka.security import PLAINTEXT, KafkaSecurity
from shared.eventlog.port import LogUnavailable

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
AdminCall = Callable[[AIOKafkaAdminClient], Awaitable[Answer]]

RETRY_DELAY_SECONDS = 0.2
"""Seconds until a question is asked again whose answer was "not now"."""

RETRY_BACKOFF_MS = 250
READER_BACKOFF_MS = 50

RETENTION_CONFIG = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
TIMESTAMP_CONFIG = {"message.timestamp.type": "LogAppendTime"}
"""Records bear the time of their arrival, by which those of several partitions can be put in order."""


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic as it is made where it is missing. The number of partitions never changes: it says where a key lies."""

    name: str = "simpul.requests"
    partitions: int = 24
    replication_factor: int = 1

    @property
    def settings(self) -> dict[str, str]:
        """One broker of three may be away, and nothing is acknowledged that lies on a single one."""
        return RETENTION_CONFIG | TIMESTAMP_CONFIG | {"min.insync.replicas": str(max(1, self.replication_factor - 1))}

    def group(self, name: str) -> str:
        """What a group is called in Kafka, where groups of all topics share one space of names."""
        return f"{self.name}.{name}"


class KafkaConnection:
    """Opened by whoever needs it first, and tried again by whoever comes after a failure: nobody waits longer than `patience`."""

    def __init__(self, servers: str, topic: Topic, request_timeout: float, security: KafkaSecurity = PLAINTEXT) -> None:
        self.servers, self.topic, self.request_timeout, self.security = (
            servers.split(","),
            topic,
            request_timeout,
            security,
        )
        self.create_if_missing = False
        limit_aiokafka_logs()
        self._admin: AIOKafkaAdminClient | None = None
        self._broker: KafkaBroker | None = None
        self._opening: asyncio.Task[AIOKafkaAdminClient] | None = None
        self._partitions: tuple[int, ...] = ()

    async def broker(self) -> KafkaBroker:
        """The connected broker to publish with, to a topic that is there. Raises LogUnavailable."""
        await self.partitions()
        if self._broker is None:
            raise LogUnavailable("Kafka was disconnected")
        return self._broker

    async def partitions(self) -> tuple[int, ...]:
        """The partitions of the topic, which is made first if that is wanted and it is missing. Raises LogUnavailable."""
        if not self._partitions:
            self._partitions = await self.call_admin(self.describe_topic)
        return self._partitions

    async def call_admin(self, call: AdminCall[Answer], seconds: float | None = None) -> Answer:
        """What Kafka answers, asked again as long as it says "not now". Raises LogUnavailable when `patience` is over."""
        with translate_kafka_errors():
            async with asyncio.timeout(seconds or self.request_timeout):
                while True:
                    try:
                        return await call(await self._get_admin())
                    except KafkaError as error:
                        if self._admin is None or not error.retriable:
                            raise
                        logger.debug("Kafka is asked again: %r", error)
                    await asyncio.sleep(RETRY_DELAY_SECONDS)

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of no group, which reads where it is told to. Raises LogUnavailable."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.servers,
            auto_offset_reset="earliest",
            retry_backoff_ms=READER_BACKOFF_MS,
            **self.security.client_options,
        )
        with translate_kafka_errors():
            try:
                async with asyncio.timeout(self.request_timeout):
                    await consumer.start()
                yield consumer
            finally:
                # It may end with the CancelledError of a task of its own.
                await asyncio.gather(consumer.stop(), return_exceptions=True)

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._broker is not None:
            await self._broker.stop()
        if self._admin is not None:
            await self._admin.close()
        self._broker = self._admin = None

    async def _get_admin(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            if self._opening is None or self._opening.done():
                self._opening = asyncio.create_task(self._open())
            return await asyncio.shield(self._opening)
        return self._admin

    async def _open(self) -> AIOKafkaAdminClient:
        """The admin client goes first: of the broker's producer nothing can be closed if it cannot connect."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "request_timeout_ms": int(self.request_timeout * 1000),
            "retry_backoff_ms": RETRY_BACKOFF_MS,
        }
        admin = AIOKafkaAdminClient(**options, **self.security.client_options)
        broker = KafkaBroker(
            **options,
            security=self.security.broker_security,
            apply_types=False,
            acks="all",
            compression_type="zstd",
            linger_ms=5,
            max_batch_size=128 * 1024,
            allow_auto_create_topics=False,
            id_generator=lambda: "",
            logger=logger,
            log_level=logging.DEBUG,
        )
        try:
            async with asyncio.timeout(self.request_timeout):
                await admin.start()
                await broker.start()
        except BaseException:
            await broker.stop()
            await admin.close()
            raise
        self._admin, self._broker = admin, broker
        return admin

    async def describe_topic(self, admin: AIOKafkaAdminClient) -> tuple[int, ...]:
        [found] = await admin.describe_topics([self.topic.name])
        error: type[KafkaError] = for_code(found["error_code"])
        if error is NoError:
            return tuple(sorted(partition["partition"] for partition in found["partitions"]))
        if error is UnknownTopicOrPartitionError:
            if not self.create_if_missing:
                raise LogUnavailable(f"Kafka has no topic {self.topic.name}: `simpul prepare` makes it")
            await self._create_topic(admin)
        raise error(self.topic.name)

    async def _create_topic(self, admin: AIOKafkaAdminClient) -> None:
        topic = NewTopic(
            self.topic.name, self.topic.partitions, self.topic.replication_factor, topic_configs=self.topic.settings
        )
        response = await admin.create_topics([topic])
        for error in response.to_object()["topic_errors"]:
            if error["error_code"] not in (0, TopicAlreadyExistsError.errno):
                raise for_code(error["error_code"])(error.get("error_message") or self.topic.name)


@contextlib.contextmanager
def translate_kafka_errors() -> Iterator[None]:
    """Whatever the library says, the port says LogUnavailable."""
    try:
        yield
    except TimeoutError as error:
        raise LogUnavailable("Kafka did not answer in time") from error
    except (KafkaError, OSError) as error:
        raise LogUnavailable(f"Kafka: {type(error).__name__}: {error}") from error
