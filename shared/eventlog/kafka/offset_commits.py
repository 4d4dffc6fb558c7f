"""The positions that a member of a group has handled, and how they are committed though some of them are refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

logger = logging.getLogger(__name__)

Positions = Mapping[TopicPartition, int]

OF_THE_MEMBER = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""Refusals that concern all partitions alike: the group may go on without this member."""


class Commits:
    """What was handled and is not committed yet, of the partitions that are this member's.

    Kafka refuses a commit as a whole if one of its partitions is not assigned to the member. So the positions of a batch that
    outlived the revocation of its partitions are dropped, and so are those of partitions that have gone.
    """

    def __init__(self, group: str) -> None:
        self._group = group
        self._reached: dict[TopicPartition, int] = {}
        self._committing = asyncio.Lock()
        self.revocations = 0
        self.refused = 0
        """Commits that were refused to the member, one after another."""

    def begin(self) -> None:
        """A new member knows nothing of what the one before handled."""
        self._reached.clear()
        self.revocations += 1
        self.refused = 0

    def handled(self, reached: Positions, revocations: int) -> None:
        """Remember what a batch reached that came after so many revocations."""
        if revocations == self.revocations:
            self._reached |= reached

    def revoked(self) -> None:
        """Forget what is not committed: it is read again from there, by whoever gets the partitions."""
        self._reached.clear()
        self.revocations += 1

    async def commit(self, consumer: Callable[[], AIOKafkaConsumer], seconds: float) -> None:
        """Commit what was handled, within so many seconds, in which another commit may have to end first.

        A position that cannot be committed only repeats events; it is tried again with the next.
        """
        try:
            async with asyncio.timeout(seconds), self._committing:
                if self._reached:
                    await self._commit_owned(consumer())
        except (KafkaError, TimeoutError) as error:
            self.refused += isinstance(error, (*OF_THE_MEMBER, TimeoutError))
            logger.warning("a position of %s is not committed, so events may be repeated: %r", self._group, error)

    async def _commit_owned(self, consumer: AIOKafkaConsumer) -> None:
        """Commit all at once, or one by one if some are refused. Raises KafkaError if one was."""
        owned = consumer.assignment()
        self._reached = {place: at for place, at in self._reached.items() if place in owned}
        if not (reached := dict(self._reached)):
            return
        try:
            await self._commit(consumer, reached)
        except OF_THE_MEMBER:
            raise
        except KafkaError as error:
            refusals = [await self._refusal(consumer, {place: at}) for place, at in reached.items()]
            raise next(filter(None, refusals), error) from error

    async def _refusal(self, consumer: AIOKafkaConsumer, reached: Positions) -> KafkaError | None:
        try:
            await self._commit(consumer, reached)
        except KafkaError as error:
            return error
        return None

    async def _commit(self, consumer: AIOKafkaConsumer, reached: Positions) -> None:
        await consumer.commit(reached)
        self.refused = 0
        self._reached = {place: at for place, at in self._reached.items() if at != reached.get(place)}
