"""One SQLite file: a thread that commits every waiting write in one transaction, and connections that only read."""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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

Result = TypeVar("Result")
Row = tuple[Any, ...]
Bindings = Sequence[Any] | dict[str, Any]
Work = Callable[[apsw.Connection], Any]

MAX_GROUPED_WRITES = 64
"""Writes that share one commit; more gained nothing when measured."""

MAX_CONCURRENT_QUERIES = 2
"""Lists and searches that run at the same time."""

READER_BUSY_TIMEOUT_MS = 1_000
"""Milliseconds to wait for another process that holds the file, in which the event loop stands still."""

READY_CACHE_SECONDS = 1.0
"""For how long a trial that went well is not repeated."""

_PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON", "PRAGMA cache_size=-32000")
_PROBE = "CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, beats INTEGER NOT NULL) STRICT"
_BEAT = "INSERT INTO probe VALUES (1, 1) ON CONFLICT DO UPDATE SET beats=beats+1"


class _Job:
    """A write that waits for the writer; `future` belongs to an event loop or to a thread that blocks."""

    __slots__ = ("future", "work")

    def __init__(self, work: Work, future: asyncio.Future[Any] | Future[Any]) -> None:
        self.work, self.future = work, future


Outcome = tuple[_Job, Any, BaseException | None]


class SqliteDatabase:
    """Writes are serialised in one thread; a write is durable when its awaitable returns, and undone alone if it raises.

    `work` may be run a second time, after the transaction that it was in was undone because of another: it must do nothing
    but write to the connection it is given. A write whose caller was cancelled is done as a whole or not at all.
    Any SQLite error that lies in the file or the disk and not in the statement is raised as StoreUnavailable.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.damage = path, ""
        self._ready_since: dict[str, float] = {}
        create_private_file(path)
        with self._translate_errors():
            self._writer = open_connection(path, WRITER_BUSY_TIMEOUT_MS)
            for statement in (*_PRAGMAS, _PROBE):
                list(self._writer.execute(statement))
            self._inline_reader = open_connection(path, READER_BUSY_TIMEOUT_MS)
            self._readers = [open_connection(path, WRITER_BUSY_TIMEOUT_MS) for _ in range(MAX_CONCURRENT_QUERIES)]
        self._idle: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        for reader in self._readers:
            self._idle.put(reader)
        self._pool = ThreadPoolExecutor(MAX_CONCURRENT_QUERIES, "sqlite-lister")
        self._notifiers: dict[str, Notifier] = {}
        self._close_lock, self._closed = threading.Lock(), False
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_forever, name="sqlite-writer", daemon=True)
        self._thread.start()

    def notifier(self, name: str) -> Notifier:
        """The bell of this name, shared by all who use this file in this process."""
        return self._notifiers.setdefault(name, Notifier())

    def ensure_schema(self, schema: str) -> None:
        """Run `CREATE ... IF NOT EXISTS` statements, in the calling thread; for start-up only."""
        self.write_blocking(lambda db: list(db.execute(schema)))

    def write_blocking(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """As `write`, for code without an event loop."""
        future: Future[Result] = Future()
        self._submit(_Job(work, future))
        return future.result()

    async def write(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Run `work` on the writer's connection and return its result once it is on disk."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._submit(_Job(work, future))
        return await future

    def _submit(self, job: _Job) -> None:
        # Under the gate nothing can be put behind the None that ends the writer, where nobody would ever answer it.
        with self._close_lock:
            if self._closed:
                raise StoreUnavailable("the SQLite file is closed")
            self._queue.put(job)

    def read(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        """Rows of a quick look-up by key, read in the calling thread, which must be the event loop's own."""
        with self._translate_errors():
            return list(self._inline_reader.execute(sql, bindings))

    async def query(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        """Rows of anything that may take longer, read in a thread."""
        return await self.read_snapshot(lambda db: list(db.execute(sql, bindings)))

    async def read_snapshot(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Run several reads in a thread, all on one snapshot of the file."""
        if self._closed:
            raise StoreUnavailable("the SQLite file is closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read_snapshot, work)

    def _read_snapshot(self, work: Callable[[apsw.Connection], Result]) -> Result:
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
        """Return once something could be written, by `trial` too, whose writes are undone; raises StoreUnavailable.

        A file that was found damaged is not ready until a check finds it whole.
        What went well within the last second is not tried again.
        """
        if self.damage or self._closed:
            raise StoreUnavailable(self.damage or "the SQLite file is closed")
        if time.monotonic() - self._ready_since.get(name, -math.inf) < READY_CACHE_SECONDS:
            return
        await self.write(lambda db: _test_write(db, trial))
        self._ready_since[name] = time.monotonic()

    async def check(self, thorough: bool = False) -> list[str]:
        """Look for damage in the whole file while it is in use; a line for each finding.

        If nothing is found, damage that was met before is taken back, unless it was met meanwhile.
        """
        before = self.damage
        with self._translate_errors():
            found = await asyncio.to_thread(find_damage, self.path, lambda: self._closed, thorough=thorough)
        if found:
            self.damage = f"the SQLite file is damaged: {found[0]}"
        elif self.damage == before:
            self.damage = ""
        return found

    def backup_to(self, path: Path) -> None:
        """Copy a consistent snapshot to a new file by SQLite's backup API; writes go on meanwhile.

        Blocks until it is done: call it in a thread.
        """
        with (
            self._translate_errors(),
            contextlib.closing(open_connection(path, WRITER_BUSY_TIMEOUT_MS)) as target,
            contextlib.closing(open_connection(self.path, WRITER_BUSY_TIMEOUT_MS)) as source,
            target.backup("main", source, "main") as copy,
        ):
            # In one step: between two steps a write would make the copy start again, on a busy file for ever.
            copy.step(-1)

    def close(self) -> None:
        """Finish the writes that wait and the lists that run, then close; safe to call twice."""
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._pool.shutdown()
        for connection in (self._inline_reader, *self._readers, self._writer):
            connection.close()

    def _write_forever(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = [first], False
            while len(group) < MAX_GROUPED_WRITES and not last:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                else:
                    group.append(following)
            _resolve_futures(self._commit([job for job in group if not job.future.cancelled()]))
            if last:
                return

    def _commit(self, group: Sequence[_Job]) -> list[Outcome]:
        """What became of each write: all in one transaction, or if one of them breaks it, each in its own."""
        outcomes = self._try_commit(group)
        if outcomes is None:
            outcomes = []
            for job in group:
                outcomes += self._try_commit([job]) or []
        return outcomes

    def _try_commit(self, group: Sequence[_Job]) -> list[Outcome] | None:
        """None if the group should be taken apart, because one of several writes failed or they did not fit together."""
        if not group:
            return []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            return self._all_failed(group, error)
        try:
            results = [_without_cursor(job.work(self._writer)) for job in group]
            self._writer.execute("COMMIT")
        except BaseException as error:
            undone = self._roll_back()
            return None if undone and len(group) > 1 else self._all_failed(group, error)
        return [(job, result, None) for job, result in zip(group, results, strict=True)]

    def _all_failed(self, group: Sequence[_Job], error: BaseException) -> list[Outcome]:
        if isinstance(error, UNAVAILABLE):
            return [(job, None, self._unavailable(error)) for job in group]
        if isinstance(error, StopIteration):
            # A future refuses to be given this one.
            return [(job, None, RuntimeError("the write raised StopIteration")) for job in group]
        return [(job, None, error) for job in group]

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

    def _roll_back(self) -> bool:
        try:
            # SQLite has rolled back by itself after some errors, such as a full disk.
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except apsw.Error:
            return False
        return True


def _without_cursor(result: Any) -> Any:
    """A cursor must not leave the writer's thread: finish what it stands for and drop it."""
    if isinstance(result, apsw.Cursor):
        for _ in result:
            pass
        return None
    return result


def _test_write(db: apsw.Connection, trial: Work | None) -> None:
    if trial is not None:
        db.execute("SAVEPOINT trial")
        trial(db)
        db.execute("ROLLBACK TO trial")
        db.execute("RELEASE trial")
    db.execute(_BEAT)


def _resolve_futures(outcomes: Sequence[Outcome]) -> None:
    """Answer the callers, with one call into each event loop for all that wait there."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        future = outcome[0].future
        if isinstance(future, Future):
            _set_results([outcome])
        else:
            by_loop.setdefault(future.get_loop(), []).append(outcome)
    for loop, theirs in by_loop.items():
        # A loop that was closed meanwhile has nobody left to answer.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_set_results, theirs)


def _set_results(outcomes: Sequence[Outcome]) -> None:
    for job, result, raised in outcomes:
        if job.future.done():
            continue
        if raised is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(raised)
