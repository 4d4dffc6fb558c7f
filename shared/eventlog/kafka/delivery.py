"""At-least-once delivery, in order: what happens to a batch around its handler."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from faststream import BaseMiddleware
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.message import StreamMessage

from shared.backoff import Backoff
from shared.eventlog.kafka.messages import Batch
from shared.eventlog.kafka.offsets import PendingOffsets

logger = logging.getLogger(__name__)

GRACE_SECONDS = 20.0
"""Time that a batch in flight has to finish when its partitions are revoked or the consumer stops."""

RETRY_BACKOFF = Backoff(0.2, 5.0)
COMMIT_INTERVAL_SECONDS = 0.25
"""A commit costs as much as handling several events, and redelivered events are recognised."""

COMMIT_TIMEOUT_SECONDS = 30.0
FINAL_COMMIT_TIMEOUT_SECONDS = 5.0


class AtLeastOnceDelivery(ConsumerRebalanceListener):  # type: ignore[misc]
    """A FastStream middleware, and the rebalance listener, of one batch subscriber with AckPolicy.MANUAL.

    A batch is passed to the handler until it returns: FastStream itself would log the error, and the next commit would skip the
    batch. Offsets are committed a few times a second, and at once before partitions are revoked or the consumer stops.
    """

    def __init__(self, group: str, grace_seconds: float = GRACE_SECONDS) -> None:
        self.grace_seconds, self._group = grace_seconds, group
        self.subscriber: BatchSubscriber | None = None
        self._offsets = PendingOffsets(group)
        self._committing: asyncio.Task[None] | None = None
        self._leaving, self._idle = asyncio.Event(), asyncio.Event()
        self._stopping = False
        self._has_abandoned_batch = False
        """A batch was given up; a later one of its partition, already fetched, must not be committed past it."""
        self._active_at = 0.0

    def __call__(self, message: Batch | None, /, *, context: Any) -> BaseMiddleware[Any, Any]:
        """Return the middleware of one batch."""
        return _DeliveryMiddleware(message, context=context, delivery=self)

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        return self.subscriber.consumer if self.subscriber else None

    @property
    def failed_commits(self) -> int:
        """How many commits in a row have failed, 0 if there is nothing left to commit."""
        return self._offsets.failed_commits if self._offsets else 0

    def begin(self) -> None:
        """Reset before the subscriber starts, in the event loop in which it runs."""
        self._stopping = self._has_abandoned_batch = False
        self._leaving.clear()
        self._idle.set()
        self._offsets.clear()
        self._offsets.failed_commits = 0
        self._active_at = _now()

    async def deliver(self, handle: Callable[[], Awaitable[Any]], batch: Batch) -> None:
        """Handle a batch, retrying until it succeeds or its partitions are revoked, after which it is redelivered."""
        if self._has_abandoned_batch:
            return
        revocation_epoch, failures = self._offsets.revocation_epoch, 0
        self._idle.clear()
        try:
            while not await self._try(handle, batch):
                failures += 1
                # A batch of an earlier epoch abandons nothing: its partitions are already read from the committed offset.
                self._has_abandoned_batch = await self._partitions_revoked_within(RETRY_BACKOFF.delay(failures))
                if self._has_abandoned_batch or revocation_epoch != self._offsets.revocation_epoch:
                    return
            offsets = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in batch}
            self._offsets.add(offsets, revocation_epoch)
            if self._leaving.is_set():
                await self.commit()
            elif self._committing is None or self._committing.done():
                self._committing = asyncio.create_task(self._commit_pending())
        finally:
            self._active_at = _now()
            self._idle.set()

    async def _try(self, handle: Callable[[], Awaitable[Any]], batch: Batch) -> bool:
        """Return whether the handler succeeded."""
        try:
            await handle()
            return True
        except Exception as error:
            reason: BaseException = error
        except asyncio.CancelledError as error:
            # One that the handler raised by itself would end FastStream's loop.
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            reason = error
        first = batch[0]
        logger.warning("%s retries a batch from %s:%s on: %r", self._group, first.partition, first.offset, reason)
        return False

    async def _partitions_revoked_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), seconds)
        return self._leaving.is_set()

    async def _commit_pending(self) -> None:
        while self._offsets:
            await asyncio.sleep(COMMIT_INTERVAL_SECONDS)
            await self.commit()

    async def commit(self, timeout_seconds: float = COMMIT_TIMEOUT_SECONDS) -> None:
        await self._offsets.commit(self.consumer, timeout_seconds)

    async def on_partitions_revoked(self, _revoked: set[TopicPartition]) -> None:
        """Let the batch in flight finish, without retries, and commit."""
        self._leaving.set()
        try:
            async with asyncio.timeout(self.grace_seconds):
                await self._idle.wait()
            await self.commit(FINAL_COMMIT_TIMEOUT_SECONDS)
        except TimeoutError:
            logger.warning("partitions of %s are revoked with a batch in flight, which is redelivered", self._group)
        finally:
            self._offsets.clear()
            if not self._stopping:
                self._leaving.clear()
                self._has_abandoned_batch = False

    async def on_partitions_assigned(self, _assigned: set[TopicPartition]) -> None:
        """Count the assignment as activity: the partitions may have waited for longer than a stall takes."""
        self._active_at = _now()

    async def stop(self) -> None:
        """Commit before the subscriber stops; a batch still in flight is committed as soon as it is handled."""
        self._stopping = True
        self._leaving.set()
        if self._committing is not None:
            self._committing.cancel()
        await self.commit(FINAL_COMMIT_TIMEOUT_SECONDS)

    async def is_stalled(self, stall_seconds: float, timeout_seconds: float) -> bool:
        """Return whether no batch has arrived for so long although there are records.

        False while Kafka does not answer.
        """
        if self.consumer is None or not self._idle.is_set() or _now() - self._active_at < stall_seconds:
            return False
        try:
            async with asyncio.timeout(timeout_seconds):
                ends = await self.consumer.end_offsets(list(self.consumer.assignment()))
                return any([await self.consumer.position(partition) < end for partition, end in ends.items()])
        except (KafkaError, TimeoutError):
            return False


class _DeliveryMiddleware(BaseMiddleware[Any, Any]):
    def __init__(self, message: Batch | None, /, *, context: Any, delivery: AtLeastOnceDelivery) -> None:
        super().__init__(message, context=context)
        self._delivery = delivery

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]) -> None:
        await self._delivery.deliver(lambda: call_next(msg), msg.raw_message)


def _now() -> float:
    return asyncio.get_running_loop().time()
