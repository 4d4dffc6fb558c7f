"""Ingestion steps that all document stores share: inspect the file, then count and hash it up to the size limit."""

from __future__ import annotations

import hashlib
import os
import re
from typing import BinaryIO

from shared.documents.port import DocumentMissing, MediaTypeDetector, TooLarge

KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]{8,100}")


def validate_key(key: str) -> str:
    """Return the key if it is well-formed, so that nothing else becomes a path or a URL. Raises: DocumentMissing."""
    if not KEY_PATTERN.fullmatch(key):
        raise DocumentMissing(key)
    return key


def inspect_source(source: BinaryIO, inspect: MediaTypeDetector, limit: int) -> str:
    """Return the media type of a file and rewind it. Raises: TooLarge, or what `inspect` raises."""
    if source.seek(0, os.SEEK_END) > limit:
        raise TooLarge(limit)
    source.seek(0)
    media_type = inspect(source)
    source.seek(0)
    return media_type


class HashingReader:
    """Wraps a file and tracks `size` in bytes and `sha256` of what has been read; reading past the limit raises TooLarge."""

    def __init__(self, source: BinaryIO, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._digest = hashlib.sha256()
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
