"""The relay: publishes saved events from memory and in order, and sweeps the outbox for what a crash left there."""

from __future__ import annotations

import asyncio
import logging
from bisect import insort
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from shared.eventlog.port import EventLog, LogUnavailable
from shared.runtime.heads import sequence_of, time_of, traceparent_of, type_of
from shared.runtime.measures import OLDEST, OUTBOX, PUBLISHED
from shared.storage.port import OutboxEntry, StateStore, StoreUnavailable
from shared.tracing import collecting, span

logger = logging.getLogger(__name__)

WAVE = 500
RECALLED = 20_000
"""Requests of which the last published sequence is remembered; for others the outbox is asked."""

FORGET_EVERY = 1.0
SWEEP_EVERY = 5.0
LONGEST_PAUSE = 5.0

Numbered = tuple[int, str, OutboxEntry]
"""An entry with its sequence and its event's id before it, by which it is sorted."""


@dataclass(slots=True)
class Backlog:
    """What a look through the outbox finds that the log may not have: how many entries, and the time of the oldest."""

    entries: int = 0
    oldest: str = ""

    def count(self, entry: OutboxEntry) -> None:
        self.entries += 1
        self.oldest = min(filter(None, (self.oldest, time_of(entry.event))), default="")

    def show(self, service: str) -> None:
        OUTBOX.labels(service).set(self.entries)
        OLDEST.labels(service).set(datetime.fromisoformat(self.oldest).timestamp() if self.oldest else 0)


class Relay:
    """Publishes the outbox of one service.

    A wave holds each request at most once, and a wave that fails is sent again before anything else: an event never overtakes an
    earlier one of its request. One whose predecessor is not known to be published waits until the outbox has been read, because a
    write whose answer was lost, or another process, may have left the predecessor there. What other processes have just saved is
    otherwise left to them: only what lies there from one sweep to the next is taken as left by a crash.
    """

    def __init__(self, service: str, store: StateStore, log: EventLog):
        self._service, self._store, self._log = service, store, log
        self._waiting: OrderedDict[str, list[Numbered]] = OrderedDict()
        self._published: dict[str, None] = {}
        self._reached: OrderedDict[str, int] = OrderedDict()
        self._doubted: set[str] = set()
        self._met: set[str] = set()
        self._wake, self._sending = asyncio.Event(), asyncio.Lock()

    def hand_over(self, entries: Sequence[OutboxEntry]) -> None:
        """Take events that were just saved; they are published soon, each request's in order."""
        for entry in entries:
            before = self._last_known(entry.subject)
            if self._take(entry) > before + 1:
                self._doubted.add(entry.subject)

    def _last_known(self, subject: str) -> int:
        waiting = self._waiting.get(subject)
        return waiting[-1][0] if waiting else self._reached.get(subject, 0)

    def _take(self, entry: OutboxEntry) -> int:
        """Let an entry wait, unless it does or was published; returns its sequence."""
        sequence = sequence_of(entry.event)
        waiting = self._waiting.get(entry.subject, [])
        if sequence <= self._reached.get(entry.subject, 0):
            # Still in the outbox, perhaps because the store lost the word that it was published.
            self._published[entry.event_id] = None
        elif all(sequence != one[0] for one in waiting):
            insort(self._waiting.setdefault(entry.subject, waiting), (sequence, entry.event_id, entry))
            self._wake.set()
        return sequence

    async def run(self) -> None:
        """Publish, forget and sweep until cancelled."""
        await self.sweep()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_for_ever())
            tasks.create_task(self._every(FORGET_EVERY, self.forget))
            tasks.create_task(self._every(SWEEP_EVERY, self.sweep_again))

    async def drain(self) -> None:
        """Publish all that waits, once, and forget it; raises LogUnavailable or StoreUnavailable. For an orderly end."""
        while self._waiting:
            await self._send_wave()
        await self.forget()

    async def sweep(self) -> None:
        """Find what is in the outbox and neither waits here nor has been published."""
        await self._look(lambda entry: True)

    async def sweep_again(self) -> None:
        """As `sweep`, for what was there the last time already; the rest is young, and in the hands of whoever saved it."""
        before, self._met = self._met, set()

        def lies_there(entry: OutboxEntry) -> bool:
            self._met.add(entry.event_id)
            return entry.event_id in before

        await self._look(lies_there)

    async def _settle_doubts(self) -> None:
        """Find what goes before the events whose predecessors are not known to be published."""
        doubted, self._doubted = self._doubted, set()
        try:
            await self._look(lambda entry: entry.subject in doubted)
        except BaseException:
            self._doubted |= doubted
            raise

    async def _look(self, wanted: Callable[[OutboxEntry], bool]) -> None:
        after: tuple[str, str] | None = None
        backlog = Backlog()
        while entries := await self._store.unpublished(WAVE, after):
            for entry in filter(wanted, entries):
                self._take(entry)
            for entry in entries:
                if entry.event_id not in self._published:
                    backlog.count(entry)
            after = (entries[-1].subject, entries[-1].event_id)
        backlog.show(self._service)

    async def forget(self) -> None:
        """Take what the log has out of the outbox, in bulk."""
        if known := list(self._published):
            await self._store.published(known)
            for event_id in known:
                self._published.pop(event_id, None)

    async def _publish_for_ever(self) -> None:
        pause = 0.0
        while True:
            await self._wake.wait()
            try:
                await self._send_wave()
                pause = 0.0
            except (LogUnavailable, StoreUnavailable) as error:
                pause = min(LONGEST_PAUSE, pause * 2 or 0.2)
                first = next(iter(self._waiting), "")
                logger.warning(
                    "cannot publish, events of %d requests wait: %s",
                    len(self._waiting),
                    error,
                    extra={"subject": first},
                )
                await asyncio.sleep(pause)

    async def _send_wave(self) -> None:
        async with self._sending:
            while self._doubted:
                await self._settle_doubts()
            wave = [waiting[0] for waiting in islice(self._waiting.values(), WAVE)]
            if wave:
                with self._traced([entry for _, _, entry in wave]):
                    await self._log.append([(entry.subject, entry.event) for _, _, entry in wave])
            for numbered in wave:
                self._note(numbered)
        PUBLISHED.labels(self._service).inc(len(wave))
        if not self._waiting:
            self._wake.clear()

    def _traced(self, entries: Sequence[OutboxEntry]) -> ExitStack:
        """A span for each event, in the trace in which it was saved, whoever saved it."""
        stack = ExitStack()
        for entry in entries if collecting() else ():
            if traceparent := traceparent_of(entry.event):
                name, facts = f"publish {type_of(entry.event)}", {"service": self._service, "subject": entry.subject}
                stack.enter_context(span(name, "producer", traceparent, **facts))
        return stack

    def _note(self, numbered: Numbered) -> None:
        """The log has this one: the next of its request may follow, after those of the others."""
        sequence, event_id, entry = numbered
        self._published[event_id] = None
        waiting = self._waiting.pop(entry.subject)
        waiting.remove(numbered)
        if waiting:
            self._waiting[entry.subject] = waiting
        self._reached[entry.subject] = sequence
        self._reached.move_to_end(entry.subject)
        if len(self._reached) > RECALLED:
            self._reached.popitem(last=False)

    async def _every(self, seconds: float, work: object) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()  # type: ignore[operator]
            except StoreUnavailable as error:
                logger.warning("store unavailable: %s", error)
