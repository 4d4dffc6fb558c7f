"""Consuming as a member of a group: a FastStream subscriber for as long as it lives, and another when it has died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.eventlog.kafka.connection import RETRY_BACKOFF_MS, KafkaConnection
from shared.eventlog.kafka.offset_commits import Commits
from shared.eventlog.kafka.reader import KafkaRecord, to_log_record
from shared.eventlog.port import BatchHandler, LogRecord, LogUnavailable

logger = logging.getLogger(__name__)
library = logging.getLogger(f"{__name__}.faststream")
library.setLevel(logging.ERROR)

GRACE = 20.0
"""Seconds for which a batch in hand may still be finished when the consumer is cancelled, or loses its partitions."""

STALL = 30.0
"""Seconds without a batch, while there are records to be given, after which a member counts as dead."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
JOIN_SECONDS = 90.0
COMMIT_EVERY = 0.25
"""Seconds between commits: one costs as much as several events, and what is repeated for want of it is recognised."""
COMMIT_SECONDS = 30.0
LEAVE_SECONDS = 5.0
REFUSALS = 3
"""Commits refused one after another: the group goes on without this member, and it does not know."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch, the positions that are reached with it, and how often partitions had been revoked before."""

    records: Sequence[LogRecord]
    reached: Mapping[TopicPartition, int]
    revocations: int = 0


class Membership:
    """One consumer of a group, for ever: joins, hands over, commits, and joins again when it was lost.

    What was handled is committed a few times a second, and at once when partitions or the whole group are about to be left.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        group: str,
        handle: BatchHandler,
        max_records: int,
        grace: float,
        stall: float,
    ) -> None:
        self._connection, self._group, self._handle = connection, group, handle
        self._max_records, self._grace, self._stall = max_records, grace, stall
        self._let_go, self._idle = asyncio.Event(), asyncio.Event()
        self._handling: asyncio.Future[None] | None = None
        self._commits = Commits(group)
        self._committer: asyncio.Task[None] | None = None
        self._heard = monotonic()
        self._subscriber: BatchSubscriber | None = None

    async def run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._connection.partitions()
                async with self._joined():
                    pause = FIRST_PAUSE
                    reason = await self._death()
                    logger.error("the consumer of %s is started again: %s", self._group, reason)
            except (LogUnavailable, KafkaError, OSError, TimeoutError) as error:
                logger.warning("%s cannot consume now, next try in %.1f s: %r", self._group, pause, error)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    @contextlib.asynccontextmanager
    async def _joined(self) -> AsyncIterator[None]:
        """A member that consumes. Leaving waits for the batch in hand, as long as the grace allows."""
        broker = self._broker()
        self._subscribe(broker)
        self._let_go.clear()
        self._idle.set()
        self._commits.begin()
        self._committer = asyncio.create_task(self._commit_for_ever())
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                await broker.start()
            self._heard = monotonic()
            yield
        finally:
            self._let_go.set()
            self._committer.cancel()
            await self._leave(broker)

    async def _leave(self, broker: KafkaBroker) -> None:
        """Stop in a task of its own: whatever becomes of that, it must not look like, or hide, that this one was cancelled."""
        stopping = asyncio.create_task(self._stop(broker))
        await asyncio.wait([stopping], timeout=self._grace + LEAVE_SECONDS)
        stopping.cancel()
        await asyncio.wait([stopping], timeout=1)
        if not stopping.done() or stopping.cancelled() or stopping.exception():
            logger.warning(
                "%s did not leave its group in order; its partitions move when its session ends", self._group
            )
        if self._handling is not None:
            await asyncio.gather(self._handling, return_exceptions=True)

    async def _stop(self, broker: KafkaBroker) -> None:
        """What is handled from now on is committed at once, by whoever handled it."""
        await self._commit(LEAVE_SECONDS)
        await broker.stop()

    def _broker(self) -> KafkaBroker:
        """A broker for one life of one member: its subscribers are for ever, and it closes what half a start left."""
        return KafkaBroker(
            self._connection.servers,
            security=self._connection.security.broker_security,
            consumer_only=True,
            apply_types=False,
            allow_auto_create_topics=False,
            graceful_timeout=self._grace,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            logger=library,
        )

    def _subscribe(self, broker: KafkaBroker) -> None:
        self._subscriber = broker.subscriber(
            self._connection.topic.name,
            group_id=self._connection.topic.group(self._group),
            batch=True,
            max_records=self._max_records,
            batch_timeout_ms=10,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
            rebalance_timeout_ms=60_000,
            max_poll_interval_ms=300_000,
            listener=Revocation(self._release),
            parser=self._parse,
            decoder=self._decode,
        )
        self._subscriber(self._deliver)

    def _consumer(self) -> AIOKafkaConsumer:
        if self._subscriber is None or self._subscriber.consumer is None:
            raise IllegalStateError(f"{self._group} has not joined")
        return self._subscriber.consumer

    async def _parse(self, batch: tuple[KafkaRecord, ...]) -> KafkaAckableMessage:
        """Nothing of a record is looked into here: what failed would be passed over by the next commit."""
        return KafkaAckableMessage(raw_message=batch, body=b"", consumer=self._consumer())

    async def _decode(self, message: KafkaAckableMessage) -> Delivery:
        found: tuple[KafkaRecord, ...] = message.raw_message
        reached = {TopicPartition(self._connection.topic.name, one.partition): one.offset + 1 for one in found}
        return Delivery([to_log_record(one) for one in found], reached, self._commits.revocations)

    async def _deliver(self, delivery: Delivery) -> None:
        """Hand a batch over, however often that takes; given up only when the partitions are, which brings it back."""
        self._idle.clear()
        self._heard, pause = monotonic(), FIRST_PAUSE
        try:
            while not await self._handled(delivery):
                if await self._let_go_within(pause) or delivery.revocations != self._commits.revocations:
                    return
                pause = min(LONGEST_PAUSE, pause * 2)
            self._commits.handled(delivery.reached, delivery.revocations)
            if self._let_go.is_set():
                await self._commit()
        finally:
            self._heard = monotonic()
            self._idle.set()

    async def _handled(self, delivery: Delivery) -> bool:
        """Whether the handler took the batch. It runs in a task of its own: one that ends itself must not end the consumer."""
        self._handling = asyncio.ensure_future(self._handle(delivery.records))
        try:
            await asyncio.wait([self._handling])
        finally:
            self._handling.cancel()
        if self._handling.cancelled():
            trouble: BaseException | None = RuntimeError("the handler ended itself")
        else:
            trouble = self._handling.exception()
        if trouble is not None:
            first = delivery.records[0].position
            logger.warning("%s is handed events from %s on again: %r", self._group, first, trouble)
        return trouble is None

    async def _let_go_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._let_go.wait(), seconds)
        return self._let_go.is_set()

    async def _commit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_EVERY)
            await self._commit()

    async def _commit(self, seconds: float = COMMIT_SECONDS) -> None:
        await self._commits.commit(self._consumer, seconds)

    async def _release(self) -> None:
        """Before partitions go to another member: finish the batch in hand, but do not try one again that fails."""
        self._let_go.set()
        try:
            async with asyncio.timeout(GRACE):
                await self._idle.wait()
            await self._commit(LEAVE_SECONDS)
        except TimeoutError:
            logger.warning("%s gives partitions away with a batch in hand, which will be repeated", self._group)
        finally:
            # They are read again from where they were committed, by whoever gets them.
            self._commits.revoked()
            self._let_go.clear()

    async def _death(self) -> str:
        """Return why the member has to be replaced, once it has: a consumer can die and look alive."""
        while True:
            await asyncio.sleep(min(5.0, self._stall / 3))
            if self._subscriber is None or all(task.done() for task in self._subscriber.tasks):
                return "it has stopped fetching"
            if self._committer is None or self._committer.done():
                return "its positions are not committed any more"
            if self._commits.refused >= REFUSALS:
                return "the group does not know it any more"
            if self._idle.is_set() and monotonic() - self._heard > self._stall and await self._is_behind():
                return f"no event came for {self._stall:.0f} s, but there are some"

    async def _is_behind(self) -> bool:
        """Whether there are records that it should have been given; while Kafka does not say so, there are none."""
        try:
            consumer = self._consumer()
            async with asyncio.timeout(self._connection.request_timeout):
                ends = await consumer.end_offsets(list(consumer.assignment()))
                return any([await consumer.position(place) < end for place, end in ends.items()])
        except (KafkaError, TimeoutError):
            return False


class Revocation(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells of partitions that are about to be given away."""

    def __init__(self, release: Callable[[], Awaitable[None]]) -> None:
        self._release = release

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._release()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """They are read from their committed positions on."""
