"""Keeps the monthly figures in the office store up to date, in the background."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from services.assignment.oversight.counted_requests import PAGE_SIZE, CourseReader
from services.assignment.oversight.figures import LISTED_UNITS, MonthlyTally, month_to_json, scope_totals
from services.assignment.oversight.full_computation import FullComputation
from services.assignment.oversight.periods import month_of
from services.assignment.projections import active_since_query
from shared.calendar import WorkingCalendar, today
from shared.clock import Clock
from shared.office.port import EntryConflict, OfficeEntry, OfficeStore
from shared.storage.port import StateStore

COLLECTION, TOTALS, COMMENTS = "figures", "figures_totals", "figures_comments"
"""Figures of months by scope and unit, the same by scope alone, and comments."""
UPDATED_AT_KEY = "updated_at"

FIGURES_VERSION = 2
"""Increase when figures count something else; the next start then replaces those of all months."""
CALENDAR_YEARS = 4
"""The years whose working days figures depend on."""

MAX_CHANGES = 20_000
"""After more changes, all months are computed again, because that continues after a stop."""
POLL_SECONDS = 60.0
MIN_PAUSE_SECONDS = 1.0
PAUSE_FACTOR = 20
"""An update is followed by a pause of this many times its duration, so that it takes at most a twentieth of the time."""

Months = Mapping[str, Mapping[str, Any]]


class FiguresProjection:
    """Recomputes the months of changed requests from the records, so that a stop at any time loses nothing.

    What happened to a request may concern every month since its submission. A pass therefore reads the requests that were active
    since the earliest submission among the changed ones, by index, and replaces the figures of these months as a whole. A
    process continues where the last one stopped; it reads all requests only if there are no figures by the same rules, or after
    very many changes. Processes that do this at once write the same.
    """

    def __init__(
        self,
        store: StateStore,
        office: OfficeStore,
        calendar: Callable[[], WorkingCalendar],
        clock: Clock,
        *,
        pauses: bool = True,
    ) -> None:
        """Without `pauses`, it reads as fast as it can: nothing else runs in the process."""
        self._reader = CourseReader(store, pauses=pauses)
        self._store = store
        self._office = office
        self._calendar_in_force = calendar
        self._calendar = calendar()
        self._clock = clock
        self._cursor = ""
        self._complete = False

    async def run(self) -> None:
        """Update the figures after every change, forever."""
        while True:
            started = time.monotonic()
            await self.update()
            await asyncio.sleep(max(MIN_PAUSE_SECONDS, (time.monotonic() - started) * PAUSE_FACTOR))
            await self._store.wait_for_change(self._cursor, POLL_SECONDS)

    async def update(self) -> None:
        """Bring the figures up to date with all changes until now."""
        if (calendar := self._calendar_in_force()) is not self._calendar:
            self._calendar, self._complete = calendar, False
        self._complete = self._complete or await self._resume() or await self._compute_all()
        newest = await self._store.latest_change()
        if not self._complete or newest == self._cursor:
            return
        since, is_listed = await self._first_day_changed()
        if not is_listed:
            self._complete = await self._compute_all()
        elif since is None:
            self._cursor = newest
        elif await self._recompute(since):
            await self._save_cursor(newest)

    async def _resume(self) -> bool:
        """Continue after the last change that the stored figures contain; return False if they are by other rules."""
        entry = await self._office.get(COLLECTION, UPDATED_AT_KEY)
        if entry is None or entry.body.get("rules") != self._rules():
            return False
        self._cursor = entry.body["cursor"]
        await self._full_computation().clear()
        return True

    def _rules(self) -> str:
        """Return a checksum of what figures depend on besides the requests."""
        first = date(today(self._clock()).year - CALENDAR_YEARS + 1, 1, 1)
        days = [first + timedelta(days=count) for count in range(365 * CALENDAR_YEARS)]
        working_days = [day.isoformat() for day in days if self._calendar.is_working_day(day)]
        rules = [str(FIGURES_VERSION), *sorted(LISTED_UNITS), *working_days]
        return hashlib.sha256("\n".join(rules).encode()).hexdigest()

    async def _save_cursor(self, cursor: str) -> None:
        self._cursor = cursor
        body = {"at": self._clock().isoformat(), "cursor": cursor, "rules": self._rules()}
        await self._office.put(COLLECTION, UPDATED_AT_KEY, body)

    async def _compute_all(self) -> bool:
        """Replace all months; return False if another process does so."""
        computation, stored = self._full_computation(), await self._stored_months("")
        computed = await computation.run(self._rules())
        if computed is None or not await self._replace(stored, computed.figures, computed.comments):
            return False
        await self._save_cursor(computed.cursor)
        await computation.clear()
        return True

    def _full_computation(self) -> FullComputation:
        return FullComputation(self._reader, self._store, self._office, self._calendar)

    async def _first_day_changed(self) -> tuple[date | None, bool]:
        """Return the first day of the month in which the oldest changed request was submitted.

        None if none was submitted; and False as well if these are too many changes.
        """
        first: date | None = None
        cursor, count = self._cursor, 0
        while changes := await self._store.changes(cursor, PAGE_SIZE):
            cursor, count = changes[-1].cursor, count + len(changes)
            if count > MAX_CHANGES:
                return None, False
            async for course in self._reader.courses([change.id for change in changes]):
                if course.submitted_at:
                    day = today(course.submitted_at)
                    first = min(first or day, day)
        return month_of(first).first if first else None, True

    async def _recompute(self, since: date) -> bool:
        """Replace the months from that of `since` on; return False if another process wrote one meanwhile."""
        first_month = f"{since:%Y-%m}"
        stored, tally = await self._stored_months(first_month), MonthlyTally(self._calendar, first_month)
        seen: set[str] = set()
        # One that changes meanwhile moves to the end of the list.
        async for request_id, _, course in self._reader.read(active_since_query(month_of(since).begin)):
            if request_id not in seen:
                seen.add(request_id)
                tally.add(course)
        figures = {month: month_to_json(cells) for month, cells in tally.months.items()}
        return await self._replace(stored, figures, {month: tally.comments_of(month) for month in figures})

    async def _stored_months(self, first_month: str) -> list[OfficeEntry]:
        return [
            entry
            for collection in (COLLECTION, TOTALS, COMMENTS)
            for entry in await self._office.entries(collection)
            if entry.key != UPDATED_AT_KEY and entry.key >= first_month
        ]

    async def _replace(self, stored: Sequence[OfficeEntry], figures: Months, comments: Months) -> bool:
        """Store these months instead of the stored ones; return False if another process wrote one meanwhile."""
        found = {(entry.collection, entry.key): entry for entry in stored}
        bodies = {key: {} if key[0] == COMMENTS else month_to_json({}) for key in found}
        bodies |= {(COLLECTION, month): dict(body) for month, body in figures.items()}
        bodies |= {(TOTALS, month): scope_totals(body) for month, body in figures.items()}
        bodies |= {(COMMENTS, month): dict(body) for month, body in comments.items()}
        written = True
        for key, body in bodies.items():
            entry = found.get(key)
            if entry is None or entry.body != body:
                try:
                    await self._office.put(*key, body, expected=entry.version if entry else 0)
                except EntryConflict:
                    written = False
        return written
