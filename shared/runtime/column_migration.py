"""Derive the columns of stored documents again when the rules for them have changed, beside everything else that a service does."""

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
    """The values of COLUMNS_VERSION below the present one; () for a service that has no such column."""
    version = decider.columns(decider.initial()).get(COLUMNS_VERSION)
    return (None, *range(1, version)) if isinstance(version, int) else ()


async def migrate_columns(folding: DeciderRunner[State], store: StateStore, since: datetime | None = None) -> int:
    """Save every document with outdated columns as its own next version, and count them.

    A program that knows no such columns may have written documents that were migrated already: it is enough to look for what
    it wrote `since` the last migration, everywhere if that is not known.
    One that somebody else saves meanwhile gets its columns from them. May be stopped at any time, and run by several processes.
    """
    migrated = 0
    versions = outdated_versions(folding.decider)
    if versions:
        await store.forget_overwritten(since)
    for version in versions:
        after: tuple[Scalar, str] | None = None
        while True:
            find = RecordQuery("id", where={COLUMNS_VERSION: version}, after=after, limit=BATCH_SIZE)
            page = await store.find(find)
            writes = [folding.close(folding.open(document.id, document)) for document in page.documents]
            saved = await store.save(writes) if writes else []
            migrated += saved.count(SaveOutcome.SAVED)
            if not page.has_next:
                break
            after = page.keys[-1]
    if migrated:
        logger.info("columns of %d documents of %s were derived again", migrated, folding.decider.service)
    return migrated
