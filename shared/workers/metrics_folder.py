"""The folder in which the worker processes of a group count for the Prometheus client."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

PREFIX = "simpul-workers-"
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - folders in it have a random name and belong to one user alone


class MetricsFolder:
    """A folder in memory, since a disk may be full when counters are first written; locked as long as the supervisor lives."""

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or _default_parent()
        self.path = self._parent / f"{PREFIX}{secrets.token_hex(8)}"
        self._lock = -1

    def __enter__(self) -> Self:
        _remove_abandoned_folders(self._parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def ensure_exists(self) -> None:
        """Create the folder, or create it again if something else removed it, as logind does when a user logs out.

        Raises: OSError if that is impossible, or if another user has made a folder of this name.
        """
        with contextlib.suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
            self._unlock()
            self._lock = _open_locked(self.path)
        if self.path.lstat().st_uid != os.getuid():
            raise PermissionError(f"{self.path} belongs to another user")

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _default_parent() -> Path:
    return MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else Path(tempfile.gettempdir())


def _remove_abandoned_folders(parent: Path) -> None:
    """Remove the folders of this user whose supervisor was killed."""
    for folder in parent.glob(f"{PREFIX}*"):
        # Those of other users and of running supervisors stay.
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.getuid():
                lock = _open_locked(folder)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _open_locked(folder: Path) -> int:
    """Open and lock a folder. Raises: OSError if it is not a folder or another process has locked it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
