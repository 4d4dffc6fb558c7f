"""Compression of stored JSON: zstd with a dictionary of what events and records have in common.

A compressed value is a standard frame with the id of its dictionary; any other value is stored as it is, as all values of earlier
versions are. A dictionary is never changed or removed, because stored values need it; a better one is added beside it.
"""

from __future__ import annotations

import threading
from pathlib import Path

import zstandard

DICTIONARIES = Path(__file__).parent / "dictionaries"
CURRENT_DICTIONARY = "2026.zdict"
LEVEL = 3
MIN_SIZE = 64
"""Shorter values are stored as they are."""
MAX_SIZE = 64 * 1024**2
"""A frame that claims to hold more is damaged."""
_MAGIC = b"\x28\xb5\x2f\xfd"


class _Codecs(threading.local):
    """A compressor, and a decompressor by the id of its dictionary, for each thread; threads must not share them."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=_CURRENT)
        self.decompressors = {
            number: zstandard.ZstdDecompressor(dict_data=dictionary) for number, dictionary in _BY_ID.items()
        }


def _read_dictionary(path: Path) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(path.read_bytes())


_CURRENT = _read_dictionary(DICTIONARIES / CURRENT_DICTIONARY)
_CURRENT.precompute_compress(level=LEVEL)
_BY_ID = {one.dict_id(): one for one in (_CURRENT, *map(_read_dictionary, DICTIONARIES.glob("*.zdict")))}
_codecs = _Codecs()


def compress(value: bytes) -> bytes:
    """Return the value as it is stored. A frame is stored as it is: it is one that only a later version can read."""
    if len(value) < MIN_SIZE or value.startswith(_MAGIC):
        return value
    compressed = _codecs.compressor.compress(value)
    return compressed if len(compressed) < len(value) else value


def decompress(stored: bytes) -> bytes:
    """Return the value that is stored so; bytes that only begin like a frame, or come from a later version, as they are."""
    if not stored.startswith(_MAGIC):
        return stored
    try:
        frame = zstandard.get_frame_parameters(stored)
        if frame.content_size > MAX_SIZE:
            return stored
        return _codecs.decompressors[frame.dict_id].decompress(stored)
    except (zstandard.ZstdError, KeyError):
        return stored
