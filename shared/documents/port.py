"""Port of the document stores: bytes under a generated key, counted and hashed while they are stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

CHUNK_BYTES = 64 * 1024
"""Bytes read at a time while a document is stored."""

MediaTypeDetector = Callable[[BinaryIO], str]
"""Returns the media type of a seekable file, or raises DocumentRefused. Runs in a thread."""


class DocumentRefused(Exception):
    """A file that is not accepted, with a code for programs and a message (in Indonesian) for the user."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class TooLarge(DocumentRefused):
    """The file is larger than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__("too_large", f"Ukuran berkas melebihi batas {_format_size(limit)} per berkas.")
        self.limit = limit


class DocumentMissing(Exception):
    """No document is stored under this key."""


class StoreUnavailable(Exception):
    """The store is unavailable (disk full, not reachable); nothing was changed and the call can be retried."""

    message = "Penyimpanan dokumen sedang tidak dapat digunakan. Mohon coba beberapa saat lagi."


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document that has just been stored: `size` in bytes, `sha256` in lower-case hex."""

    key: str
    size: int
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """Metadata of a stored document: `size` in bytes, `stored_at` with time zone."""

    key: str
    size: int
    stored_at: datetime


class DocumentStore(Protocol):
    """Store of documents; once `put` has returned, a document is complete and durable. It is never stored in part."""

    async def put(self, source: BinaryIO, inspect: MediaTypeDetector, *, limit: int) -> StoredDocument:
        """Store the content of a seekable file (an upload's `.file`, a BytesIO), which is read in a thread and stays open.

        Raises: TooLarge, DocumentRefused from `inspect`, StoreUnavailable; nothing is stored then.
        """
        ...

    async def put_as(self, key: str, source: BinaryIO) -> None:
        """Store the content of a seekable file under a key of another store, replacing what is there.

        Raises: DocumentMissing for an invalid key, StoreUnavailable.
        """
        ...

    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes in chunks, from `offset` and at most `length` (1 or more) of them.

        Only these bytes are read from the store. A range that reaches behind the end is cut, which is no error.
        Raises: DocumentMissing before the first chunk, so that the response can still be a 404.
        """
        ...

    async def stat(self, key: str) -> DocumentInfo:
        """Return size and time of storage. Raises: DocumentMissing."""
        ...

    async def delete(self, key: str) -> None:
        """Delete a document; a missing one is no error."""
        ...

    def keys(self, older_than: datetime) -> AsyncIterator[str]:
        """Yield the keys of documents stored before this time, in any order."""
        ...

    async def discard_unfinished(self, older_than: datetime) -> int:
        """Remove the remains of uploads that were aborted before this time and return their number."""
        ...

    async def ready(self) -> bool:
        """Whether a document could be stored now: the store responds and has free space."""
        ...


def _format_size(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB" if size >= 1024**2 else f"{size / 1024:.0f} KiB"
