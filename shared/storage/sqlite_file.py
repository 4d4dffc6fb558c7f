"""One SQLite file: a thread that commits every waiting write in one transaction, and connections that only read."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import apsw

from shared.storage.port import StoreUnavailable

Result = TypeVar("Result")
Work = Callable[[apsw.Connection], Any]

GROUP = 64
"""Writes that share one commit; more gained nothing when measured."""

_PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON", "PRAGMA cache_size=-32000")


class SqliteFile:
    """Writes are serialised in one thread; a write is durable when its awaitable returns, and undone alone if it raises.

    Any SQLite error that a retry may mend (full disk, busy, I/O) is raised as StoreUnavailable.
    """

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = _open(path)
        for pragma in _PRAGMAS:
            list(self._writer.execute(pragma))
        self._reader = _open(path)
        self._lister = _open(path)
        self._lister_lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_for_ever, name="sqlite-writer", daemon=True)
        self._thread.start()

    def ensure(self, schema: str) -> None:
        """Run `CREATE ... IF NOT EXISTS` statements, in the calling thread; for start-up only."""
        self.write_now(lambda db: list(db.execute(schema)))

    def write_now(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """As `write`, for code without an event loop."""
        return self._hand_over(work).result()

    async def write(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Run `work` on the writer's connection and return its result once it is on disk."""
        return await asyncio.wrap_future(self._hand_over(work))

    def _hand_over(self, work: Callable[[apsw.Connection], Result]) -> Future[Result]:
        if not self._thread.is_alive():
            raise StoreUnavailable("the SQLite writer has stopped")
        future: Future[Result] = Future()
        self._waiting.put((work, future))
        return future

    def read(self, sql: str, bindings: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a quick look-up by key, read in the calling thread, which must be the event loop's own."""
        with _translated():
            return list(self._reader.execute(sql, bindings))

    async def query(self, sql: str, bindings: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of anything that may take longer, read in a thread."""
        return await asyncio.to_thread(self._query, sql, bindings)

    def _query(self, sql: str, bindings: Sequence[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._lister_lock, _translated():
            return list(self._lister.execute(sql, bindings))

    def backup_to(self, path: Path) -> None:
        """Copy a consistent snapshot to a new file by SQLite's backup API; writes go on meanwhile."""
        with _translated(), contextlib.closing(_open(path)) as target, contextlib.closing(_open(self.path)) as source:
            with target.backup("main", source, "main") as copy:
                while not copy.done:
                    copy.step(256)

    def close(self) -> None:
        """Finish the writes that wait, then close; safe to call twice."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()
            for connection in (self._reader, self._lister, self._writer):
                connection.close()

    def _write_for_ever(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, last = [first], False
            while len(group) < GROUP and not last:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                else:
                    group.append(following)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[tuple[Work, Future[Any]]]) -> None:
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            list(self._writer.execute("BEGIN IMMEDIATE"))
            results = [(future, *self._attempt(work)) for work, future in group]
            list(self._writer.execute("COMMIT"))
        except apsw.Error as error:
            self._roll_back()
            unavailable = StoreUnavailable(str(error))
            results = [(future, None, unavailable) for _, future in group]
        for future, result, raised in results:
            _resolve(future, result, raised)

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            list(self._writer.execute("ROLLBACK"))

    def _attempt(self, work: Work) -> tuple[Any, BaseException | None]:
        try:
            with self._writer:
                return work(self._writer), None
        except (apsw.FullError, apsw.IOError, apsw.BusyError, apsw.ReadOnlyError, apsw.CantOpenError) as error:
            return None, StoreUnavailable(str(error))
        except Exception as error:
            return None, error


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(10_000)
    return connection


def _resolve(future: Future[Any], result: Any, raised: BaseException | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if raised is None:
        future.set_result(result)
    else:
        future.set_exception(raised)


@contextlib.contextmanager
def _translated() -> Any:
    try:
        yield
    except (apsw.FullError, apsw.IOError, apsw.BusyError, apsw.CantOpenError) as error:
        raise StoreUnavailable(str(error)) from error
