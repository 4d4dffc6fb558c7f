"""Removes orphaned documents: uploads whose command was refused, or never executed because of a crash."""

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
    """Numbers of orphaned documents and of aborted uploads that were removed."""

    orphans: int
    unfinished: int


async def sweep_orphans(
    store: DocumentStore,
    referenced: Callable[[list[str]], Awaitable[set[str]]],
    now: datetime,
    *,
    remove: bool = True,
) -> SweepResult:
    """Delete documents that are older than 24 hours and not referenced; with `remove=False` only count them.

    Candidates are listed before `referenced` is called once, because a younger document may be named at any moment.
    `referenced` returns those of the keys that any event of any service may name; if it raises, nothing is deleted.
    """
    unfinished = await store.discard_unfinished(older_than=now - GRACE_PERIOD) if remove else 0
    candidates = [key async for key in store.keys(older_than=now - GRACE_PERIOD)]
    unnamed = set(candidates) - await referenced(candidates) if candidates else set()
    for key in sorted(unnamed) if remove else ():
        await store.delete(key)
    return SweepResult(len(unnamed), unfinished)
