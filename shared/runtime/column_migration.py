"""Bring stored records up to date after the rules of their fold or columns changed, in the background."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TypeVar

from shared.eventlog.port import EventLog
from shared.runtime.decider_runner import DeciderRunner
from shared.runtime.rebuild import WRITE_BATCH_SIZE, Rebuild, outdated_ids, outdated_versions
from shared.storage.port import COLUMNS_VERSION, RecordQuery, SaveOutcome, Scalar, StateStore

logger = logging.getLogger(__name__)

State = TypeVar("State")

BATCH_SIZE = 200
REFOLD_BATCH_SIZE = 50_000
"""Requests folded at once; each takes a few KB, and each batch reads the whole log."""
LOGGED_AFTER_RECORDS = 10_000
MAX_REFOLD_ATTEMPTS = 12
REFOLD_INTERVAL_SECONDS = 0.25


async def refold_outdated(
    runner: DeciderRunner[State], store: StateStore, log: EventLog, since: datetime | None = None
) -> int:
    """Fold the records with outdated columns again from the log; return how many were saved.

    The program that folded them may not have subscribed to an event, or not have kept a field of it. A record that changes
    meanwhile is tried again a few times; what is left over keeps its state until `simpul state rebuild`.
    """
    if not outdated_versions(runner.decider):
        return 0
    await store.forget_overwritten(since)
    refolded = 0
    async for ids in outdated_ids(runner.decider, store, REFOLD_BATCH_SIZE):
        rebuild = Rebuild(runner.decider, store, log, subjects=frozenset(ids))
        left = ids
        for attempt in range(MAX_REFOLD_ATTEMPTS):
            await asyncio.sleep(REFOLD_INTERVAL_SECONDS if attempt else 0)
            await rebuild.fold()
            batches = [left[start : start + WRITE_BATCH_SIZE] for start in range(0, len(left), WRITE_BATCH_SIZE)]
            left = [record for batch in batches for record in await rebuild.replace_with_same_events(batch)]
            if not left:
                break
        refolded += len(ids) - len(left)
        if left:
            logger.warning("%d records of %s could not be folded again", len(left), runner.decider.service)
    return refolded


async def complete_search(store: StateStore, service: str) -> int:
    """Add records of an earlier version to the index of words; return how many were added."""
    added = 0

    def progress(count: int) -> None:
        nonlocal added
        if added // LOGGED_AFTER_RECORDS != (added + count) // LOGGED_AFTER_RECORDS:
            logger.info("%d requests of %s have been added to the index of searches", added + count, service)
        added += count

    await store.complete_search(progress)
    return added


async def migrate_columns(runner: DeciderRunner[State], store: StateStore, since: datetime | None = None) -> int:
    """Save every record with outdated columns as its own next version; return how many were saved.

    An older program without COLUMNS_VERSION may overwrite migrated records; those written `since` the last migration are
    migrated again, all of them if that is None. It may be stopped at any time and run by several processes.
    """
    migrated = 0
    versions = outdated_versions(runner.decider)
    if versions:
        await store.forget_overwritten(since)
    for version in versions:
        after: tuple[Scalar, str] | None = None
        while True:
            query = RecordQuery("id", where={COLUMNS_VERSION: version}, after=after, limit=BATCH_SIZE)
            page = await store.find(query)
            writes = [runner.close(runner.open(record.id, record), migrated=True) for record in page.records]
            outcomes = await store.save(writes) if writes else []
            migrated += outcomes.count(SaveOutcome.SAVED)
            if not page.has_next:
                break
            after = page.keys[-1]
    if migrated:
        logger.info("migrated the columns of %d records of %s", migrated, runner.decider.service)
    return migrated
