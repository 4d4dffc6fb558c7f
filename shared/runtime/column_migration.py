"""Derive the columns of stored records again after their rules changed, in the background."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, TypeVar

from shared.runtime.decider import Decider
from shared.runtime.decider_runner import DeciderRunner
from shared.storage.port import COLUMNS_VERSION, RecordQuery, SaveOutcome, Scalar, StateStore

logger = logging.getLogger(__name__)

State = TypeVar("State")

BATCH_SIZE = 200


def outdated_versions(decider: Decider[Any]) -> tuple[Scalar, ...]:
    """Return the values of COLUMNS_VERSION below the current one; () for a service without that column."""
    version = decider.columns(decider.initial()).get(COLUMNS_VERSION)
    return (None, *range(1, version)) if isinstance(version, int) else ()


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
            writes = [runner.close(runner.open(record.id, record)) for record in page.records]
            outcomes = await store.save(writes) if writes else []
            migrated += outcomes.count(SaveOutcome.SAVED)
            if not page.has_next:
                break
            after = page.keys[-1]
    if migrated:
        logger.info("migrated the columns of %d records of %s", migrated, runner.decider.service)
    return migrated
