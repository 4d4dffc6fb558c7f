"""Measure the state store on SQLite and on MongoDB, one after the other: `python -m bench.stores`."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from services.verification.projections import INDEXED_COLUMNS
from shared.storage.mongo.client import MongoDatabase
from shared.storage.mongo.store import MongoStateStore
from shared.storage.port import OutboxEntry, ProcessedCommand, SaveOutcome, StateRecord, StateStore, Write
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.engines import mongo

COMMANDS, CONCURRENCY, BATCHES, BATCH, NOTIFICATIONS = 400, 16, 20, 200, 100
BODY = b'{"applicant": "' + b"x" * 2_500 + b'"}'
EVENT = b'{"type": "RequestVerified", "data": "' + b"y" * 600 + b'"}'

Open = Callable[[], AbstractAsyncContextManager[StateStore]]


def make_write(name: str, version: int, *, events: int = 1) -> Write:
    """A write of about the size of a verification record in mid-lifecycle."""
    seen = {"intake": version, "verification": version, "assignment": 1}
    commands = tuple(ProcessedCommand(str(uuid.uuid4()), "d" * 64, "submitted", number) for number in range(6))
    record = StateRecord(name, version, BODY, seen, commands, "2026-07-01T03:00:00.000000+00:00")
    columns = {
        "status": "submitted" if version % 2 else "verified",
        "received_at": "2026-07-01",
        "open": 1,
        "search": name,
    }
    outbox = tuple(OutboxEntry(name, str(uuid.uuid4()), EVENT) for _ in range(events))
    return Write(record, columns, None, outbox)


async def command(store: StateStore, name: str) -> float:
    """Load a record and save its next version; return the seconds taken."""
    started_at = time.perf_counter()
    found = await store.load([name])
    version = found[name].version if name in found else 0
    assert await store.save([make_write(name, version + 1)]) == [SaveOutcome.SAVED]
    return time.perf_counter() - started_at


async def commands(store: StateStore, concurrency: int) -> list[float]:
    async def one_after_the_other(name: str) -> list[float]:
        return [await command(store, name) for _ in range(COMMANDS // concurrency)]

    every = await asyncio.gather(*(one_after_the_other(f"c{concurrency}-{number}") for number in range(concurrency)))
    return [seconds for some in every for seconds in some]


async def folds(store: StateStore) -> float:
    """Records per second in batches like the consumer's: new ones first, then each of them again."""
    started_at = time.perf_counter()
    for start in range(BATCHES):
        names = [f"f{start % (BATCHES // 2)}-{number}" for number in range(BATCH)]
        found = await store.load(names)
        writes = [make_write(name, (found[name].version if name in found else 0) + 1, events=0) for name in names]
        assert set(await store.save(writes)) == {SaveOutcome.SAVED}
    return BATCHES * BATCH / (time.perf_counter() - started_at)


async def notification_latencies(store: StateStore, other_store: StateStore) -> list[float]:
    """Seconds from the start of a write until a listener on another store is notified."""
    latencies = []
    for version in range(1, NOTIFICATIONS + 1):
        cursor = await other_store.latest_change()
        waiting = asyncio.create_task(other_store.wait_for_change(cursor, 10))
        await asyncio.sleep(0.01)
        started_at = time.perf_counter()
        await store.save([make_write("w", version)])
        await waiting
        latencies.append(time.perf_counter() - started_at)
    return latencies


async def measure(name: str, opened: Open) -> None:
    async with opened() as store, opened() as other_store:
        await store.prepare()
        await commands(store, 4)
        sequential, concurrency = await commands(store, 1), await commands(store, CONCURRENCY)
        started_at = time.perf_counter()
        await commands(store, CONCURRENCY)
        rate = COMMANDS / (time.perf_counter() - started_at)
        folded = await folds(store)
        latencies = await notification_latencies(store, other_store)
    print(f"{name:8} sequential commands {ms(sequential)}   {CONCURRENCY} concurrent {ms(concurrency)}, {rate:,.0f}/s")
    print(f"{'':8} folds {folded:,.0f} documents/s in batches of {BATCH}   notified elsewhere after {ms(latencies)}")


def ms(seconds: list[float]) -> str:
    ordered = statistics.quantiles(seconds, n=20)
    return f"p50 {ordered[9] * 1000:.1f} p95 {ordered[18] * 1000:.1f} ms"


@asynccontextmanager
async def sqlite_store(folder: Path) -> AsyncIterator[StateStore]:
    file = SqliteDatabase(folder / "simpul.db")
    yield SqliteStateStore(file, "verification", INDEXED_COLUMNS, lambda: datetime.now(UTC))
    file.close()


@asynccontextmanager
async def mongo_store(address: str, name: str) -> AsyncIterator[StateStore]:
    database = MongoDatabase(address, name)
    yield MongoStateStore(database, "verification", INDEXED_COLUMNS, lambda: datetime.now(UTC))
    await database.close()


async def both(folder: Path, address: str) -> None:
    name = f"bench-{uuid.uuid4().hex}"
    await measure("SQLite", lambda: sqlite_store(folder))
    await measure("MongoDB", lambda: mongo_store(address, name))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, mongo.running(Path(folder)) as address:
        asyncio.run(both(Path(folder), address))


if __name__ == "__main__":
    main()
