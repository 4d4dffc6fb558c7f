"""One process serves a data folder at a time: a lock that the kernel takes back when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


class FolderInUse(Exception):
    """Another process serves this folder."""


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the folder for as long as the block runs. Raises FolderInUse at once if somebody else holds it."""
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderInUse(str(folder)) from error
        yield
