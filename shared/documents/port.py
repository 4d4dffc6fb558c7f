"""What every document store promises: bytes under a made-up key, counted and hashed on the way in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

CHUNK_BYTES = 64 * 1024
"""How many bytes are held at a time while a document is taken in."""

MediaTypeDetector = Callable[[BinaryIO], str]
"""Looks at a whole seekable file and names its media type, or raises DocumentRefused. Runs in a thread."""


class DocumentRefused(Exception):
    """A file that is not taken in: a code for programs, a sentence in Bahasa Indonesia for the one who sent it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class TooLarge(DocumentRefused):
    """The file has more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__("too_large", f"Ukuran berkas melebihi batas {_format_size(limit)} per berkas.")
        self.limit = limit


class DocumentMissing(Exception):
    """No document is kept under this key."""


class StoreUnavailable(Exception):
    """The store cannot do it now (disk full, not reachable); nothing was changed and the call may be tried again."""

    message = "Penyimpanan dokumen sedang tidak dapat digunakan. Mohon coba beberapa saat lagi."


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What was stored: `size` in bytes, `sha256` in lower-case hex."""

    key: str
    size: int
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What the store itself knows of a document later: `size` in bytes and when it was stored (with zone)."""

    key: str
    size: int
    stored_at: datetime


class DocumentStore(Protocol):
    """A document is there whole and durably once `put` has returned, and never in part."""

    async def put(self, source: BinaryIO, inspect: MediaTypeDetector, *, limit: int) -> StoredDocument:
        """Store what a seekable file holds, from its start. The source (an upload's `.file`, a BytesIO) is read in a
        thread and stays open.

        Raises TooLarge, whatever DocumentRefused `inspect` raises, StoreUnavailable; then nothing is left behind.
        """
        ...

    async def put_as(self, key: str, source: BinaryIO) -> None:
        """Store what a seekable file holds, from its start, under a key that another store made; it takes the place of what
        is there.

        Raises DocumentMissing for what is no key, and StoreUnavailable.
        """
        ...

    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes in pieces, from `offset` on and at most `length` (1 or more) of them; no others are asked of the store.
        What lies behind the end of the document is not there: that is no error.

        Raises DocumentMissing before the first piece, so that an answer can still be a 404.
        """
        ...

    async def stat(self, key: str) -> DocumentInfo:
        """Raises DocumentMissing."""
        ...

    async def delete(self, key: str) -> None:
        """Deleting what is not there is no error."""
        ...

    def keys(self, older_than: datetime) -> AsyncIterator[str]:
        """Keys of documents stored before the moment, in no order."""
        ...

    async def discard_unfinished(self, older_than: datetime) -> int:
        """Remove what uploads that broke off before the moment have left; how many there were."""
        ...

    async def ready(self) -> bool:
        """Whether a document could be stored now: the store answers and has room."""
        ...


def _format_size(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB" if size >= 1024**2 else f"{size / 1024:.0f} KiB"
