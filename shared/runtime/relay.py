"""The relay: publishes saved events from memory and in order, and sweeps the outbox for what a crash left there."""

from __future__ import annotations

import asyncio
import logging
from bisect import insort
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice

from shared.eventlog.port import EventLog, LogUnavailable
from shared.runtime.heads import sequence_of, traceparent_of, type_of
from shared.runtime.measures import PUBLISHED
from shared.runtime.outbox import Backlog, pages, scan_for
from shared.storage.port import OutboxEntry, StateStore, StoreUnavailable
from shared.tracing import collecting, span

logger = logging.getLogger(__name__)

WAVE = 500
RECALLED = 20_000
"""Requests of which the last published sequence is remembered; for others the outbox is asked."""

FORGET_EVERY = 1.0
SWEEP_EVERY = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
SLOW_WAVE_SECONDS = 0.5
"""Seconds after which the next wave is sent, though the log has not answered for all of this one."""
MAX_WAVES = 8
"""Waves that wait for the log at once."""

Numbered = tuple[int, str, OutboxEntry]
"""An entry with its sequence and its event's id before it, by which it is sorted."""

UnpublishedOf = Callable[[Sequence[str]], Awaitable[Sequence[OutboxEntry]]]


class Relay:
    """Publishes the outbox of one service.

    A wave holds each request at most once, and the next event of a request is sent when the log has acknowledged the one before:
    an event never overtakes an earlier one of its request. What the log did not take of a wave is held back for a while and sent
    again, and the other requests go on. An event whose predecessor is not known to be published waits until the outbox has been
    asked about its request, because a write whose answer was lost, or another process, may have left the predecessor there; it
    alone waits. What other processes have just saved is otherwise left to them: only what lies there from one sweep to the next
    is taken as left by a crash.
    """

    def __init__(self, service: str, store: StateStore, log: EventLog, unpublished_of: UnpublishedOf | None = None):
        """`unpublished_of` finds the outbox entries of some requests; without it the whole outbox is read for them."""
        self._service, self._store, self._log = service, store, log
        self._unpublished_of = unpublished_of or partial(scan_for, store)
        self._waiting: OrderedDict[str, list[Numbered]] = OrderedDict()
        self._published: dict[str, None] = {}
        self._reached: OrderedDict[str, int] = OrderedDict()
        self._met: set[str] = set()
        self._doubted: set[str] = set()
        """Requests of which an earlier event may be in the outbox; `_checked` are those that it is being asked about."""
        self._checked: set[str] = set()
        self._sent: set[str] = set()
        """Requests of which an event is on its way to the log."""
        self._held: set[str] = set()
        """Requests of which the log did not take an event; `_retried` are those whose pause is over."""
        self._retried: set[str] = set()
        self._pause = 0.0
        self._retry: asyncio.TimerHandle | None = None
        self._waves: set[asyncio.Task[None]] = set()
        self._wake, self._doubt, self._checking = asyncio.Event(), asyncio.Event(), asyncio.Lock()

    def hand_over(self, entries: Sequence[OutboxEntry]) -> None:
        """Take events that were just saved; they are published soon, each request's in order."""
        for entry in entries:
            before = self._last_known(entry.subject)
            if self._take(entry) > before + 1:
                self._doubted.add(entry.subject)
                self._doubt.set()

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
            tasks.create_task(self._settle_doubts_for_ever())
            tasks.create_task(self._every(FORGET_EVERY, self.forget))
            tasks.create_task(self._every(SWEEP_EVERY, self.sweep_again))

    async def drain(self) -> None:
        """Publish all that waits, once, and forget it; raises LogUnavailable or StoreUnavailable. For an orderly end."""
        try:
            while self._waiting:
                while self._waves:
                    await asyncio.wait(self._waves)
                self._held.clear()
                self._retried.clear()
                while self._doubted:
                    await self._settle_doubts()
                if wave := self._next_wave():
                    await self._append(wave)
                else:
                    await asyncio.sleep(FIRST_PAUSE)
            await self.forget()
        finally:
            for sending in self._waves:
                sending.cancel()

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

    async def _settle_doubts_for_ever(self) -> None:
        while True:
            try:
                # Before any waiting, because a run that broke may have left some.
                while self._doubted:
                    await self._settle_doubts()
            except StoreUnavailable as error:
                logger.warning("events of %d requests wait for the outbox: %s", len(self._doubted), error)
                await asyncio.sleep(FIRST_PAUSE)
                continue
            self._doubt.clear()
            await self._doubt.wait()

    async def _settle_doubts(self) -> None:
        """Find what goes before the events whose predecessors are not known to be published."""
        async with self._checking:
            self._checked = set(islice(self._doubted, WAVE))
            self._doubted -= self._checked
            try:
                for entry in await self._unpublished_of(tuple(self._checked)):
                    self._take(entry)
            except BaseException:
                self._doubted |= self._checked
                raise
            finally:
                self._checked = set()
                self._wake.set()

    async def _look(self, wanted: Callable[[OutboxEntry], bool]) -> None:
        backlog = Backlog()
        async for entries in pages(self._store):
            for entry in filter(wanted, entries):
                self._take(entry)
            for entry in entries:
                if entry.event_id not in self._published:
                    backlog.count(entry)
        backlog.show(self._service)

    async def forget(self) -> None:
        """Take what the log has out of the outbox, in bulk."""
        if known := list(self._published):
            await self._store.published(known)
            for event_id in known:
                self._published.pop(event_id, None)

    async def _publish_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while wave := self._next_wave():
                await self._send(wave)

    def _next_wave(self) -> list[Numbered]:
        """Take the first events of requests of which nothing is in doubt or under way; what is sent again goes by itself."""
        if self._retried:
            again = list(islice(self._retried, WAVE))
            self._retried.difference_update(again)
            wave = [self._waiting[subject][0] for subject in again if subject in self._waiting]
        else:
            left_out = self._doubted | self._checked | self._sent | self._held
            ready = (waiting[0] for subject, waiting in self._waiting.items() if subject not in left_out)
            wave = list(islice(ready, WAVE))
        self._sent.update(entry.subject for _, _, entry in wave)
        return wave

    async def _send(self, wave: Sequence[Numbered]) -> None:
        """Send a wave. One for which the log takes long goes on by itself, so that the others need not wait."""
        sending = asyncio.create_task(self._append_or_hold(wave))
        self._waves.add(sending)
        sending.add_done_callback(self._waves.discard)
        await asyncio.wait({sending}, timeout=SLOW_WAVE_SECONDS)
        while len(self._waves) >= MAX_WAVES:
            await asyncio.wait(self._waves, return_when=asyncio.FIRST_COMPLETED)

    async def _append_or_hold(self, wave: Sequence[Numbered]) -> None:
        try:
            await self._append(wave)
        except LogUnavailable as error:
            self._retry_later(str(error))
        except Exception as error:
            logger.exception("a wave of events could not be sent")
            self._retry_later(repr(error))

    async def _append(self, wave: Sequence[Numbered]) -> None:
        """Append a wave and note what the log has of it; the rest is held back. Raises LogUnavailable."""
        subjects = {entry.subject for _, _, entry in wave}
        appended: Collection[int] = ()
        try:
            with self._traced([entry for _, _, entry in wave]):
                await self._log.append([(entry.subject, entry.event) for _, _, entry in wave])
            appended = range(len(wave))
        except LogUnavailable as error:
            appended = error.appended
            raise
        finally:
            for place in appended:
                self._note(wave[place])
            taken = {wave[place][2].subject for place in appended}
            if taken & self._held:
                self._pause = 0.0
            self._held = (self._held - subjects) | (subjects - taken)
            self._sent -= subjects
            self._wake.set()
            PUBLISHED.labels(self._service).inc(len(appended))

    def _retry_later(self, reason: str) -> None:
        """Send again what is held back after a pause, which grows as long as the log takes nothing of it."""
        if self._retry is not None:
            return
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        self._retry = asyncio.get_running_loop().call_later(self._pause, self._retry_now)
        first = next(iter(self._held), "")
        logger.warning(
            "cannot publish, events of %d requests wait: %s", len(self._held), reason, extra={"subject": first}
        )

    def _retry_now(self) -> None:
        self._retry = None
        self._retried = self._held - self._sent
        self._wake.set()

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

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except StoreUnavailable as error:
                logger.warning("store unavailable: %s", error)
