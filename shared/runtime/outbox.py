"""The outbox of one service, read as a whole."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.envelope import EventHeader, decode_header
from shared.contracts.registry import UnreadableEvent
from shared.runtime.metrics import OLDEST, OUTBOX
from shared.storage.port import OutboxEntry, StateStore

logger = logging.getLogger(__name__)

PAGE_SIZE = 500


@dataclass(frozen=True, slots=True, order=True)
class PendingEvent:
    """An outbox entry that waits for its publication, ordered by its sequence."""

    sequence: int
    entry: OutboxEntry = field(compare=False)
    header: EventHeader = field(compare=False)

    @property
    def subject(self) -> str:
        return self.entry.subject


@dataclass(slots=True)
class OutboxBacklog:
    """The unpublished entries that a scan of the outbox finds: their number, and the time of the oldest."""

    entries: int = 0
    oldest: datetime | None = None

    def count(self, header: EventHeader | None) -> None:
        """Count an entry; that of an unreadable one has no header, and so no known time."""
        self.entries += 1
        if header is not None:
            self.oldest = header.time if self.oldest is None else min(self.oldest, header.time)

    def report(self, service: str) -> None:
        """Set the metrics."""
        OUTBOX.labels(service).set(self.entries)
        OLDEST.labels(service).set(self.oldest.timestamp() if self.oldest else 0)


class OutboxDecoder:
    """Decodes the headers of outbox entries, and logs each entry that is unreadable once.

    An entry is unreadable if it is damaged, or if a later version wrote it with a changed envelope.
    """

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def decode(self, entry: OutboxEntry) -> EventHeader | None:
        """Return the header, or None if the entry is unreadable."""
        try:
            return decode_header(entry.event)
        except UnreadableEvent as error:
            if entry.event_id not in self._logged:
                self._logged.add(entry.event_id)
                message = "event %s stays in the outbox with the later events of its request, it is unreadable: %s"
                logger.error(message, entry.event_id, error, extra={"subject": entry.subject})
            return None


async def outbox_pages(store: StateStore) -> AsyncIterator[list[OutboxEntry]]:
    """Read the outbox page by page. A page that is not full is the last, or a busy service would be read forever."""
    after: tuple[str, str] | None = None
    while True:
        entries = await store.unpublished(PAGE_SIZE, after)
        yield entries
        if len(entries) < PAGE_SIZE:
            return
        after = (entries[-1].subject, entries[-1].event_id)
