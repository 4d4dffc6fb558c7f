"""Measure the lists and searches of data folders, without HTTP: `python -m bench.lists DIR ...`.

Every list that pages and the API offer is read with each filter and in each order, from its beginning; those that people read most
also from the middle on. A call includes the number of requests where a page shows it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from services.assignment import projections as assignment
from services.notification import projections as notification
from services.verification import projections as verification
from shared.clock import system_clock
from shared.storage.port import Column, RecordQuery, Scalar, StateStore
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.adapters.offered_lists import LISTS

LEADS = ("teknis", "teknis-2", "teknis-3", "teknis-4", "teknis-5")
"""The leads of `make bench-store`."""
REPEATS = 30
OFFERED_REPEATS = 3
"""The combinations of a list are hundreds, each of which is read this many times."""
STORED: Mapping[str, Scalar] = {"unit": "Dinas Kesehatan", "lead": "teknis", "claimed_by": "petugas"}
"""Values of filters that are found in a store of `make bench-store`."""
COLUMNS: Mapping[str, Sequence[Column]] = {
    "verification": verification.INDEXED_COLUMNS,
    "assignment": assignment.INDEXED_COLUMNS,
    "notification": notification.INDEXED_COLUMNS,
}

Call = Callable[[], Awaitable[None]]
Calls = Mapping[str, Sequence[Call]]


@dataclass(frozen=True, slots=True)
class Times:
    """The milliseconds of the calls of one kind."""

    all: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.all)

    @property
    def p95(self) -> float:
        return sorted(self.all)[int(len(self.all) * 0.95)]


def listed(store: StateStore, query: RecordQuery) -> Call:
    """Return the call that reads a page of a list, and its number of requests as pages show it."""

    async def call() -> None:
        await store.find(query)
        if query.where.get("open") == 1:
            await store.bounded_count(query)

    return call


def usual_calls(stores: Mapping[str, StateStore], day: date) -> Calls:
    """Return calls that are usual or were once slow."""
    officers, heads, emails = stores["verification"], stores["assignment"], stores["notification"]
    middle = ((day - timedelta(days=365)).isoformat(), "")

    async def loads() -> None:
        for lead in LEADS:
            await heads.count(assignment.open_work_query(lead))
            await heads.count(assignment.overdue_work_query(lead, day))

    def searched(words: str) -> Call:
        return listed(officers, verification.requests_query(search=words))

    def overdue(on: date) -> Call:
        return listed(heads, assignment.requests_query(open_only=True, overdue_on=on))

    unit = verification.requests_query(open_only=True, overdue_on=day, unit="Dinas Lain")
    everything = verification.requests_query(descending=True)
    by_name = verification.requests_query(order="name")
    register = assignment.requests_query(descending=True)
    sent = RecordQuery("newest", where={"sent": 1}, descending=True)
    named = {
        "officer's search, no hit": searched("zebrawati"),
        "officer's search, a number": searched("int-2025-000417"),
        "officer's search, part of a name": searched("ubaim"),
        "officer's search, a common word": searched("dinas"),
        "officer's search, two common words": searched("dinas data"),
        "officer's list, unit and overdue, no hit": listed(officers, unit),
        "officer's list of all, first page": listed(officers, everything),
        "officer's list of all, from the middle": listed(officers, replace(everything, after=middle)),
        "officer's list of all, by name from the middle": listed(officers, replace(by_name, after=("m", ""))),
        "head's list, overdue": overdue(day),
        "head's list, nothing overdue": overdue(date(2020, 1, 1)),
        "head's list of all, first page": listed(heads, register),
        "head's list of all, from the middle": listed(heads, replace(register, after=middle)),
        "leads with their load": loads,
        "lead's own list": listed(heads, assignment.work_list_query(LEADS[0])),
        "sent emails, first page": listed(emails, sent),
        "sent emails, from the middle": listed(emails, replace(sent, after=middle)),
    }
    return {name: [call] * REPEATS for name, call in named.items()}


def offered_calls(stores: Mapping[str, StateStore]) -> Calls:
    """Return the calls of each list that is offered, with each filter in each order."""
    return {
        f"{service}: {offered.name or 'own'}": [
            listed(stores[service], _with_stored_values(query))
            for _, query in offered.queries(1)
            for _ in range(OFFERED_REPEATS)
        ]
        for service, (_, lists, _) in LISTS.items()
        for offered in lists
    }


def _with_stored_values(query: RecordQuery) -> RecordQuery:
    return replace(query, where={name: STORED.get(name, value) for name, value in query.where.items()})


async def measure(folder: Path) -> dict[str, Times]:
    """Return the times of each kind of call."""
    file = SqliteDatabase(folder / "simpul.db")
    stores = {name: SqliteStateStore(file, name, columns, system_clock) for name, columns in COLUMNS.items()}
    try:
        for store in stores.values():
            await store.prepare()
            await store.complete_search(lambda _count: None)
        calls = {**usual_calls(stores, system_clock().date()), **offered_calls(stores)}
        return {name: Times(tuple([await _timed(call) for call in of_kind])) for name, of_kind in calls.items()}
    finally:
        file.close()


async def _timed(call: Call) -> float:
    started = time.perf_counter()
    await call()
    return (time.perf_counter() - started) * 1000


def rows(measured: Sequence[Mapping[str, Times]]) -> Iterator[tuple[str, ...]]:
    """Yield a row of a table for each kind of call: median and 95th percentile in each folder."""
    for name in measured[0]:
        yield name, *(f"{figure:.1f}" for one in measured for figure in (one[name].median, one[name].p95))


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.lists", description=__doc__)
    arguments.add_argument("folders", type=Path, nargs="+")
    arguments.add_argument("--json", type=Path, metavar="FILE")
    options = arguments.parse_args()
    measured = [asyncio.run(measure(folder)) for folder in options.folders]
    for row in rows(measured):
        print("|", " | ".join(row), "|")
    if options.json:
        options.json.write_text(json.dumps([{name: times.all for name, times in one.items()} for one in measured]))


if __name__ == "__main__":
    main()
