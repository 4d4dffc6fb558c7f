"""The writer of a SQLite file: one thread that commits all waiting writes in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import apsw

from shared.storage.port import StoreUnavailable
from shared.storage.sqlite.connection import UNAVAILABLE

MAX_GROUPED_WRITES = 64
"""Writes per commit; more brought nothing when measured."""

Work = Callable[[apsw.Connection], Any]


@dataclass(frozen=True, slots=True, eq=False)
class WriteJob:
    """A write in the queue; `future` belongs to an event loop or to a blocked thread."""

    work: Work
    future: asyncio.Future[Any] | Future[Any]


Outcome = tuple[WriteJob, Any, BaseException | None]


class GroupCommitWriter:
    """Executes write jobs on one connection, in groups; `unavailable` translates the errors of the file."""

    def __init__(self, connection: apsw.Connection, unavailable: Callable[[Exception], StoreUnavailable]) -> None:
        self._connection, self._unavailable = connection, unavailable
        self._close_lock, self._closed = threading.Lock(), False
        self._queue: queue.SimpleQueue[WriteJob | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, job: WriteJob) -> None:
        """Queue a write. Raises StoreUnavailable once the writer was stopped."""
        # The lock keeps jobs from being queued behind the None that ends the thread, where they would wait forever.
        with self._close_lock:
            if self._closed:
                raise StoreUnavailable("the SQLite file is closed")
            self._queue.put(job)

    def stop(self) -> None:
        """Finish the queued writes and end the thread."""
        with self._close_lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
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

    def _commit(self, group: Sequence[WriteJob]) -> list[Outcome]:
        """Commit a group in one transaction, or each write in its own if one of them makes the group fail."""
        outcomes = self._try_commit(group)
        if outcomes is None:
            outcomes = []
            for job in group:
                outcomes += self._try_commit([job]) or []
        return outcomes

    def _try_commit(self, group: Sequence[WriteJob]) -> list[Outcome] | None:
        """Commit a group; return None if it was rolled back because one of several writes failed."""
        if not group:
            return []
        self._roll_back()  # if that failed after the last group
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            return self._all_failed(group, error)
        try:
            results = [_without_cursor(job.work(self._connection)) for job in group]
            self._connection.execute("COMMIT")
        except BaseException as error:
            rolled_back = self._roll_back()
            return None if rolled_back and len(group) > 1 else self._all_failed(group, error)
        return [(job, result, None) for job, result in zip(group, results, strict=True)]

    def _all_failed(self, group: Sequence[WriteJob], error: BaseException) -> list[Outcome]:
        if isinstance(error, UNAVAILABLE):
            return [(job, None, self._unavailable(error)) for job in group]
        if isinstance(error, StopIteration):
            # A future does not accept this exception.
            return [(job, None, RuntimeError("the write raised StopIteration")) for job in group]
        return [(job, None, error) for job in group]

    def _roll_back(self) -> bool:
        try:
            # After some errors, such as a full disk, SQLite has rolled back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error:
            return False
        return True


def _without_cursor(result: Any) -> Any:
    """Exhaust and drop a cursor, which must not leave the thread of the writer."""
    if isinstance(result, apsw.Cursor):
        for _ in result:
            pass
        return None
    return result


def _resolve_futures(outcomes: Sequence[Outcome]) -> None:
    """Resolve the futures, with one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        future = outcome[0].future
        if isinstance(future, Future):
            _set_results([outcome])
        else:
            by_loop.setdefault(future.get_loop(), []).append(outcome)
    for loop, of_loop in by_loop.items():
        # The event loop may have been closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_set_results, of_loop)


def _set_results(outcomes: Sequence[Outcome]) -> None:
    for job, result, error in outcomes:
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)
