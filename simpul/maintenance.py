"""Periodic maintenance beside the services: checks of the database file and the sweep of orphaned documents."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import Random, SystemRandom

from shared.backends.platform import Platform
from shared.documents.orphan_sweep import SweepResult, sweep_orphans
from shared.documents.port import StoreUnavailable as DocumentsUnavailable
from shared.documents.references import ReferencesUnknown, referenced_keys
from shared.eventlog.port import LogUnavailable
from shared.storage.port import StateStore, StoreUnavailable

logger = logging.getLogger(__name__)

FIRST_CHECK_SECONDS = 300.0, 1800.0
"""A random delay: a check reads the whole file, and processes that were started together must not check together."""
CHECK_INTERVAL_SECONDS = 5.5 * 3600, 6.5 * 3600
MAX_LOGGED_FINDINGS = 5
DOCUMENT_SWEEP_INTERVAL_SECONDS = 6 * 3600.0

Check = Callable[[bool], Awaitable[list[str]]]
"""Checks the storage, thoroughly if asked to, and returns its findings."""


async def check_storage(check: Check, rng: Random | None = None) -> None:
    """Check the storage periodically until cancelled, and log the findings; rarely read pages would hide damage for long."""
    rng = rng or SystemRandom()
    await asyncio.sleep(rng.uniform(*FIRST_CHECK_SECONDS))
    while True:
        try:
            for line in (await check(False))[:MAX_LOGGED_FINDINGS]:
                logger.error("the database is damaged, restore a backup: %s", line)
        except Exception as error:
            logger.warning("the database could not be checked for damage: %r", error)
        await asyncio.sleep(rng.uniform(*CHECK_INTERVAL_SECONDS))


async def sweep_periodically(platform: Platform, stores: Sequence[StateStore]) -> None:
    """Remove documents that no event has named for a day, until cancelled. `stores` are those of all services."""
    while True:
        await asyncio.sleep(DOCUMENT_SWEEP_INTERVAL_SECONDS)
        try:
            logger.info("orphaned documents removed: %s", await sweep_documents(platform, stores))
        except (ReferencesUnknown, LogUnavailable, StoreUnavailable, DocumentsUnavailable) as error:
            logger.warning("the document sweep is postponed: %s", error)
        except Exception:
            logger.exception("the document sweep failed and will be repeated")


async def sweep_documents(platform: Platform, stores: Sequence[StateStore]) -> SweepResult:
    """Remove orphaned documents once.

    Raises:
        ReferencesUnknown: an event cannot be read that may name a document.
        LogUnavailable, StoreUnavailable: the log or a store does not respond; nothing was removed.
    """

    async def referenced(keys: list[str]) -> set[str]:
        return await referenced_keys(keys, platform.log, stores)

    return await sweep_orphans(platform.documents, referenced, platform.clock())
