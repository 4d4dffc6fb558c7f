"""Rolling upgrades: what a process of an older version parked is replayed by one that understands it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from shared.eventlog.port import Record
from shared.runtime.consumption import Consumer
from shared.runtime.reading import NEWER
from shared.storage.port import DeadLetter, StoreUnavailable

logger = logging.getLogger(__name__)

POLL_SECONDS = 30.0


async def replay_what_became_readable(consumer: Consumer[Any]) -> None:
    """For ever: replay what a process beside this one parked because it did not understand it."""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            for subject in await readable_again(consumer):
                consumer.try_again_later(subject)
        except StoreUnavailable as error:
            logger.warning("store unavailable while looking for dead letters: %s", error)


async def readable_again(consumer: Consumer[Any]) -> list[str]:
    """The requests whose first dead letter was too new for whoever parked it, and is not for this process."""
    return [one.subject for one in await consumer.store.first_parked(NEWER) if _is_readable(consumer, one)]


def _is_readable(consumer: Consumer[Any], letter: DeadLetter) -> bool:
    heard = consumer.incoming.listen(Record(letter.position, letter.subject, letter.event))
    return heard is None or heard.event is not None
