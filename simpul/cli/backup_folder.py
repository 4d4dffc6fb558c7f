"""The layout of a backup folder: validation of its contents, and safe copies from and to it.

A backup may be hostile: special files and paths that do not belong into a backup are refused before anything is written, and
symbolic links are never followed. Hard links are accepted, because rsnapshot and `cp -al` keep generations of backups that way.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from shared.documents.ingestion import KEY_PATTERN
from simpul.cli.errors import Failed

DATABASE, SECRET, CALENDAR = "simpul.db", "secret", "calendar.json"
DOCUMENTS, MAIL = "documents", "mail"
PARTS = (DATABASE, SECRET, CALENDAR, DOCUMENTS, MAIL)
_SQLITE_MAGIC = b"SQLite format 3\0"
_ALLOWED_PATHS = {
    "folder": re.compile(r"documents(/[a-z0-9_-]{2})?|mail"),
    "file": re.compile(
        r"simpul\.db(-shm|-wal)?|secret|calendar\.json|mail/[A-Za-z0-9][A-Za-z0-9._-]*\.eml"
        rf"|documents/(?P<shelf>[a-z0-9_-]{{2}})/(?P<key>{KEY_PATTERN.pattern})"
    ),
}
_WAL_FILE = "simpul.db-wal"
_NO_FOLLOW = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CHUNK_BYTES = 1024 * 1024


def check_layout(folder: Path) -> None:
    """Validate a backup. Raises Failed if it is none, or contains anything that does not belong into one."""
    if not (folder / DATABASE).is_file():
        raise Failed(f"{folder} is no backup: there is no {DATABASE} in it. Name the folder that `simpul backup` made.")
    for _ in _files(folder):
        pass
    with _open_without_links(folder, PurePosixPath(DATABASE)) as file:
        if os.read(file, len(_SQLITE_MAGIC)) != _SQLITE_MAGIC:
            raise Failed(f"{folder} is no backup: its {DATABASE} is no database. Restore another backup.")


def copy_parts(folder: Path, target: Path, *parts: str) -> None:
    """Copy those of these parts that the backup has, each file readable by its owner only. Raises Failed, OSError."""
    for name in _files(folder):
        if name.parts[0] in parts:
            make_private_folders(target, name)
            with _open_without_links(folder, name) as file:
                _write(file, target / name)


def copy_file(source: Path, target: Path, name: PurePosixPath, *, linked: bool = False) -> None:
    """Copy a trusted file to its path in a backup; with `linked` a symbolic link is followed, as for mounted secrets.

    Raises FileNotFoundError, OSError.
    """
    make_private_folders(target, name)
    file = os.open(source, os.O_RDONLY | os.O_CLOEXEC | (0 if linked else os.O_NOFOLLOW))
    try:
        _write(file, target / name)
    finally:
        os.close(file)


def make_private_folders(target: Path, name: PurePosixPath) -> None:
    """Create the parent folders of this file in `target`, accessible to their owner only, whatever the umask."""
    for parent in reversed(name.parents):
        path = target / parent
        if not path.is_dir():
            path.mkdir()
            path.chmod(0o700)


def _files(folder: Path) -> Iterator[PurePosixPath]:
    """Yield the relative path of every file. Raises Failed for an entry that does not belong into a backup."""
    for path, folders, files, descriptor in os.fwalk(folder, onerror=_raise):
        inside = PurePosixPath(os.path.relpath(path, folder))
        for name in sorted(folders):
            _check_entry(folder, inside / name, os.lstat(name, dir_fd=descriptor))
        for name in sorted(files):
            _check_entry(folder, inside / name, os.lstat(name, dir_fd=descriptor))
            yield inside / name


def _raise(error: OSError) -> None:
    raise error


def _check_entry(folder: Path, name: PurePosixPath, status: os.stat_result) -> None:
    kind = _file_kind(status)
    if kind not in ("file", "folder"):
        raise Failed(
            f"{folder} is refused: {name} is {kind}, and a backup has plain files and folders only."
            " Remove it, or put a copy of your own file in its place, and try again."
        )
    if not _is_allowed(name, kind):
        raise Failed(f"{folder} is refused: {name} does not belong into a backup. Move it elsewhere and try again.")
    if str(name) == _WAL_FILE and status.st_size:
        raise Failed(
            f"{folder} is refused: {name} holds changes that are not in {DATABASE} yet. If they belong to it, take them in"
            f" with `sqlite3 {DATABASE} 'PRAGMA wal_checkpoint(TRUNCATE)'` there, else remove {name}, and try again."
        )


def _file_kind(status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return "a symbolic link"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    if not stat.S_ISREG(status.st_mode):
        return "a device, a pipe or a socket"
    return "file"


def _is_allowed(name: PurePosixPath, kind: str) -> bool:
    match = _ALLOWED_PATHS[kind].fullmatch(str(name))
    if match is None:
        return False
    groups = match.groupdict()
    # The document store looks for a document in the folder that its key ends with.
    return not groups.get("key") or groups["key"][-2:].lower() == groups["shelf"]


@contextlib.contextmanager
def _open_without_links(folder: Path, name: PurePosixPath) -> Iterator[int]:
    """Open a file through real folders only, even if one was replaced by a link after the check. Raises Failed, OSError."""
    with contextlib.ExitStack() as closing:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        closing.callback(os.close, directory)
        for part in name.parts[:-1]:
            directory = os.open(part, _NO_FOLLOW | os.O_DIRECTORY, dir_fd=directory)
            closing.callback(os.close, directory)
        file = os.open(name.name, _NO_FOLLOW, dir_fd=directory)
        closing.callback(os.close, file)
        if (kind := _file_kind(os.fstat(file))) != "file":
            raise Failed(f"{folder} is refused: {name} is {kind}. Put a plain copy in its place and try again.")
        yield file


def _write(source: int, target: Path) -> None:
    status = os.fstat(source)
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600)
    try:
        os.fchmod(file, 0o600)
        while chunk := os.read(source, CHUNK_BYTES):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(file, rest) :]
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(file)
    finally:
        os.close(file)
