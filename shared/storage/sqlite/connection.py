"""Connections to a SQLite file, the errors that are about the file, and the check for damage."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

WRITER_BUSY_TIMEOUT_MS = 10_000
"""Wait for another process that holds the file."""
PROGRESS_HANDLER_STEPS = 100_000
"""Steps of SQLite's virtual machine after which a check asks whether it was stopped."""

DAMAGED = (apsw.CorruptError, apsw.NotADBError)
UNAVAILABLE = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.ProtocolError,
    apsw.NoMemError,
    apsw.ConnectionClosedError,
    *DAMAGED,
)
"""Errors of the file or the disk, as opposed to the statement."""


def create_private_file(path: Path) -> None:
    """Create a file that only its owner can read; SQLite gives its companion files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # O_EXCL, because opening and closing an existing file would drop the locks that this process holds on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def open_connection(path: Path, timeout_ms: int) -> apsw.Connection:
    """Open a file; `timeout_ms` is how long to wait for another process that holds it."""
    connection = apsw.Connection(str(path), statementcachesize=256)
    connection.set_busy_timeout(timeout_ms)
    return connection


def read_number(db: apsw.Connection, sql: str, bindings: Sequence[Any] = ()) -> int:
    """Return the number that a query of one row and column finds."""
    value: Any = db.execute(sql, bindings).fetchall()[0][0]
    return int(value)


def find_damage(path: Path, stopped: Callable[[], bool] = lambda: False, *, thorough: bool = False) -> list[str]:
    """Return a line per damage to the structure of this file; none if it is intact or the check was stopped.

    `thorough` also compares indexes with tables, which takes several times as long. It reads the whole file, so call it in a
    thread. Raises SQLite's errors that are not about damage.
    """
    try:
        with contextlib.closing(open_connection(path, WRITER_BUSY_TIMEOUT_MS)) as connection:
            connection.set_progress_handler(stopped, PROGRESS_HANDLER_STEPS)
            found = [
                str(row[0]) for row in connection.execute(f"PRAGMA {'integrity' if thorough else 'quick'}_check(20)")
            ]
    except DAMAGED as error:
        return [str(error)]
    except apsw.InterruptError:
        return []
    return [line for finding in found for line in finding.splitlines() if line != "ok"]
