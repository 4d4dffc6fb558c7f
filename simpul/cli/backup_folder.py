"""The folder of a backup: what belongs there, and copied from there as the services keep it.

A backup may come from a stranger: what is no plain file or folder, or has no place in a backup, is refused before anything is
written, and no symbolic link is ever followed. Hard links are plain files: rsnapshot and `cp -al` keep generations of backups so.
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
    """Raises Failed if this is no backup, or holds anything that does not belong into one."""
    if not (folder / DATABASE).is_file():
        raise Failed(f"{folder} is no backup: there is no {DATABASE} in it. Name the folder that `simpul backup` made.")
    for _ in _files(folder):
        pass
    with _open_without_links(folder, PurePosixPath(DATABASE)) as file:
        if os.read(file, len(_SQLITE_MAGIC)) != _SQLITE_MAGIC:
            raise Failed(f"{folder} is no backup: its {DATABASE} is no database. Restore another backup.")


def copy(folder: Path, target: Path, *parts: str) -> None:
    """Copy these parts, as far as the backup has them, each file readable by its owner alone. Raises Failed, OSError."""
    for name in _files(folder):
        if name.parts[0] in parts:
            place = target / name
            make_private_folders(target, name)
            with _open_without_links(folder, name) as file:
                _write(file, place)


def copy_file(source: Path, target: Path, name: PurePosixPath, *, linked: bool = False) -> None:
    """Copy a file of ours to its place in a backup; `linked`: by way of a symbolic link, as secrets are mounted.

    Raises FileNotFoundError, OSError.
    """
    make_private_folders(target, name)
    file = os.open(source, os.O_RDONLY | os.O_CLOEXEC | (0 if linked else os.O_NOFOLLOW))
    try:
        _write(file, target / name)
    finally:
        os.close(file)


def make_private_folders(target: Path, name: PurePosixPath) -> None:
    """The folders above this file in `target`, open to their owner alone whatever the umask."""
    for parent in reversed(name.parents):
        place = target / parent
        if not place.is_dir():
            place.mkdir()
            place.chmod(0o700)


def _files(folder: Path) -> Iterator[PurePosixPath]:
    """Every file, by its path in the folder. Raises Failed for what does not belong."""
    for place, folders, files, descriptor in os.fwalk(folder, onerror=_raise):
        inside = PurePosixPath(os.path.relpath(place, folder))
        for name in sorted(folders):
            _check_entry(folder, inside / name, os.lstat(name, dir_fd=descriptor))
        for name in sorted(files):
            _check_entry(folder, inside / name, os.lstat(name, dir_fd=descriptor))
            yield inside / name


def _raise(error: OSError) -> None:
    raise error


def _check_entry(folder: Path, name: PurePosixPath, found: os.stat_result) -> None:
    kind = _file_kind(found)
    if kind not in ("file", "folder"):
        raise Failed(
            f"{folder} is refused: {name} is {kind}, and a backup has plain files and folders only."
            " Remove it, or put a copy of your own file in its place, and try again."
        )
    if not _is_allowed(name, kind):
        raise Failed(f"{folder} is refused: {name} does not belong into a backup. Move it elsewhere and try again.")
    if str(name) == _WAL_FILE and found.st_size:
        raise Failed(
            f"{folder} is refused: {name} holds changes that are not in {DATABASE} yet. If they belong to it, take them in"
            f" with `sqlite3 {DATABASE} 'PRAGMA wal_checkpoint(TRUNCATE)'` there, else remove {name}, and try again."
        )


def _file_kind(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "a symbolic link"
    if stat.S_ISDIR(found.st_mode):
        return "folder"
    if not stat.S_ISREG(found.st_mode):
        return "a device, a pipe or a socket"
    return "file"


def _is_allowed(name: PurePosixPath, kind: str) -> bool:
    found = _ALLOWED_PATHS[kind].fullmatch(str(name))
    # A document lies where the store looks for it.
    key, shelf = (found.groupdict().get(part) for part in ("key", "shelf")) if found else (None, None)
    return found is not None and (not key or key[-2:].lower() == shelf)


@contextlib.contextmanager
def _open_without_links(folder: Path, name: PurePosixPath) -> Iterator[int]:
    """The file, by way of folders that are none but plain ones, whatever was put in their places since they were looked at."""
    with contextlib.ExitStack() as closing:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        closing.callback(os.close, place)
        for part in name.parts[:-1]:
            place = os.open(part, _NO_FOLLOW | os.O_DIRECTORY, dir_fd=place)
            closing.callback(os.close, place)
        file = os.open(name.name, _NO_FOLLOW, dir_fd=place)
        closing.callback(os.close, file)
        if (kind := _file_kind(os.fstat(file))) != "file":
            raise Failed(f"{folder} is refused: {name} is {kind}. Put a plain copy in its place and try again.")
        yield file


def _write(source: int, target: Path) -> None:
    found = os.fstat(source)
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600)
    try:
        os.fchmod(file, 0o600)
        while chunk := os.read(source, CHUNK_BYTES):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(file, rest) :]
        os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(file)
    finally:
        os.close(file)
