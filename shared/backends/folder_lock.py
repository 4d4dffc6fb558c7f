"""Who uses a data folder: any number at once, one for each service, or one alone; the kernel ends a lock with its holder."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


class FolderInUse(Exception):
    """Somebody else uses this folder; or serves `name` on it, if that is not empty."""

    def __init__(self, folder: Path, name: str = "") -> None:
        super().__init__(f"{folder} is in use" + (f" by {name}" if name else ""))
        self.name = name


@contextlib.contextmanager
def lock_exclusively(folder: Path) -> Iterator[None]:
    """Have the folder alone for as long as the block runs. Raises FolderInUse at once if anybody else uses it."""
    with _flock(folder, "", fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def lock_shared(folder: Path, *services: str) -> Iterator[None]:
    """Use the folder beside others, and be the only one who serves these. Raises FolderInUse at once."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_flock(folder, "", fcntl.LOCK_SH))
        for service in services:
            stack.enter_context(_flock(folder, service, fcntl.LOCK_EX))
        yield


@contextlib.contextmanager
def _flock(folder: Path, name: str, kind: int) -> Iterator[None]:
    with (folder / (f"lock.{name}" if name else "lock")).open("a") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUse(folder, name) from error
        yield
