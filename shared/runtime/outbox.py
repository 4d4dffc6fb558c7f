"""The outbox of one service, read as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.envelope import EventHeader
from shared.runtime.metrics import OLDEST, OUTBOX
from shared.storage.port import OutboxEntry, StateStore

PAGE_SIZE = 500


@dataclass(slots=True)
class OutboxBacklog:
    """The unpublished entries that a scan of the outbox finds: their number, and the time of the oldest."""

    entries: int = 0
    oldest: datetime | None = None

    def count(self, header: EventHeader) -> None:
        self.entries += 1
        self.oldest = header.time if self.oldest is None else min(self.oldest, header.time)

    def report(self, service: str) -> None:
        """Set the metrics."""
        OUTBOX.labels(service).set(self.entries)
        OLDEST.labels(service).set(self.oldest.timestamp() if self.oldest else 0)


async def outbox_pages(store: StateStore) -> AsyncIterator[list[OutboxEntry]]:
    """Read the outbox page by page. A page that is not full is the last, or a busy service would be read forever."""
    after: tuple[str, str] | None = None
    while True:
        entries = await store.unpublished(PAGE_SIZE, after)
        yield entries
        if len(entries) < PAGE_SIZE:
            return
        after = (entries[-1].subject, entries[-1].event_id)
