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
from shared.observability.tracing import collecting, span
from shared.runtime.envelope_peek import sequence_of, traceparent_of, type_of
from shared.runtime.metrics import PUBLISHED
from shared.runtime.outbox import OutboxBacklog, outbox_pages, scan_outbox_for
from shared.storage.port import OutboxEntry, StateStore, StoreUnavailable

logger = logging.getLogger(__name__)

BATCH_SIZE = 500
MAX_TRACKED_REQUESTS = 20_000
"""Requests of which the last published sequence is remembered; for others the outbox is asked."""

PRUNE_INTERVAL_SECONDS = 1.0
SWEEP_INTERVAL_SECONDS = 5.0
INITIAL_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.2, 5.0
SLOW_BATCH_SECONDS = 0.5
"""Seconds after which the next wave is sent, though the log has not answered for all of this one."""
MAX_CONCURRENT_BATCHES = 8
"""Waves that wait for the log at once."""

SequencedEntry = tuple[int, str, OutboxEntry]
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

    def __init__(
        self, service: str, store: StateStore, log: EventLog, unpublished_of: UnpublishedOf | None = None
    ) -> None:
        """`unpublished_of` finds the outbox entries of some requests; without it the whole outbox is read for them."""
        self._service, self._store, self._log = service, store, log
        self._unpublished_of = unpublished_of or partial(scan_outbox_for, store)
        self._waiting: OrderedDict[str, list[SequencedEntry]] = OrderedDict()
        self._acknowledged: dict[str, None] = {}
        self._last_published: OrderedDict[str, int] = OrderedDict()
        self._seen_in_outbox: set[str] = set()
        self._possible_gaps: set[str] = set()
        """Requests of which an earlier event may be in the outbox; `_checked` are those that it is being asked about."""
        self._gaps_in_progress: set[str] = set()
        self._in_flight: set[str] = set()
        """Requests of which an event is on its way to the log."""
        self._held_back: set[str] = set()
        """Requests of which the log did not take an event; `_retried` are those whose pause is over."""
        self._due_for_retry: set[str] = set()
        self._retry_delay = 0.0
        self._retry_timer: asyncio.TimerHandle | None = None
        self._batches_in_flight: set[asyncio.Task[None]] = set()
        self._wake, self._gap_found, self._gap_lock = asyncio.Event(), asyncio.Event(), asyncio.Lock()

    def enqueue(self, entries: Sequence[OutboxEntry]) -> None:
        """Take events that were just saved; they are published soon, each request's in order."""
        for entry in entries:
            before = self._last_sequence(entry.subject)
            if self._take(entry) > before + 1:
                self._possible_gaps.add(entry.subject)
                self._gap_found.set()

    def _last_sequence(self, subject: str) -> int:
        waiting = self._waiting.get(subject)
        return waiting[-1][0] if waiting else self._last_published.get(subject, 0)

    def _take(self, entry: OutboxEntry) -> int:
        """Let an entry wait, unless it does or was published; returns its sequence."""
        sequence = sequence_of(entry.event)
        waiting = self._waiting.get(entry.subject, [])
        if sequence <= self._last_published.get(entry.subject, 0):
            # Still in the outbox, perhaps because the store lost the word that it was published.
            self._acknowledged[entry.event_id] = None
        elif all(sequence != one[0] for one in waiting):
            insort(self._waiting.setdefault(entry.subject, waiting), (sequence, entry.event_id, entry))
            self._wake.set()
        return sequence

    async def run(self) -> None:
        """Publish, forget and sweep until cancelled."""
        await self.sweep()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_forever())
            tasks.create_task(self._resolve_gaps_forever())
            tasks.create_task(self._run_periodically(PRUNE_INTERVAL_SECONDS, self.forget))
            tasks.create_task(self._run_periodically(SWEEP_INTERVAL_SECONDS, self.sweep_leftovers))

    async def drain(self) -> None:
        """Publish all that waits, once, and forget it; raises LogUnavailable or StoreUnavailable. For an orderly end."""
        try:
            while self._waiting:
                while self._batches_in_flight:
                    await asyncio.wait(self._batches_in_flight)
                self._held_back.clear()
                self._due_for_retry.clear()
                while self._possible_gaps:
                    await self._resolve_gaps()
                if batch := self._next_batch():
                    await self._append(batch)
                else:
                    await asyncio.sleep(INITIAL_DELAY_SECONDS)
            await self.forget()
        finally:
            for sending in self._batches_in_flight:
                sending.cancel()

    async def sweep(self) -> None:
        """Find what is in the outbox and neither waits here nor has been published."""
        await self._scan_outbox(lambda entry: True)

    async def sweep_leftovers(self) -> None:
        """As `sweep`, for what was there the last time already; the rest is young, and in the hands of whoever saved it."""
        before, self._seen_in_outbox = self._seen_in_outbox, set()

        def was_there_before(entry: OutboxEntry) -> bool:
            self._seen_in_outbox.add(entry.event_id)
            return entry.event_id in before

        await self._scan_outbox(was_there_before)

    async def _resolve_gaps_forever(self) -> None:
        while True:
            try:
                # Before any waiting, because a run that broke may have left some.
                while self._possible_gaps:
                    await self._resolve_gaps()
            except StoreUnavailable as error:
                logger.warning("events of %d requests wait for the outbox: %s", len(self._possible_gaps), error)
                await asyncio.sleep(INITIAL_DELAY_SECONDS)
                continue
            self._gap_found.clear()
            await self._gap_found.wait()

    async def _resolve_gaps(self) -> None:
        """Find what goes before the events whose predecessors are not known to be published."""
        async with self._gap_lock:
            self._gaps_in_progress = set(islice(self._possible_gaps, BATCH_SIZE))
            self._possible_gaps -= self._gaps_in_progress
            try:
                for entry in await self._unpublished_of(tuple(self._gaps_in_progress)):
                    self._take(entry)
            except BaseException:
                self._possible_gaps |= self._gaps_in_progress
                raise
            finally:
                self._gaps_in_progress = set()
                self._wake.set()

    async def _scan_outbox(self, wanted: Callable[[OutboxEntry], bool]) -> None:
        backlog = OutboxBacklog()
        async for entries in outbox_pages(self._store):
            for entry in filter(wanted, entries):
                self._take(entry)
            for entry in entries:
                if entry.event_id not in self._acknowledged:
                    backlog.count(entry)
        backlog.show(self._service)

    async def forget(self) -> None:
        """Take what the log has out of the outbox, in bulk."""
        if known := list(self._acknowledged):
            await self._store.published(known)
            for event_id in known:
                self._acknowledged.pop(event_id, None)

    async def _publish_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._next_batch():
                await self._send(batch)

    def _next_batch(self) -> list[SequencedEntry]:
        """Take the first events of requests of which nothing is in doubt or under way; what is sent again goes by itself."""
        if self._due_for_retry:
            again = list(islice(self._due_for_retry, BATCH_SIZE))
            self._due_for_retry.difference_update(again)
            batch = [self._waiting[subject][0] for subject in again if subject in self._waiting]
        else:
            excluded = self._possible_gaps | self._gaps_in_progress | self._in_flight | self._held_back
            ready = (waiting[0] for subject, waiting in self._waiting.items() if subject not in excluded)
            batch = list(islice(ready, BATCH_SIZE))
        self._in_flight.update(entry.subject for _, _, entry in batch)
        return batch

    async def _send(self, batch: Sequence[SequencedEntry]) -> None:
        """Send a wave. One for which the log takes long goes on by itself, so that the others need not wait."""
        sending = asyncio.create_task(self._append_or_hold_back(batch))
        self._batches_in_flight.add(sending)
        sending.add_done_callback(self._batches_in_flight.discard)
        await asyncio.wait({sending}, timeout=SLOW_BATCH_SECONDS)
        while len(self._batches_in_flight) >= MAX_CONCURRENT_BATCHES:
            await asyncio.wait(self._batches_in_flight, return_when=asyncio.FIRST_COMPLETED)

    async def _append_or_hold_back(self, batch: Sequence[SequencedEntry]) -> None:
        try:
            await self._append(batch)
        except LogUnavailable as error:
            self._retry_later(str(error))
        except Exception as error:
            logger.exception("a wave of events could not be sent")
            self._retry_later(repr(error))

    async def _append(self, batch: Sequence[SequencedEntry]) -> None:
        """Append a wave and note what the log has of it; the rest is held back. Raises LogUnavailable."""
        subjects = {entry.subject for _, _, entry in batch}
        appended: Collection[int] = ()
        try:
            with self._spans([entry for _, _, entry in batch]):
                await self._log.append([(entry.subject, entry.event) for _, _, entry in batch])
            appended = range(len(batch))
        except LogUnavailable as error:
            appended = error.appended
            raise
        finally:
            for place in appended:
                self._mark_published(batch[place])
            taken = {batch[place][2].subject for place in appended}
            if taken & self._held_back:
                self._retry_delay = 0.0
            self._held_back = (self._held_back - subjects) | (subjects - taken)
            self._in_flight -= subjects
            self._wake.set()
            PUBLISHED.labels(self._service).inc(len(appended))

    def _retry_later(self, reason: str) -> None:
        """Send again what is held back after a pause, which grows as long as the log takes nothing of it."""
        if self._retry_timer is not None:
            return
        self._retry_delay = min(MAX_DELAY_SECONDS, self._retry_delay * 2 or INITIAL_DELAY_SECONDS)
        self._retry_timer = asyncio.get_running_loop().call_later(self._retry_delay, self._retry_now)
        first = next(iter(self._held_back), "")
        logger.warning(
            "cannot publish, events of %d requests wait: %s", len(self._held_back), reason, extra={"subject": first}
        )

    def _retry_now(self) -> None:
        self._retry_timer = None
        self._due_for_retry = self._held_back - self._in_flight
        self._wake.set()

    def _spans(self, entries: Sequence[OutboxEntry]) -> ExitStack:
        """A span for each event, in the trace in which it was saved, whoever saved it."""
        stack = ExitStack()
        for entry in entries if collecting() else ():
            if traceparent := traceparent_of(entry.event):
                name, facts = f"publish {type_of(entry.event)}", {"service": self._service, "subject": entry.subject}
                stack.enter_context(span(name, "producer", traceparent, **facts))
        return stack

    def _mark_published(self, sequenced: SequencedEntry) -> None:
        """The log has this one: the next of its request may follow, after those of the others."""
        sequence, event_id, entry = sequenced
        self._acknowledged[event_id] = None
        waiting = self._waiting.pop(entry.subject)
        waiting.remove(sequenced)
        if waiting:
            self._waiting[entry.subject] = waiting
        self._last_published[entry.subject] = sequence
        self._last_published.move_to_end(entry.subject)
        if len(self._last_published) > MAX_TRACKED_REQUESTS:
            self._last_published.popitem(last=False)

    async def _run_periodically(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except StoreUnavailable as error:
                logger.warning("store unavailable: %s", error)
