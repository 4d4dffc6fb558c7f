"""Connections to a SQLite file: how they are opened, which of their errors lie in the file, and whether it is damaged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import apsw

WRITER_BUSY_TIMEOUT_MS = 10_000
"""Milliseconds to wait for another process that holds the file."""
PROGRESS_HANDLER_STEPS = 100_000
"""Of SQLite's virtual machine, after which a long check asks whether it shall go on."""

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
"""Errors that lie in the file or the disk and not in the statement."""


def create_private_file(path: Path) -> None:
    """Make a new file that only its owner reads; SQLite gives its companions the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # O_EXCL: to open and close an existing file would drop the locks that SQLite holds on it in this process.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def open_connection(path: Path, timeout_ms: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), statementcachesize=256)
    connection.set_busy_timeout(timeout_ms)
    return connection


def find_damage(path: Path, stopped: Callable[[], bool] = lambda: False, *, thorough: bool = False) -> list[str]:
    """What is wrong with the structure of this file, a line for each finding; nothing if it is whole, or the check is stopped.

    `thorough` also looks whether indexes and tables hold the same, which takes several times as long. Reads the whole file:
    call it in a thread. Raises the errors of SQLite that are not about damage.
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
    return [line for told in found for line in told.splitlines() if line != "ok"]
