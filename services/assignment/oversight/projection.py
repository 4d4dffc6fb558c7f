"""Keeps the monthly figures in the office store up to date, in the background."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from datetime import date, timedelta

from services.assignment.domain.state import State
from services.assignment.oversight.figures import LISTED_UNITS, MonthlyTally, month_to_json
from services.assignment.oversight.periods import month_of
from shared.calendar import WorkingCalendar, today
from shared.clock import Clock
from shared.office.port import EntryConflict, OfficeStore
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import DeciderRunner
from shared.storage.port import RecordQuery, Scalar, StateStore, sortable_time

COLLECTION = "figures"
UPDATED_AT_KEY = "updated_at"

FIGURES_VERSION = 1
"""Increase when figures count something else; the next start then replaces those of all months."""
CALENDAR_YEARS = 4
"""The years whose working days figures depend on."""

PAGE_SIZE = 100
POLL_SECONDS = 60.0
MIN_PAUSE_SECONDS = 1.0
PAUSE_FACTOR = 20
"""An update is followed by a pause of this many times its duration, so that it takes at most a twentieth of the time."""


class FiguresProjection:
    """Recomputes the months of changed requests from the records, so that a stop at any time loses nothing.

    What happened to a request may concern every month since its submission. A pass therefore reads the requests that were active
    since the earliest submission among the changed ones, by index, and replaces the figures of these months as a whole. A
    process continues where the last one stopped; it reads all requests only if there are no figures by the same rules, and then
    takes half of the time at most. Processes that do this at once write the same.
    """

    def __init__(
        self,
        decider: Decider[State],
        store: StateStore,
        office: OfficeStore,
        calendar: Callable[[], WorkingCalendar],
        clock: Clock,
    ) -> None:
        # A runner of its own, because reading everything would evict what commands need from the cache.
        self._runner = DeciderRunner(decider)
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
        newest = await self._store.latest_change()
        if (calendar := self._calendar_in_force()) is not self._calendar:
            self._calendar, self._complete = calendar, False
        self._complete = self._complete or await self._resume()
        since = await self._first_day_changed() if self._complete and newest != self._cursor else None
        if self._complete and since is None:
            self._cursor = newest
        elif await self._recompute(since):
            self._complete, self._cursor = True, newest
            body = {"at": self._clock().isoformat(), "cursor": newest, "rules": self._rules()}
            await self._office.put(COLLECTION, UPDATED_AT_KEY, body)

    async def _resume(self) -> bool:
        """Continue after the last change that the stored figures contain; return False if they are by other rules."""
        entry = await self._office.get(COLLECTION, UPDATED_AT_KEY)
        if entry is None or entry.body.get("rules") != self._rules():
            return False
        self._cursor = entry.body["cursor"]
        return True

    def _rules(self) -> str:
        """Return a checksum of what figures depend on besides the requests."""
        first = date(today(self._clock()).year - CALENDAR_YEARS + 1, 1, 1)
        days = [first + timedelta(days=count) for count in range(365 * CALENDAR_YEARS)]
        working_days = [day.isoformat() for day in days if self._calendar.is_working_day(day)]
        rules = [str(FIGURES_VERSION), *sorted(LISTED_UNITS), *working_days]
        return hashlib.sha256("\n".join(rules).encode()).hexdigest()

    async def _first_day_changed(self) -> date | None:
        """Return the first day of the month in which the oldest changed request was submitted."""
        first: date | None = None
        cursor = self._cursor
        while changes := await self._store.changes(cursor, PAGE_SIZE):
            cursor = changes[-1].cursor
            records = await self._store.load([change.id for change in changes])
            times = [self._runner.state(record).submitted_at for record in records.values()]
            days = [today(at) for at in times if at]
            first = min(days + ([first] if first else []), default=None)
        return month_of(first).first if first else None

    async def _recompute(self, since: date | None) -> bool:
        """Replace the months from that of `since` on; return False if another process wrote one meanwhile."""
        stored = {entry.key: entry for entry in await self._office.entries(COLLECTION)}
        first_month = f"{since:%Y-%m}" if since else ""
        tally = MonthlyTally(self._calendar, first_month)
        await self._read(tally, since)
        obsolete = [key for key in stored if key != UPDATED_AT_KEY and key >= first_month and key not in tally.months]
        months = {**tally.months, **{key: {} for key in obsolete}}
        written = True
        for month, cells in months.items():
            body, entry = month_to_json(cells), stored.get(month)
            if entry is None or entry.body != body:
                try:
                    await self._office.put(COLLECTION, month, body, expected=entry.version if entry else 0)
                except EntryConflict:
                    written = False
        return written

    async def _read(self, tally: MonthlyTally, since: date | None) -> None:
        """Add the requests to the tally, each once: one that changes meanwhile moves to the end of the list by activity."""
        order = "active_at" if since else "id"
        after: tuple[Scalar, str] | None = None
        if since:
            after = sortable_time(month_of(since).begin), ""
        seen: set[str] = set()
        while True:
            started = time.monotonic()
            page = await self._store.find(RecordQuery(order, after=after, limit=PAGE_SIZE))
            for record in page.records:
                if record.id not in seen:
                    tally.add(self._runner.state(record))
            if since:
                seen.update(record.id for record in page.records)
            if not page.has_next:
                return
            after = page.keys[-1]
            await asyncio.sleep(0 if since else time.monotonic() - started)
