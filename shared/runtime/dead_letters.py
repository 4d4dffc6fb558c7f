"""Rolling upgrades: what a process of an older version parked is replayed by one that understands it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from shared.eventlog.port import LogRecord
from shared.runtime.consumer import Consumer
from shared.runtime.event_decoding import NEWER_VERSION_REASON
from shared.storage.port import DeadLetter, StoreUnavailable

logger = logging.getLogger(__name__)

POLL_INTERVAL_SECONDS = 30.0


async def replay_readable_forever(consumer: Consumer[Any]) -> None:
    """For ever: replay what a process beside this one parked because it did not understand it."""
    while True:
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
        try:
            for subject in await find_readable_requests(consumer):
                consumer.schedule_replay(subject)
        except StoreUnavailable as error:
            logger.warning("store unavailable while looking for dead letters: %s", error)


async def find_readable_requests(consumer: Consumer[Any]) -> list[str]:
    """The requests whose first dead letter was too new for whoever parked it, and is not for this process."""
    return [
        one.subject for one in await consumer.store.first_parked(NEWER_VERSION_REASON) if _is_readable(consumer, one)
    ]


def _is_readable(consumer: Consumer[Any], dead_letter: DeadLetter) -> bool:
    heard = consumer.incoming.listen(LogRecord(dead_letter.position, dead_letter.subject, dead_letter.event))
    return heard is None or heard.event is not None
