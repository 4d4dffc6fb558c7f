"""Locks of a data folder: shared, one per service, or exclusive. The kernel releases the lock of a process that ends."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


class FolderInUse(Exception):
    """Another process uses the folder, or serves `name` on it if that is not empty."""

    def __init__(self, folder: Path, name: str = "") -> None:
        super().__init__(f"{folder} is in use" + (f" by {name}" if name else ""))
        self.name = name


@contextlib.contextmanager
def lock_exclusively(folder: Path) -> Iterator[None]:
    """Lock the folder exclusively while the block runs. Raises FolderInUse at once."""
    with _flock(folder, "", fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def lock_shared(folder: Path, *services: str) -> Iterator[list[int]]:
    """Share the folder with other processes, as the only one that serves these services. Raises FolderInUse at once.

    A child process that inherits the file descriptors, which are yielded, holds the locks as well.
    """
    with contextlib.ExitStack() as stack:
        locks = [stack.enter_context(_flock(folder, "", fcntl.LOCK_SH))]
        locks += [stack.enter_context(_flock(folder, service, fcntl.LOCK_EX)) for service in services]
        yield locks


@contextlib.contextmanager
def _flock(folder: Path, name: str, kind: int) -> Iterator[int]:
    with (folder / (f"lock.{name}" if name else "lock")).open("a") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUse(folder, name) from error
        yield file.fileno()
