"""What every document store does with a file that it takes in: inspect it first; count, hash and stop at the limit on the way."""

from __future__ import annotations

import hashlib
import os
import re
from typing import BinaryIO

from shared.documents.port import DocumentMissing, MediaTypeDetector, TooLarge

KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]{8,100}")


def validate_key(key: str) -> str:
    """The key, if it can be one. Raises DocumentMissing: what was never made here must not become a path or an address."""
    if not KEY_PATTERN.fullmatch(key):
        raise DocumentMissing(key)
    return key


def inspect_source(source: BinaryIO, inspect: MediaTypeDetector, limit: int) -> str:
    """The media type of a whole file, which is at its start afterwards. Raises TooLarge, or what `inspect` raises."""
    if source.seek(0, os.SEEK_END) > limit:
        raise TooLarge(limit)
    source.seek(0)
    media_type = inspect(source)
    source.seek(0)
    return media_type


class HashingReader:
    """A file as it is read: `size` in bytes and `sha256` of what was given so far. Reading raises TooLarge past the limit."""

    def __init__(self, source: BinaryIO, limit: int) -> None:
        self._source, self._limit, self._digest = source, limit, hashlib.sha256()
        self.size = 0

    def read(self, size: int) -> bytes:
        chunk = self._source.read(size)
        self.size += len(chunk)
        if self.size > self._limit:
            raise TooLarge(self._limit)
        self._digest.update(chunk)
        return chunk

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()
