"""Removes documents that no request came to name: what a refused command or a crash between upload and command left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.documents.port import DocumentStore

GRACE_PERIOD = timedelta(hours=24)
"""The age from which a document that no event names is removed; a form names its files
hours earlier (shared/web/forms/held_files.py)."""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """How many documents without a request, and how many broken uploads, were removed."""

    orphans: int
    unfinished: int


async def sweep_orphans(
    store: DocumentStore,
    referenced: Callable[[list[str]], Awaitable[set[str]]],
    now: datetime,
    *,
    remove: bool = True,
) -> SweepResult:
    """Delete what is older than 24 hours and not `referenced`.

    What is old enough is listed first and names are asked for afterwards, in one call: a document that is not old yet may be
    named at any moment. `referenced` answers the keys that any event of any service may name; when it raises, no document is
    deleted. Without `remove` documents are counted alone, and nothing is deleted.
    """
    unfinished = await store.discard_unfinished(older_than=now - GRACE_PERIOD) if remove else 0
    candidates = [key async for key in store.keys(older_than=now - GRACE_PERIOD)]
    unnamed = set(candidates) - await referenced(candidates) if candidates else set()
    for key in sorted(unnamed) if remove else ():
        await store.delete(key)
    return SweepResult(len(unnamed), unfinished)
