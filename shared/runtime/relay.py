"""The relay: publishes saved events in order from memory, and sweeps the outbox for events that a crash left there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import ExitStack

from opentelemetry.trace import SpanKind

from shared.backoff import Backoff
from shared.eventlog.port import EventLog, LogUnavailable
from shared.observability.tracing import start_span
from shared.runtime.metrics import PUBLISHED
from shared.runtime.outbox import OutboxBacklog, OutboxDecoder, PendingEvent, outbox_pages
from shared.runtime.publication_queue import PublicationQueue
from shared.storage.port import OutboxEntry, StateStore, StoreUnavailable
from shared.workers.messages import WorkerMessages

logger = logging.getLogger(__name__)

PRUNE_INTERVAL_SECONDS = 1.0
SWEEP_INTERVAL_SECONDS = 5.0
INITIAL_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.2, 5.0
SLOW_BATCH_SECONDS = 0.5
"""Time after which the next batch is sent although the log has not acknowledged all of this one."""
MAX_CONCURRENT_BATCHES = 8


class Relay:
    """Publishes the outbox of one service.

    A batch holds each request at most once, and the next event of a request is sent after the log has acknowledged the one
    before, so no event overtakes an earlier one of its request. Events that the log did not accept are held back and sent
    again after a delay; other requests go on.

    An event whose predecessor is not known to be published waits until the outbox entries of its request have been read:
    another process, or a write with an unknown outcome, may have left the predecessor there. Otherwise, entries of other
    processes are left to them; a sweep takes only those that were there in the sweep before, as left by a crash. An unreadable
    entry, and the later ones of its request, stay in the outbox until it can be read.
    """

    def __init__(self, service: str, store: StateStore, log: EventLog) -> None:
        self._service, self._store, self._log = service, store, log
        self._queue, self._decoder = PublicationQueue(), OutboxDecoder()
        self._seen_in_outbox: set[str] = set()
        self._backoff, self._failures = Backoff(INITIAL_DELAY_SECONDS, MAX_DELAY_SECONDS), 0
        self._retry_timer: asyncio.TimerHandle | None = None
        self._batches_in_flight: set[asyncio.Task[None]] = set()
        self._wake, self._gap_found, self._gap_lock = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self._messages = WorkerMessages()

    def share(self, messages: WorkerMessages) -> None:
        """Exchange with other processes which events were published, so that none reads the outbox to learn it."""
        self._messages = messages
        messages.subscribe(self._topic, self._on_published_elsewhere)

    @property
    def _topic(self) -> str:
        return f"published {self._service}"

    def _on_published_elsewhere(self, text: str) -> None:
        subject, _, sequence = text.rpartition(" ")
        self._queue.note_published(subject, int(sequence))

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for its publication."""
        return self._queue.is_empty

    def enqueue(self, entries: Sequence[OutboxEntry]) -> None:
        """Publish entries that were just saved, soon and in order."""
        for entry in entries:
            if self._queue.add_saved(entry):
                self._gap_found.set()
        self._wake.set()

    async def run(self) -> None:
        """Publish, prune and sweep until cancelled."""
        await self.sweep()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.run_beside_another())
            tasks.create_task(self._run_periodically(SWEEP_INTERVAL_SECONDS, self.sweep_leftovers))

    async def run_beside_another(self) -> None:
        """Publish and prune until cancelled what this process saves; another one publishes what a crash left."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_forever())
            tasks.create_task(self._resolve_gaps_forever())
            tasks.create_task(self._run_periodically(PRUNE_INTERVAL_SECONDS, self.prune))

    async def drain(self) -> None:
        """Publish everything that waits and prune the outbox. Raises LogUnavailable, StoreUnavailable."""
        try:
            while not self._queue.is_empty:
                while self._batches_in_flight:
                    await asyncio.wait(self._batches_in_flight)
                self._queue.release_held_back()
                while self._queue.possible_gaps:
                    await self._resolve_gaps()
                if batch := self._queue.next_batch():
                    await self._append(batch)
                else:
                    await asyncio.sleep(INITIAL_DELAY_SECONDS)
            await self.prune()
        finally:
            for sending in self._batches_in_flight:
                sending.cancel()

    async def sweep(self) -> set[str]:
        """Add all entries of the outbox that neither wait nor were published; return the requests with an unreadable one."""
        return await self._scan_outbox(lambda _entry: True)

    async def sweep_leftovers(self) -> None:
        """Add the entries that the last sweep found already; younger ones are published by the process that saved them."""
        before, self._seen_in_outbox = self._seen_in_outbox, set()

        def was_there_before(entry: OutboxEntry) -> bool:
            self._seen_in_outbox.add(entry.event_id)
            return entry.event_id in before

        await self._scan_outbox(was_there_before)

    async def _scan_outbox(self, wanted: Callable[[OutboxEntry], bool]) -> set[str]:
        backlog, blocked = OutboxBacklog(), set[str]()
        async for entries in outbox_pages(self._store):
            headers = [(entry, self._decoder.decode(entry)) for entry in entries]
            for entry, header in headers:
                is_wanted = wanted(entry)  # called for unreadable entries too, which may be readable in the next sweep
                if header is None:
                    blocked.add(entry.subject)
                elif is_wanted and entry.subject not in blocked:
                    self._queue.add(entry, header)
            for entry, header in headers:
                if entry.event_id not in self._queue.to_remove:
                    backlog.count(header)
            self._wake.set()
        backlog.report(self._service)
        return blocked

    async def prune(self) -> None:
        """Remove published entries from the outbox, in bulk."""
        if published := list(self._queue.to_remove):
            await self._store.remove_published(published)
            for event_id in published:
                self._queue.to_remove.pop(event_id, None)

    async def _resolve_gaps_forever(self) -> None:
        while True:
            try:
                # Before waiting, because a run that failed may have left some.
                while self._queue.possible_gaps:
                    await self._resolve_gaps()
            except StoreUnavailable as error:
                logger.warning("events of %d requests wait for the outbox: %s", len(self._queue.possible_gaps), error)
                await asyncio.sleep(INITIAL_DELAY_SECONDS)
                continue
            self._gap_found.clear()
            await self._gap_found.wait()

    async def _resolve_gaps(self) -> None:
        """Read the outbox entries that precede events whose predecessors are not known to be published."""
        async with self._gap_lock:
            subjects = self._queue.take_possible_gaps()
            try:
                entries = await self._store.unpublished_of(subjects)
                self._queue.fill_gaps([(entry, self._decoder.decode(entry)) for entry in entries])
            except BaseException:
                self._queue.return_gaps()
                raise
            finally:
                self._wake.set()

    async def _publish_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._queue.next_batch():
                await self._send(batch)

    async def _send(self, batch: Sequence[PendingEvent]) -> None:
        """Send a batch; one that takes long continues in the background, so that others need not wait."""
        sending = asyncio.create_task(self._append_or_hold_back(batch))
        self._batches_in_flight.add(sending)
        sending.add_done_callback(self._batches_in_flight.discard)
        await asyncio.wait({sending}, timeout=SLOW_BATCH_SECONDS)
        while len(self._batches_in_flight) >= MAX_CONCURRENT_BATCHES:
            await asyncio.wait(self._batches_in_flight, return_when=asyncio.FIRST_COMPLETED)

    async def _append_or_hold_back(self, batch: Sequence[PendingEvent]) -> None:
        try:
            await self._append(batch)
        except LogUnavailable as error:
            self._retry_later(str(error))
        except Exception as error:
            logger.exception("a batch of events could not be sent")
            self._retry_later(repr(error))

    async def _append(self, batch: Sequence[PendingEvent]) -> None:
        """Append a batch, mark what the log acknowledged and hold the rest back. Raises LogUnavailable."""
        appended: Collection[int] = ()
        try:
            with self._spans(batch):
                await self._log.append([(pending.subject, pending.entry.event) for pending in batch])
            appended = range(len(batch))
        except LogUnavailable as error:
            appended = error.appended
            raise
        finally:
            if self._queue.end_batch(batch, appended):
                self._failures = 0
            for index in appended:
                self._messages.send(self._topic, f"{batch[index].subject} {batch[index].sequence}")
            self._wake.set()
            PUBLISHED.labels(self._service).inc(len(appended))

    def _retry_later(self, reason: str) -> None:
        """Send the events held back again after a delay, which grows as long as the log accepts none of them."""
        if self._retry_timer is not None:
            return
        self._failures += 1
        self._retry_timer = asyncio.get_running_loop().call_later(self._backoff.delay(self._failures), self._retry_now)
        held_back = self._queue.held_back
        first = next(iter(held_back), "")
        logger.warning(
            "cannot publish, events of %d requests wait: %s", len(held_back), reason, extra={"subject": first}
        )

    def _retry_now(self) -> None:
        self._retry_timer = None
        self._queue.retry_held_back()
        self._wake.set()

    def _spans(self, batch: Sequence[PendingEvent]) -> ExitStack:
        """Open a span for each event, in the trace in which it was saved."""
        stack = ExitStack()
        for pending in batch:
            if parent := pending.header.traceparent:
                name, subject = f"publish {pending.header.type}", pending.subject
                span = start_span(name, SpanKind.PRODUCER, parent, service=self._service, subject=subject)
                stack.enter_context(span)
        return stack

    async def _run_periodically(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except StoreUnavailable as error:
                logger.warning("store unavailable: %s", error)
