"""Measure the lists and searches of a data folder, without HTTP: `python -m bench.lists DIR [REPEATS]`."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

from services.assignment import projections as assignment
from services.verification import projections as verification
from shared.clock import system_clock
from shared.storage.port import RecordQuery, StateStore
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore

LEADS = ("teknis", "teknis-2", "teknis-3", "teknis-4", "teknis-5")
"""The leads of `make bench-store`."""
REPEATS = 30

Call = Callable[[], Awaitable[None]]


def calls(officers: StateStore, heads: StateStore, day: date) -> dict[str, Call]:
    """Return what is measured by its name: a page of a list, and its number of requests if that is shown."""

    def listed(store: StateStore, query: RecordQuery) -> Call:
        async def call() -> None:
            await store.find(query)
            if query.where.get("open") == 1:
                await store.count(query)

        return call

    async def loads() -> None:
        for lead in LEADS:
            await heads.count(assignment.open_work_query(lead))
            await heads.count(assignment.overdue_work_query(lead, day))

    def searched(words: str) -> Call:
        return listed(officers, verification.requests_query(search=words))

    def overdue(on: date) -> Call:
        return listed(heads, assignment.requests_query(open_only=True, overdue_on=on))

    unit = verification.requests_query(open_only=True, overdue_on=day, unit="Dinas Lain")
    return {
        "officer's search, no hit": searched("zebrawati"),
        "officer's search, a number": searched("int-2025-000417"),
        "officer's search, a common word": searched("dinas"),
        "officer's list, unit and overdue, no hit": listed(officers, unit),
        "head's list, overdue": overdue(day),
        "head's list, nothing overdue": overdue(date(2020, 1, 1)),
        "leads with their load": loads,
        "lead's own list": listed(heads, assignment.work_list_query(LEADS[0])),
    }


async def measure(folder: Path, repeats: int) -> dict[str, list[float]]:
    """Return the milliseconds of each call."""
    file = SqliteDatabase(folder / "simpul.db")
    stores = {
        "verification": SqliteStateStore(file, "verification", verification.INDEXED_COLUMNS, system_clock),
        "assignment": SqliteStateStore(file, "assignment", assignment.INDEXED_COLUMNS, system_clock),
    }
    try:
        for store in stores.values():
            await store.prepare()
            await store.complete_search(lambda _count: None)
        day = system_clock().date()
        made = calls(stores["verification"], stores["assignment"], day)
        return {name: [await _timed(call) for _ in range(repeats)] for name, call in made.items()}
    finally:
        file.close()


async def _timed(call: Call) -> float:
    started = time.perf_counter()
    await call()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    folder, repeats = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else REPEATS
    measured = asyncio.run(measure(folder, repeats))
    for name, times in measured.items():
        print(f"| {name} | {statistics.median(times):.1f} | {sorted(times)[int(len(times) * 0.95)]:.1f} |")
    if len(sys.argv) > 3:
        Path(sys.argv[3]).write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
