"""The events that a service is to publish, and which of them may be sent next; without I/O."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from cachetools import LRUCache

from shared.contracts.envelope import EventHeader, decode_header
from shared.runtime.outbox import PendingEvent
from shared.storage.port import OutboxEntry

BATCH_SIZE = 500
MAX_TRACKED_REQUESTS = 20_000
"""Requests whose last published sequence is remembered; for other requests the outbox is read."""


class PublicationQueue:
    """Saved events that are not known to be published, in order for each request.

    The first event of a request may be sent unless the request

    - is in flight: an event of it is being sent;
    - is held back: the log did not accept its event, which is sent again when a retry is due;
    - has a possible gap: the predecessor of its event is not known to be published, and may still be in the outbox.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, list[PendingEvent]] = OrderedDict()
        self._last_published: LRUCache[str, int] = LRUCache(MAX_TRACKED_REQUESTS)
        self._in_flight: set[str] = set()
        self.held_back: set[str] = set()
        self._due_for_retry: set[str] = set()
        self.possible_gaps: set[str] = set()
        self._gaps_in_progress: set[str] = set()
        self.to_remove: dict[str, None] = {}
        """Ids of published events that are still in the outbox."""

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    def add_saved(self, entry: OutboxEntry) -> bool:
        """Add an entry that was just saved; return whether there is a possible gap before it."""
        header, waiting = decode_header(entry.event), self._waiting.get(entry.subject)
        last_sequence = waiting[-1].sequence if waiting else self._last_published.get(entry.subject, 0)
        self.add(entry, header)
        has_gap = header.sequence > last_sequence + 1
        if has_gap:
            self.possible_gaps.add(entry.subject)
        return has_gap

    def add(self, entry: OutboxEntry, header: EventHeader) -> None:
        """Add an entry unless it waits already or was published."""
        if header.sequence <= self._last_published.get(entry.subject, 0):
            # It is still in the outbox, perhaps because its removal was lost.
            self.to_remove[entry.event_id] = None
            return
        waiting = self._waiting.setdefault(entry.subject, [])
        if all(header.sequence != pending.sequence for pending in waiting):
            insort(waiting, PendingEvent(header.sequence, entry, header))

    def take_possible_gaps(self) -> tuple[str, ...]:
        """Return some requests with a possible gap, for which the outbox is read now, until `fill_gaps` or `return_gaps`."""
        self._gaps_in_progress = set(islice(self.possible_gaps, BATCH_SIZE))
        self.possible_gaps -= self._gaps_in_progress
        return tuple(self._gaps_in_progress)

    def return_gaps(self) -> None:
        """The outbox could not be read."""
        self.possible_gaps |= self._gaps_in_progress
        self._gaps_in_progress = set()

    def fill_gaps(self, entries: Iterable[tuple[OutboxEntry, EventHeader | None]]) -> None:
        """Add all that the outbox holds of the requests that were taken; the header of an unreadable entry is None.

        Of a request with an unreadable entry, only those before it may wait for their publication.
        """
        blocked, added = set[str](), set[str]()
        for entry, header in entries:
            if header is None:
                blocked.add(entry.subject)
            elif entry.subject not in blocked:
                self.add(entry, header)
                added.add(entry.event_id)
        for subject in blocked:
            waiting = self._waiting.pop(subject, [])
            sent = waiting[:1] if subject in self._in_flight | self.held_back else []
            if waiting := [pending for pending in waiting if pending in sent or pending.entry.event_id in added]:
                self._waiting[subject] = waiting
        self._gaps_in_progress = set()

    def next_batch(self) -> list[PendingEvent]:
        """Take the first event of each request that may be sent; retries are sent by themselves."""
        if self._due_for_retry:
            again = list(islice(self._due_for_retry, BATCH_SIZE))
            self._due_for_retry.difference_update(again)
            batch = [self._waiting[subject][0] for subject in again if subject in self._waiting]
        else:
            excluded = self.possible_gaps | self._gaps_in_progress | self._in_flight | self.held_back
            ready = (waiting[0] for subject, waiting in self._waiting.items() if subject not in excluded)
            batch = list(islice(ready, BATCH_SIZE))
        self._in_flight.update(pending.subject for pending in batch)
        return batch

    def end_batch(self, batch: Sequence[PendingEvent], appended: Collection[int]) -> bool:
        """Mark the events with these indexes as published and hold the others back; return whether a retry was accepted."""
        for index in appended:
            self.mark_published(batch[index])
        subjects, accepted = {pending.subject for pending in batch}, {batch[index].subject for index in appended}
        was_retry = bool(accepted & self.held_back)
        self.held_back = (self.held_back - subjects) | (subjects - accepted)
        self._in_flight -= subjects
        return was_retry

    def mark_published(self, pending: PendingEvent) -> None:
        """Let the next event of the request follow, after those of other requests."""
        self.to_remove[pending.entry.event_id] = None
        waiting = self._waiting.pop(pending.subject)
        waiting.remove(pending)
        if waiting:
            self._waiting[pending.subject] = waiting
        self._last_published[pending.subject] = pending.sequence

    def note_published(self, subject: str, sequence: int) -> None:
        """Another process has published the events of this request up to this one."""
        self._last_published[subject] = max(sequence, self._last_published.get(subject, 0))

    def retry_held_back(self) -> None:
        """Make the events that are held back, and not being sent, due to be sent again."""
        self._due_for_retry = self.held_back - self._in_flight

    def release_held_back(self) -> None:
        """Treat what is held back like any other event."""
        self.held_back.clear()
        self._due_for_retry.clear()
