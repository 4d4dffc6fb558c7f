"""Keeps a subscriber consuming: starts it as soon as Kafka is available, and again when it has died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from aiokafka.errors import KafkaError
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.eventlog.kafka.connection import KafkaConnection, wait_for_stop
from shared.eventlog.kafka.delivery import RETRY_BACKOFF, AtLeastOnceDelivery
from shared.eventlog.port import LogUnavailable

logger = logging.getLogger(__name__)

JOIN_TIMEOUT_SECONDS = 90.0
LEAVE_TIMEOUT_SECONDS = 5.0
STALL_SECONDS = 30.0
"""Time without a batch, while there are records, after which a consumer counts as dead."""

MAX_FAILED_COMMITS = 3
"""Commits in a row that may fail before the consumer is restarted, which would otherwise never commit what it handles."""


async def keep_consuming(
    connection: KafkaConnection, subscriber: BatchSubscriber, delivery: AtLeastOnceDelivery, stall_seconds: float
) -> None:
    """Run a subscriber of the connection's broker until cancelled."""
    failures = 0
    while True:
        await RETRY_BACKOFF.wait(failures)
        failures += 1
        try:
            await connection.connect()
            async with _started(subscriber, delivery):
                failures = 1
                reason = await _wait_until_dead(subscriber, delivery, stall_seconds, connection.request_timeout)
                logger.error("the consumer of %s is restarted: %s", subscriber.group_id, reason)
        except (LogUnavailable, KafkaError, OSError, TimeoutError) as error:
            delay = RETRY_BACKOFF.delay(failures)
            logger.warning("%s cannot consume, next attempt in %.1f s: %r", subscriber.group_id, delay, error)


@contextlib.asynccontextmanager
async def _started(subscriber: BatchSubscriber, delivery: AtLeastOnceDelivery) -> AsyncIterator[None]:
    """Start the subscriber, and stop it at the end, or if it cannot start, which would leave it half started."""
    delivery.begin()
    try:
        async with asyncio.timeout(JOIN_TIMEOUT_SECONDS):
            await subscriber.start()
        yield
    finally:
        if not await wait_for_stop(_stop(subscriber, delivery), delivery.grace_seconds + LEAVE_TIMEOUT_SECONDS):
            logger.warning(
                "%s did not leave its group; its partitions are reassigned when the session ends", subscriber.group_id
            )


async def _stop(subscriber: BatchSubscriber, delivery: AtLeastOnceDelivery) -> None:
    await delivery.stop()
    await subscriber.stop()


async def _wait_until_dead(
    subscriber: BatchSubscriber, delivery: AtLeastOnceDelivery, stall_seconds: float, timeout_seconds: float
) -> str:
    """Return the reason once the subscriber has to be restarted: tasks of a consumer can die without an error."""
    while True:
        await asyncio.sleep(min(5.0, stall_seconds / 3))
        if all(task.done() for task in subscriber.tasks):
            return "its loop has ended"
        if delivery.failed_commits >= MAX_FAILED_COMMITS:
            return f"the last {delivery.failed_commits} commits failed"
        if await delivery.is_stalled(stall_seconds, timeout_seconds):
            return f"no batch for {stall_seconds:.0f} s although there are records"
