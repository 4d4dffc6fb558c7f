"""All services of a process share the reads of the log, and miss nothing that another process appends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.eventlog.port import LogRecord
from shared.eventlog.sqlite.log import SqliteEventLog
from shared.storage.sqlite.database import SqliteDatabase

RECORDS = [("request", b"%d" % number) for number in range(200)]


@asynccontextmanager
async def opened_log(path: Path) -> AsyncIterator[SqliteEventLog]:
    file = SqliteDatabase(path)
    log = SqliteEventLog(file)
    await log.prepare()
    yield log
    file.close()


@asynccontextmanager
async def consuming(log: SqliteEventLog, group: str) -> AsyncIterator[list[bytes]]:
    received: list[bytes] = []

    async def handle(batch: Sequence[LogRecord]) -> None:
        received.extend(record.value for record in batch)

    task = asyncio.create_task(log.consume(group, handle))
    yield received
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def wait_for(received: list[bytes], count: int) -> None:
    async with asyncio.timeout(30):
        while len(received) < count:  # noqa: ASYNC110 - a list of records does not notify
            await asyncio.sleep(0.01)


async def test_two_services_read_a_record_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    reads: list[Any] = []
    read = SqliteDatabase.read
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(opened_log(tmp_path / "simpul.db"))
        await log.append(RECORDS[:10])

        def counting(self: SqliteDatabase, sql: str, bindings: Any = ()) -> Any:
            rows = read(self, sql, bindings)
            if "FROM log" in sql and rows:
                reads.append(bindings)
            return rows

        monkeypatch.setattr(SqliteDatabase, "read", counting)
        first = await stack.enter_async_context(consuming(log, "intake"))
        second = await stack.enter_async_context(consuming(log, "verification"))
        await wait_for(first, 10)
        await wait_for(second, 10)
    assert first == second == [value for _, value in RECORDS[:10]]
    assert len(reads) == 1


async def test_records_of_two_processes_reach_every_service_once_and_in_order(tmp_path: Path):
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(opened_log(tmp_path / "simpul.db"))
        other = await stack.enter_async_context(opened_log(tmp_path / "simpul.db"))
        received = [
            await stack.enter_async_context(consuming(log, f"group-{number}"))
            for number, log in enumerate((one, one, other))
        ]
        for number, record in enumerate(RECORDS):
            await (one, other)[number % 2].append([record])
        late = await stack.enter_async_context(consuming(one, "late"))
        for values in (*received, late):
            await wait_for(values, len(RECORDS))
            assert values == [value for _, value in RECORDS]
