"""Positions of a group that has no members: where it will go on when somebody joins it."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from shared.eventlog.kafka.connection import RETRY_BACKOFF_MS, KafkaConnection, translate_kafka_errors
from shared.eventlog.kafka.positions import PartitionOffsets
from shared.eventlog.port import LogUnavailable

_HAS_MEMBERS = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


async def commit_offset(connection: KafkaConnection, group: str, up_to: PartitionOffsets) -> None:
    """Commit these positions where the group has not come further. Raises LogUnavailable, also if the group has members."""
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
                places = [TopicPartition(connection.topic.name, number) for number in numbers]
                consumer.assign(places)
                known = {place: await consumer.committed(place) or 0 for place in places}
                # All of them, even where nothing changes: only a commit tells whether the group has members.
                await consumer.commit(
                    {place: max(at, up_to.get(place.partition, -1) + 1) for place, at in known.items()}
                )
        except _HAS_MEMBERS as error:
            raise LogUnavailable(f"somebody consumes as {group} already") from error
        finally:
            await asyncio.gather(consumer.stop(), return_exceptions=True)
