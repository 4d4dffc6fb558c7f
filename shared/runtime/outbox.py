"""The outbox of one service, read as a whole: what lies there, and how old it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.runtime.envelope_peek import time_of
from shared.runtime.metrics import OLDEST, OUTBOX
from shared.storage.port import OutboxEntry, StateStore

PAGE_SIZE = 500


@dataclass(slots=True)
class OutboxBacklog:
    """What a look through the outbox finds that the log may not have: how many entries, and the time of the oldest."""

    entries: int = 0
    oldest: str = ""

    def count(self, entry: OutboxEntry) -> None:
        self.entries += 1
        self.oldest = min(filter(None, (self.oldest, time_of(entry.event))), default="")

    def show(self, service: str) -> None:
        OUTBOX.labels(service).set(self.entries)
        OLDEST.labels(service).set(datetime.fromisoformat(self.oldest).timestamp() if self.oldest else 0)


async def outbox_pages(store: StateStore) -> AsyncIterator[list[OutboxEntry]]:
    """The outbox in pages; one that is not full is the last, or a busy service would be read for ever."""
    after: tuple[str, str] | None = None
    while True:
        entries = await store.unpublished(PAGE_SIZE, after)
        yield entries
        if len(entries) < PAGE_SIZE:
            return
        after = (entries[-1].subject, entries[-1].event_id)


async def scan_outbox_for(store: StateStore, subjects: Sequence[str]) -> list[OutboxEntry]:
    """The entries of these requests, found by reading the whole outbox."""
    wanted = frozenset(subjects)
    return [entry async for page in outbox_pages(store) for entry in page if entry.subject in wanted]
