"""Renew the due days by which open requests are listed, after the rules that they follow from have changed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from shared.contracts.stages import StageRules
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import DeciderRunner
from shared.storage.port import RecordQuery, SaveOutcome, Scalar, StateStore

logger = logging.getLogger(__name__)

State = TypeVar("State")

PAGE_SIZE = 50
"""Other work of the event loop waits while a page is decoded: some milliseconds."""
POLL_INTERVAL_SECONDS = 0.5
REPEAT_AFTER_SECONDS = (5.0, 60.0)
"""After a change, other processes may save columns by earlier rules: for a second, or until a read of the rules times out."""
DUE_COLUMN = "due"
"""The column that follows from rules of the office: a stored value may be that of earlier ones."""


class DueRenewal(Generic[State]):
    """Compares the stored due day of every open request with that of its state: at the start, and after each change."""

    def __init__(self, decider: Decider[State], store: StateStore, rules: Callable[[], StageRules]) -> None:
        # A runner of its own, because reading everything would evict what commands need from the cache.
        self._runner = DeciderRunner(decider)
        self._store = store
        self._rules = rules

    async def run(self) -> None:
        """Renew after each change and again when it is known everywhere, forever; once if nothing has changed before the start."""
        loop, renewed, repeats = asyncio.get_running_loop(), None, deque[float]()
        while True:
            if (rules := self._rules()) is not renewed:
                changed = await self.renew() > 0 or renewed is not None
                delays = REPEAT_AFTER_SECONDS if changed else ()
                renewed, repeats = rules, deque(loop.time() + seconds for seconds in delays)
            elif repeats and loop.time() >= repeats[0]:
                repeats.popleft()
                await self.renew()
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def renew(self) -> int:
        """Save every open record with an outdated due day as its own next version; return how many were saved.

        It may be stopped at any time and run by several processes; a record that changes meanwhile is saved with its due day.
        """
        renewed = 0
        after: tuple[Scalar, str] | None = None
        while True:
            page = await self._store.find(RecordQuery(DUE_COLUMN, where={"open": 1}, after=after, limit=PAGE_SIZE))
            writes = [
                self._runner.close(self._runner.open(record.id, record))
                for record, (due, _) in zip(page.records, page.keys, strict=True)
                if self._runner.decider.columns(self._runner.state(record))[DUE_COLUMN] != due
            ]
            outcomes = await self._store.save(writes) if writes else []
            renewed += outcomes.count(SaveOutcome.SAVED)
            if not page.has_next:
                break
            after = page.keys[-1]
            await asyncio.sleep(0)
        if renewed:
            logger.info("renewed the due days of %d requests of %s", renewed, self._runner.decider.service)
        return renewed
