"""The relay: publishes saved events from memory and in order, and sweeps the outbox for what a crash left there."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Sequence

from shared.eventlog.port import EventLog, LogUnavailable
from shared.runtime.measures import OUTBOX, PUBLISHED
from shared.storage.port import OutboxEntry, StateStore, StoreUnavailable

logger = logging.getLogger(__name__)

WAVE = 500
FORGET_EVERY = 1.0
SWEEP_EVERY = 5.0
LONGEST_PAUSE = 5.0


class Relay:
    """Publishes the outbox of one service.

    A wave holds each request at most once, and a wave that fails is sent again before anything else: an event never overtakes an
    earlier one of its request.
    """

    def __init__(self, service: str, store: StateStore, log: EventLog):
        self._service, self._store, self._log = service, store, log
        self._waiting: OrderedDict[str, OutboxEntry] = OrderedDict()
        self._published: deque[str] = deque()
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._wake = asyncio.Event()

    def hand_over(self, entries: Sequence[OutboxEntry]) -> None:
        """Take events that were just saved; they are published soon, in this order."""
        for entry in entries:
            if entry.event_id not in self._recent:
                self._waiting.setdefault(entry.event_id, entry)
        if entries:
            OUTBOX.labels(self._service).set(len(self._waiting))
            self._wake.set()

    async def run(self) -> None:
        """Publish, forget and sweep until cancelled."""
        await self.sweep()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_for_ever())
            tasks.create_task(self._every(FORGET_EVERY, self.forget))
            tasks.create_task(self._every(SWEEP_EVERY, self.sweep))

    async def drain(self) -> None:
        """Publish all that waits, once, and forget it; raises LogUnavailable. For an orderly end."""
        while self._waiting:
            await self._send_wave()
        await self.forget()

    async def sweep(self) -> None:
        """Find what is in the outbox and neither waits here nor has just been published."""
        after: tuple[str, str] | None = None
        while entries := await self._store.unpublished(WAVE, after):
            self.hand_over(entries)
            after = (entries[-1].subject, entries[-1].event_id)

    async def forget(self) -> None:
        """Take what the log has out of the outbox, in bulk."""
        count = len(self._published)
        if count:
            await self._store.published(list(self._published)[:count])
            for _ in range(count):
                self._published.popleft()

    async def _publish_for_ever(self) -> None:
        pause = 0.0
        while True:
            await self._wake.wait()
            try:
                await self._send_wave()
                pause = 0.0
            except LogUnavailable as error:
                pause = min(LONGEST_PAUSE, pause * 2 or 0.2)
                logger.warning("log unavailable, %d events wait: %s", len(self._waiting), error)
                await asyncio.sleep(pause)

    async def _send_wave(self) -> None:
        wave = self._next_wave()
        await self._log.append([(entry.subject, entry.event) for entry in wave])
        for entry in wave:
            self._waiting.pop(entry.event_id, None)
            self._published.append(entry.event_id)
            self._recent[entry.event_id] = None
        while len(self._recent) > 20 * WAVE:
            self._recent.popitem(last=False)
        PUBLISHED.labels(self._service).inc(len(wave))
        OUTBOX.labels(self._service).set(len(self._waiting))
        if not self._waiting:
            self._wake.clear()

    def _next_wave(self) -> list[OutboxEntry]:
        wave: dict[str, OutboxEntry] = {}
        for entry in self._waiting.values():
            wave.setdefault(entry.subject, entry)
            if len(wave) == WAVE:
                break
        return list(wave.values())

    async def _every(self, seconds: float, work: object) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()  # type: ignore[operator]
            except StoreUnavailable as error:
                logger.warning("store unavailable: %s", error)
