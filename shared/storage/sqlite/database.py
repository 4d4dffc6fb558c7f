"""A SQLite file: one writer with group commit, and connections that only read."""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import apsw

from shared.storage.notifier import Notifier
from shared.storage.port import StoreUnavailable
from shared.storage.sqlite.connection import (
    DAMAGED,
    UNAVAILABLE,
    WRITER_BUSY_TIMEOUT_MS,
    create_private_file,
    find_damage,
    open_connection,
)
from shared.storage.sqlite.group_commit import GroupCommitWriter, Work, WriteJob
from shared.workers.messages import WorkerMessages

Result = TypeVar("Result")
Row = tuple[Any, ...]
Bindings = Sequence[Any] | dict[str, Any]

MAX_CONCURRENT_QUERIES = 2
"""Lists and searches that run at the same time."""

READER_BUSY_TIMEOUT_MS = 1_000
"""Wait for another process that holds the file; the event loop is blocked meanwhile."""

READY_CACHE_SECONDS = 1.0
"""Time for which a successful readiness check is not repeated."""

_DURABLE = ("PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=1000")
_NOT_DURABLE = ("PRAGMA synchronous=OFF", "PRAGMA wal_autocheckpoint=50000")
_PRAGMAS = ("PRAGMA journal_mode=WAL", *_DURABLE, "PRAGMA foreign_keys=ON", "PRAGMA cache_size=-32000")
_PROBE = "CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, beats INTEGER NOT NULL) STRICT"
_BEAT = "INSERT INTO probe VALUES (1, 1) ON CONFLICT DO UPDATE SET beats=beats+1"


class SqliteDatabase:
    """Reads and writes one SQLite file.

    Writes are serialised; a write is durable when its awaitable returns, and rolled back alone if it raises. The `work` of a
    write may run a second time, after its transaction was rolled back because of another write: it must do nothing but write
    to its connection. A write whose caller was cancelled happens as a whole or not at all.

    SQLite errors of the file or the disk, as opposed to the statement, are raised as StoreUnavailable. `messages` are exchanged
    with other processes that write to the file; what is written by yet others is found by polling.
    """

    def __init__(self, path: Path, messages: WorkerMessages | None = None) -> None:
        self.path, self.damage = path, ""
        self._messages = messages or WorkerMessages()
        self._ready_since: dict[str, float] = {}
        create_private_file(path)
        with self._translate_errors():
            self._write_connection = open_connection(path, WRITER_BUSY_TIMEOUT_MS)
            for statement in (*_PRAGMAS, _PROBE):
                list(self._write_connection.execute(statement))
            self._inline_reader = open_connection(path, READER_BUSY_TIMEOUT_MS)
            self._readers = [open_connection(path, WRITER_BUSY_TIMEOUT_MS) for _ in range(MAX_CONCURRENT_QUERIES)]
        self._idle: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        for reader in self._readers:
            self._idle.put(reader)
        self._pool = ThreadPoolExecutor(MAX_CONCURRENT_QUERIES, "sqlite-reader")
        self._notifiers: dict[str, Notifier] = {}
        self._closed = False
        self._writer = GroupCommitWriter(self._write_connection, self._unavailable)

    def notifier(self, name: str) -> Notifier:
        """Return the notifier of this name, shared within the process and with the processes of the messages."""
        if name not in self._notifiers:
            notifier = self._notifiers[name] = Notifier(partial(self._messages.send, name))
            self._messages.subscribe(name, lambda _text: notifier.wake())
        return self._notifiers[name]

    def write_blocking(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Like `write`, for code without an event loop."""
        future: Future[Result] = Future()
        self._writer.submit(WriteJob(work, future))
        return future.result()

    async def write(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Run `work` on the connection of the writer and return its result once it is on disk."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._writer.submit(WriteJob(work, future))
        return await future

    def read(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        """Return the rows of a quick lookup by key; blocks the calling thread, which must be that of the event loop."""
        with self._translate_errors():
            return list(self._inline_reader.execute(sql, bindings))

    async def query(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        """Return the rows of a query that may take longer, run in a thread."""
        return await self.read_snapshot(lambda db: list(db.execute(sql, bindings)))

    async def read_snapshot(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Run several reads in a thread, on one snapshot of the file."""
        if self._closed:
            raise StoreUnavailable("the SQLite file is closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read_in_transaction, work)

    def _read_in_transaction(self, work: Callable[[apsw.Connection], Result]) -> Result:
        reader = self._idle.get()
        try:
            with self._translate_errors():
                reader.execute("BEGIN")
                try:
                    return work(reader)
                finally:
                    reader.execute("ROLLBACK")
        finally:
            self._idle.put(reader)

    async def ready(self, name: str = "", trial: Work | None = None) -> None:
        """Return if the file can be written, also by `trial`, which is rolled back. Raises StoreUnavailable.

        A damaged file is not ready until a check finds it intact.
        """
        if self.damage or self._closed:
            raise StoreUnavailable(self.damage or "the SQLite file is closed")
        if time.monotonic() - self._ready_since.get(name, -math.inf) < READY_CACHE_SECONDS:
            return
        await self.write(lambda db: _test_write(db, trial))
        self._ready_since[name] = time.monotonic()

    async def check(self, thorough: bool = False) -> list[str]:
        """Look for damage in the whole file while it is in use; return a line per finding.

        If there is none, damage found earlier is cleared, unless it was found during this check.
        """
        before = self.damage
        with self._translate_errors():
            findings = await asyncio.to_thread(find_damage, self.path, lambda: self._closed, thorough=thorough)
        if findings:
            self.damage = f"the SQLite file is damaged: {findings[0]}"
        elif self.damage == before:
            self.damage = ""
        return findings

    @contextlib.asynccontextmanager
    async def bulk_load(self) -> AsyncIterator[None]:
        """Let writes return before they are on disk; all are when this ends. For a new file, which a crash may damage.

        Nothing else may use the file at the beginning and the end.
        """
        self._set_durability(_NOT_DURABLE)
        yield
        self._set_durability((*_DURABLE, "PRAGMA wal_checkpoint(TRUNCATE)"))

    def _set_durability(self, statements: Sequence[str]) -> None:
        with self._translate_errors():
            for statement in statements:
                list(self._write_connection.execute(statement))

    def backup_to(self, path: Path) -> None:
        """Copy a consistent snapshot to a new file while writes continue; blocks, so call it in a thread."""
        with (
            self._translate_errors(),
            contextlib.closing(open_connection(path, WRITER_BUSY_TIMEOUT_MS)) as target,
            contextlib.closing(open_connection(self.path, WRITER_BUSY_TIMEOUT_MS)) as source,
            target.backup("main", source, "main") as copy,
        ):
            # In one step, because a write between two steps restarts the copy, on a busy file forever.
            copy.step(-1)

    def close(self) -> None:
        """Finish the queued writes and the running queries, then close; does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        self._writer.stop()
        self._pool.shutdown()
        for connection in (self._inline_reader, *self._readers, self._write_connection):
            connection.close()

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        if isinstance(error, DAMAGED):
            self.damage = f"the SQLite file is damaged: {error}"
        return StoreUnavailable(str(error))

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except UNAVAILABLE as error:
            raise self._unavailable(error) from error


def _test_write(db: apsw.Connection, trial: Work | None) -> None:
    if trial is not None:
        db.execute("SAVEPOINT trial")
        trial(db)
        db.execute("ROLLBACK TO trial")
        db.execute("RELEASE trial")
    db.execute(_BEAT)
