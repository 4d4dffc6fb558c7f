"""Offsets of consumer groups: what a running consumer has still to commit, and commits for a group without members."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from shared.eventlog.kafka.connection import RETRY_BACKOFF_MS, KafkaConnection, translate_kafka_errors
from shared.eventlog.kafka.positions import PartitionOffsets
from shared.eventlog.port import LogUnavailable

logger = logging.getLogger(__name__)

_GROUP_HAS_MEMBERS = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


class PendingOffsets:
    """Offsets of handled records that are not committed yet, of the partitions assigned to this consumer.

    One offset of a partition that is not assigned makes Kafka refuse the whole commit. Offsets of revoked partitions are
    therefore dropped, and so are those of a batch that was in flight during the revocation.
    """

    def __init__(self, group: str) -> None:
        self._group = group
        self._offsets: dict[TopicPartition, int] = {}
        self._lock = asyncio.Lock()
        self.revocation_epoch = 0
        """Counts the revocations of partitions, so that a batch of before one adds no offsets after it."""
        self.failed_commits = 0
        """How many commits have failed since the last one that succeeded."""

    def __bool__(self) -> bool:
        return bool(self._offsets)

    def add(self, offsets: Mapping[TopicPartition, int], revocation_epoch: int) -> None:
        """Note where each partition continues after a batch that was received in this epoch."""
        if revocation_epoch == self.revocation_epoch:
            self._offsets |= offsets

    def clear(self) -> None:
        """Drop what is not committed: the next owner of the partitions reads it again."""
        self._offsets.clear()
        self.revocation_epoch += 1

    async def commit(self, consumer: AIOKafkaConsumer | None, timeout_seconds: float) -> None:
        """Commit what is pending; what cannot be committed stays pending, or is redelivered."""
        try:
            # One commit at a time, so that an older offset never follows a newer one.
            async with asyncio.timeout(timeout_seconds), self._lock:
                await self._commit_pending(consumer)
        except (KafkaError, TimeoutError) as error:
            self.failed_commits += 1
            logger.warning("offsets of %s are not committed, events may be redelivered: %r", self._group, error)

    async def _commit_pending(self, consumer: AIOKafkaConsumer | None) -> None:
        assigned = consumer.assignment() if consumer else frozenset()
        self._offsets = {partition: offset for partition, offset in self._offsets.items() if partition in assigned}
        if consumer and (committed := dict(self._offsets)):
            await consumer.commit(committed)
            self.failed_commits = 0
            self._offsets = {
                partition: offset for partition, offset in self._offsets.items() if offset != committed.get(partition)
            }


async def commit_group_offsets(connection: KafkaConnection, group: str, up_to: PartitionOffsets) -> None:
    """Commit these offsets for a group without members, where it has not come further.

    Raises LogUnavailable, also if the group has members.
    """
    numbers = await connection.partitions()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=connection.servers,
        group_id=group,
        enable_auto_commit=False,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        **connection.security.client_options,
    )
    with translate_kafka_errors():
        try:
            async with asyncio.timeout(connection.request_timeout):
                await consumer.start()
                partitions = [TopicPartition(connection.topic.name, number) for number in numbers]
                consumer.assign(partitions)
                current = {partition: await consumer.committed(partition) or 0 for partition in partitions}
                # All of them, even where nothing changes: only a commit shows whether the group has members.
                await consumer.commit(
                    {key: max(offset, up_to.get(key.partition, -1) + 1) for key, offset in current.items()}
                )
        except _GROUP_HAS_MEMBERS as error:
            raise LogUnavailable(f"somebody consumes as {group} already") from error
        finally:
            await asyncio.gather(consumer.stop(), return_exceptions=True)
