"""Documents in a folder: each is one file, written under a temporary name and renamed once it is complete and synced."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from shared.documents.ingestion import KEY_PATTERN, HashingReader, inspect_source, validate_key
from shared.documents.port import (
    CHUNK_BYTES,
    DocumentInfo,
    DocumentMissing,
    MediaTypeDetector,
    StoredDocument,
    StoreUnavailable,
)

UNFINISHED_SUFFIX = ".part"
READ_CHUNK_BYTES = 256 * 1024
"""Larger than the chunks of an upload, so that a typical document is read in one call to a thread."""


class FolderDocumentStore:
    """DocumentStore in a folder; it is ready while `min_free_bytes` are free.

    `new_key` generates random keys of letters, digits, `-` and `_`.
    """

    def __init__(self, folder: Path, new_key: Callable[[], str], *, min_free_bytes: int = 256 * 1024**2) -> None:
        self._folder = folder
        self._new_key = new_key
        self._min_free_bytes = min_free_bytes
        self._known_shards: set[Path] = set()

    async def put(self, source: BinaryIO, inspect: MediaTypeDetector, *, limit: int) -> StoredDocument:
        return await asyncio.to_thread(self._write_new, source, inspect, limit)

    async def put_as(self, key: str, source: BinaryIO) -> None:
        await asyncio.to_thread(self._overwrite, self.path_of(key), source)

    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        wanted = sys.maxsize if length is None else length
        file, first = await asyncio.to_thread(_open, self.path_of(key), offset, wanted)
        return _chunks(file, first, wanted - len(first))

    async def stat(self, key: str) -> DocumentInfo:
        return await asyncio.to_thread(self._read_info, key)

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self.path_of(key).unlink, missing_ok=True)

    async def keys(self, older_than: datetime) -> AsyncIterator[str]:
        for shard in await asyncio.to_thread(self._all_shards):
            for path in await asyncio.to_thread(_files_before, shard, older_than):
                if KEY_PATTERN.fullmatch(path.name):
                    yield path.name

    async def discard_unfinished(self, older_than: datetime) -> int:
        return await asyncio.to_thread(self._remove_stale_files, older_than)

    async def ready(self) -> bool:
        return await asyncio.to_thread(self._has_free_space)

    def _write_new(self, source: BinaryIO, inspect: MediaTypeDetector, limit: int) -> StoredDocument:
        key = self._new_key()
        try:
            media_type = inspect_source(source, inspect, limit)
            size, sha256 = self._write(source, self.path_of(key), limit)
        except OSError as error:
            self._known_shards.clear()
            raise StoreUnavailable(str(error)) from error
        return StoredDocument(key=key, size=size, sha256=sha256, media_type=media_type)

    def _overwrite(self, path: Path, source: BinaryIO) -> None:
        source.seek(0)
        try:
            # An aborted write has left it; a concurrent write of the same key would fail.
            path.with_name(path.name + UNFINISHED_SUFFIX).unlink(missing_ok=True)
            self._write(source, path, sys.maxsize)
        except OSError as error:
            self._known_shards.clear()
            raise StoreUnavailable(str(error)) from error

    def _write(self, source: BinaryIO, path: Path, limit: int) -> tuple[int, str]:
        self._make_shard(path.parent)
        unfinished = path.with_name(path.name + UNFINISHED_SUFFIX)
        try:
            with open(unfinished, "xb", buffering=0, opener=_open_private) as target:
                written = _copy(source, target, limit)
                os.fsync(target.fileno())
            os.rename(unfinished, path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
        return written

    def _make_shard(self, shard: Path) -> None:
        if shard in self._known_shards:
            return
        for folder in (self._folder, shard):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sync_folder(self._folder)
        _sync_folder(self._folder.parent)
        self._known_shards.add(shard)

    def path_of(self, key: str) -> Path:
        """Return the path of the document with this key. Raises: DocumentMissing for an invalid key."""
        return self._folder / validate_key(key)[-2:].lower() / key

    def _read_info(self, key: str) -> DocumentInfo:
        try:
            found = self.path_of(key).stat()
        except FileNotFoundError:
            raise DocumentMissing(key) from None
        return DocumentInfo(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def _all_shards(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.is_dir()] if self._folder.is_dir() else []

    def _remove_stale_files(self, older_than: datetime) -> int:
        stale = [
            path
            for shard in self._all_shards()
            for path in _files_before(shard, older_than)
            if path.suffix == UNFINISHED_SUFFIX
        ]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)

    def _has_free_space(self) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.access(self._folder, os.W_OK) and shutil.disk_usage(self._folder).free >= self._min_free_bytes
        except OSError:
            return False


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _open_nofollow(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _copy(source: BinaryIO, target: BinaryIO, limit: int) -> tuple[int, str]:
    written = HashingReader(source, limit)
    while chunk := written.read(CHUNK_BYTES):
        _write_all(target, chunk)
    return written.size, written.sha256


def _write_all(target: BinaryIO, chunk: bytes) -> None:
    # An unbuffered write may be partial, for example on a disk that is almost full.
    rest = memoryview(chunk)
    while rest:
        rest = rest[target.write(rest) :]


def _open(path: Path, offset: int, wanted: int) -> tuple[BinaryIO, bytes]:
    try:
        file = open(path, "rb", opener=_open_nofollow)  # noqa: SIM115 - closed by _chunks
    except FileNotFoundError:
        raise DocumentMissing(path.name) from None
    file.seek(offset)
    return file, file.read(min(READ_CHUNK_BYTES, wanted))


async def _chunks(file: BinaryIO, first: bytes, rest: int) -> AsyncIterator[bytes]:
    with file:
        chunk = first
        while chunk:
            yield chunk
            more = rest > 0 and len(chunk) == READ_CHUNK_BYTES
            chunk = await asyncio.to_thread(file.read, min(READ_CHUNK_BYTES, rest)) if more else b""
            rest -= len(chunk)


def _files_before(shard: Path, moment: datetime) -> list[Path]:
    return [Path(entry.path) for entry in _entries(shard) if _mtime(entry) < moment.timestamp()]


def _entries(shard: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(shard) as entries:
        yield from entries


def _mtime(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
