"""The connection of a process to Kafka: one FastStream broker, and an admin client of aiokafka for what FastStream lacks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from faststream.kafka import KafkaBroker

from shared.eventlog.kafka.security import PLAINTEXT, KafkaSecurity
from shared.eventlog.port import LogUnavailable
from shared.observability.logging import rate_limit_logs

logger = logging.getLogger(__name__)
faststream_logger = logging.getLogger(f"{__name__}.faststream")
faststream_logger.setLevel(logging.ERROR)

Answer = TypeVar("Answer")
AdminCall = Callable[[AIOKafkaAdminClient], Awaitable[Answer]]

RETRY_DELAY_SECONDS = 0.2
RETRY_BACKOFF_MS = 250
READER_BACKOFF_MS = 50
CLOSE_TIMEOUT_SECONDS = 5.0

LOG_INTERVAL_SECONDS = 30.0
"""Time for which aiokafka does not log the same message again: while Kafka is down it would write thirty lines a second."""

RATE_LIMITED_LOGGERS = (
    "aiokafka",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
    faststream_logger.name,
)

RETENTION_CONFIG = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
TIMESTAMP_CONFIG = {"message.timestamp.type": "LogAppendTime"}
"""Records carry their time of arrival, by which those of several partitions are merged."""


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic as it is created if it is missing. The number of partitions never changes: it decides where a key is stored."""

    name: str = "simpul.requests"
    partitions: int = 24
    replication_factor: int = 1

    @property
    def config(self) -> dict[str, str]:
        """One broker of three may be down, and nothing is acknowledged that only one broker has stored."""
        in_sync = {"min.insync.replicas": str(max(1, self.replication_factor - 1))}
        return RETENTION_CONFIG | TIMESTAMP_CONFIG | in_sync

    def group(self, name: str) -> str:
        """Return the name of a consumer group in Kafka, where the groups of all topics share one namespace."""
        return f"{self.name}.{name}"


class KafkaConnection:
    """The broker and the admin client of a process. Made without I/O and connected on first use.

    After a failure the next caller connects again; no call takes longer than `request_timeout` seconds.
    """

    def __init__(
        self,
        servers: str,
        topic: Topic,
        request_timeout: float,
        security: KafkaSecurity = PLAINTEXT,
        graceful_timeout: float | None = None,
    ) -> None:
        self.servers = servers.split(",")
        self.topic = topic
        self.security = security
        self.request_timeout = request_timeout
        self.create_if_missing = False
        self.broker = KafkaBroker(
            self.servers,
            security=security.broker_security,
            apply_types=False,  # the handler's annotation describes; validating each batch by it would cost time
            acks="all",
            compression_type="zstd",
            linger_ms=5,
            max_batch_size=128 * 1024,
            allow_auto_create_topics=False,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            graceful_timeout=graceful_timeout,
            id_generator=lambda: "",
            logger=faststream_logger,
        )
        self._admin: AIOKafkaAdminClient | None = None
        self._connecting: asyncio.Task[AIOKafkaAdminClient] | None = None
        self._cached_partitions: tuple[int, ...] = ()
        logging.getLogger("aiokafka").setLevel(logging.WARNING)
        rate_limit_logs(LOG_INTERVAL_SECONDS, *RATE_LIMITED_LOGGERS)

    async def connect(self) -> None:
        """Return when the broker is connected and the topic exists. Raises LogUnavailable."""
        with translate_kafka_errors():
            async with asyncio.timeout(self.request_timeout):
                await self._get_admin()
                await self.partitions()

    async def partitions(self) -> tuple[int, ...]:
        """Return the partitions of the topic, which is created first if `create_if_missing` is set. Raises LogUnavailable."""
        if not self._cached_partitions:
            self._cached_partitions = await self.call_admin(self.describe_topic)
        return self._cached_partitions

    async def call_admin(self, call: AdminCall[Answer], seconds: float | None = None) -> Answer:
        """Call the admin client, again after retriable errors. Raises LogUnavailable when the request timeout is over."""
        with translate_kafka_errors():
            async with asyncio.timeout(seconds or self.request_timeout):
                while True:
                    try:
                        return await call(await self._get_admin())
                    except KafkaError as error:
                        if self._admin is None or not error.retriable:
                            raise
                        logger.debug("a call of Kafka is retried: %r", error)
                    await asyncio.sleep(RETRY_DELAY_SECONDS)

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        """Open a consumer without a group, which reads from given positions. Raises LogUnavailable."""
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
                # Stopping may end with the CancelledError of one of its own tasks.
                await asyncio.gather(consumer.stop(), return_exceptions=True)

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._admin is not None:
            await wait_for_stop(self.broker.stop(), CLOSE_TIMEOUT_SECONDS)
            await self._admin.close()
        self._admin = None

    async def _get_admin(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.create_task(self._connect_clients())
            return await asyncio.shield(self._connecting)
        return self._admin

    async def _connect_clients(self) -> AIOKafkaAdminClient:
        """Connect the admin client before the broker, whose producer cannot be closed if it fails to connect."""
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self.servers,
            request_timeout_ms=int(self.request_timeout * 1000),
            retry_backoff_ms=RETRY_BACKOFF_MS,
            **self.security.client_options,
        )
        try:
            async with asyncio.timeout(self.request_timeout):
                await admin.start()
                await self.broker.connect()
        except BaseException:
            await self.broker.stop()
            await admin.close()
            raise
        self._admin = admin
        return admin

    async def describe_topic(self, admin: AIOKafkaAdminClient) -> tuple[int, ...]:
        """Return the partitions of the topic. Raises KafkaError, and LogUnavailable if it is missing and may not be created."""
        [found] = await admin.describe_topics([self.topic.name])
        error: type[KafkaError] = for_code(found["error_code"])
        if error is NoError:
            return tuple(sorted(partition["partition"] for partition in found["partitions"]))
        if error is UnknownTopicOrPartitionError:
            if not self.create_if_missing:
                raise LogUnavailable(f"Kafka has no topic {self.topic.name}: `simpul prepare` creates it")
            await self._create_topic(admin)
        raise error(self.topic.name)

    async def _create_topic(self, admin: AIOKafkaAdminClient) -> None:
        topic = NewTopic(
            self.topic.name, self.topic.partitions, self.topic.replication_factor, topic_configs=self.topic.config
        )
        response = await admin.create_topics([topic])
        for error in response.to_object()["topic_errors"]:
            if error["error_code"] not in (0, TopicAlreadyExistsError.errno):
                raise for_code(error["error_code"])(error.get("error_message") or self.topic.name)


async def wait_for_stop(stopping: Awaitable[None], seconds: float) -> bool:
    """Return whether something of aiokafka stopped in this time without an error.

    It runs in a task of its own: it may end with the CancelledError of another task, or wait 40 s for a Kafka that is silent.
    """
    task = asyncio.ensure_future(stopping)
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    await asyncio.wait([task], timeout=1)
    return task.done() and not task.cancelled() and task.exception() is None


@contextlib.contextmanager
def translate_kafka_errors() -> Iterator[None]:
    """Raise the port's LogUnavailable for errors of aiokafka."""
    try:
        yield
    except TimeoutError as error:
        raise LogUnavailable("Kafka did not answer in time") from error
    except (KafkaError, OSError) as error:
        raise LogUnavailable(f"Kafka: {type(error).__name__}: {error}") from error
