"""Computes the figures of all requests, and continues after a stop where it was."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.assignment.oversight.comments import MonthComments
from services.assignment.oversight.counted_requests import CourseReader
from services.assignment.oversight.figures import MonthlyTally, cells_from_json, month_to_json
from services.assignment.oversight.periods import months_back
from services.assignment.projections import submitted_query
from shared.calendar import WorkingCalendar, today
from shared.office.port import EntryConflict, OfficeStore
from shared.runtime.request_columns import PageKey
from shared.storage.port import StateStore

logger = logging.getLogger(__name__)

COLLECTION = "figures_progress"
CHECKPOINT_KEY, COUNT_KEY = "checkpoint", "count"
CHECKPOINT_REQUESTS = 20_000

Months = dict[str, dict[str, Any]]
"""The stored figures by month."""


@dataclass(frozen=True, slots=True)
class ComputedMonths:
    """The figures and comments of all months, with every change until `cursor` and perhaps later ones."""

    cursor: str
    figures: Months
    comments: Months


@dataclass(slots=True)
class _Checkpoint:
    """How far the requests are counted, in the order of submission, and the months that are stored as `finished`."""

    rules: str
    cursor: str
    after: PageKey = None
    done: int = 0
    total: int = 0
    finished: list[str] = field(default_factory=list)
    tally: Mapping[str, Any] = field(default_factory=dict)


class FullComputation:
    """Counts the requests in the order in which they were submitted, and stores now and then how far it has come.

    What happened to a request is in the month of its submission or a later one. A month is therefore finished, and stored for
    itself, when the requests of the next one have been counted; an event may be dated a little before the submission, by another
    clock. Nothing is published before all requests are counted, so that nobody sees half a month. Of several processes that
    compute at once, the one that first stores how far it has come goes on.
    """

    def __init__(self, reader: CourseReader, store: StateStore, office: OfficeStore, calendar: WorkingCalendar) -> None:
        self._reader, self._store, self._office, self._calendar = reader, store, office, calendar
        self._version = 0

    async def run(self, rules: str) -> ComputedMonths | None:
        """Return the months by these rules, None if another process goes on with them."""
        checkpoint = await self._load(rules)
        tally = _tally_from_json(self._calendar, checkpoint.tally)
        if checkpoint.done:
            logger.info("the figures are computed from request %d of %d on", checkpoint.done + 1, checkpoint.total)
        submitted_at: datetime | None = None
        try:
            async for _, key, course in self._reader.read(submitted_query(checkpoint.after)):
                tally.add(course)
                checkpoint.after = key
                submitted_at = course.submitted_at or submitted_at
                checkpoint.done += 1
                if checkpoint.done % CHECKPOINT_REQUESTS == 0 and submitted_at:
                    await self._store_finished(checkpoint, tally, submitted_at)
                    await self._save(checkpoint, tally)
        except EntryConflict:
            logger.info("another process computes the figures")
            return None
        return await self._all_months(checkpoint, tally)

    async def _load(self, rules: str) -> _Checkpoint:
        entry = await self._office.get(COLLECTION, CHECKPOINT_KEY)
        self._version = entry.version if entry else 0
        if entry and entry.body.get("rules") == rules:
            body = entry.body
            after = (body["after"][0], body["after"][1])
            return _Checkpoint(
                rules, body["cursor"], after, body["done"], body["total"], body["finished"], body["tally"]
            )
        # Before anything is read, so that later changes are found from there.
        cursor = await self._store.latest_change()
        total = await self._store.count(submitted_query())
        return _Checkpoint(rules, cursor, total=total)

    async def _store_finished(self, checkpoint: _Checkpoint, tally: MonthlyTally, submitted_at: datetime) -> None:
        first_open = months_back(today(submitted_at), 1).isoformat()[:7]
        for month in sorted(tally.months):
            if month < first_open:
                await self._office.put(COLLECTION, month, _month_body(tally, month))
                checkpoint.finished.append(month)
        tally.drop_before(first_open)

    async def _save(self, checkpoint: _Checkpoint, tally: MonthlyTally) -> None:
        """Store how far the requests are counted. Raises EntryConflict if another process has done so."""
        body = {
            "rules": checkpoint.rules,
            "cursor": checkpoint.cursor,
            "after": checkpoint.after,
            "done": checkpoint.done,
            "total": checkpoint.total,
            "finished": checkpoint.finished,
            "tally": {month: _month_body(tally, month) for month in tally.months},
        }
        entry = await self._office.put(COLLECTION, CHECKPOINT_KEY, body, expected=self._version)
        self._version = entry.version
        await self._office.put(COLLECTION, COUNT_KEY, {"done": checkpoint.done, "total": checkpoint.total})
        logger.info("%d of %d requests have been counted for the figures", checkpoint.done, checkpoint.total)

    async def _all_months(self, checkpoint: _Checkpoint, tally: MonthlyTally) -> ComputedMonths:
        bodies = {month: _month_body(tally, month) for month in tally.months}
        for month in checkpoint.finished:
            entry = await self._office.get(COLLECTION, month)
            if entry:
                bodies[month] = dict(entry.body)
        return ComputedMonths(
            checkpoint.cursor,
            {month: body["figures"] for month, body in bodies.items()},
            {month: body["comments"] for month, body in bodies.items()},
        )

    async def clear(self) -> None:
        """Remove what was stored on the way."""
        for entry in await self._office.entries(COLLECTION):
            await self._office.delete(COLLECTION, entry.key)


def _month_body(tally: MonthlyTally, month: str) -> dict[str, Any]:
    return {"figures": month_to_json(tally.months[month]), "comments": tally.comments_of(month)}


def _tally_from_json(calendar: WorkingCalendar, body: Mapping[str, Any]) -> MonthlyTally:
    tally = MonthlyTally(calendar)
    tally.months = {month: cells_from_json(stored["figures"]) for month, stored in body.items()}
    tally.comments = {month: MonthComments(stored["comments"]) for month, stored in body.items()}
    return tally
