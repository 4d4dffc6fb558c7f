"""Removes documents that no request came to name: what a refused command or a crash between upload and command left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.documents.port import DocumentStore

GRACE = timedelta(hours=24)
BATCH = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """How many documents without a request, and how many broken uploads, were removed."""

    orphans: int
    unfinished: int


async def sweep_orphans(
    store: DocumentStore, referenced: Callable[[list[str]], Awaitable[set[str]]], now: datetime
) -> Swept:
    """Delete what is older than 24 hours and not `referenced`.

    `referenced` gets up to 500 keys and answers those that any request of any service names; when it raises, nothing of
    that batch is deleted.
    """
    orphans = 0
    async for keys in _batches(store.keys(older_than=now - GRACE)):
        for key in sorted(set(keys) - await referenced(keys)):
            await store.delete(key)
            orphans += 1
    return Swept(orphans, await store.discard_unfinished(older_than=now - GRACE))


async def _batches(keys: AsyncIterator[str]) -> AsyncIterator[list[str]]:
    batch: list[str] = []
    async for key in keys:
        batch.append(key)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
