"""Counts the entries of a ZIP directory before anything is allocated for them.

A ZIP64 record can name another directory than the plain end record, and `zipfile` follows it. Both are therefore read and
checked against the limits, and every entry is counted.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

MAX_DIRECTORY_BYTES = 1024**2

_END = struct.Struct("<4s4H2LH")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s24xHHH12x")
_LONGEST_COMMENT = 1 << 16


class BadDirectory(Exception):
    """The end of the file does not describe a directory that lies directly before it."""


class TooManyEntries(Exception):
    """The directory has more entries or bytes than allowed."""


@dataclass(frozen=True, slots=True)
class _End:
    """An end record: number of entries; length, offset and expected end of the directory in bytes."""

    entries: int
    length: int
    offset: int
    directory_end: int


def count_entries(file: BinaryIO, max_entries: int) -> int:
    """Return the number of entries of the file's only directory. Raises: BadDirectory, TooManyEntries."""
    end = _read_end(file)
    if end.entries > max_entries or end.length > MAX_DIRECTORY_BYTES:
        raise TooManyEntries
    if end.offset + end.length != end.directory_end:
        raise BadDirectory
    file.seek(end.offset)
    _walk(file.read(end.length), end.entries)
    return end.entries


def _read_end(file: BinaryIO) -> _End:
    size = file.seek(0, os.SEEK_END)
    tail_at = max(0, size - _END.size - _LONGEST_COMMENT)
    file.seek(tail_at)
    tail = file.read(_END.size + _LONGEST_COMMENT)
    at = _find_end(tail)
    _, disk, first_disk, here, total, length, offset, _ = _END.unpack_from(tail, at)
    plain = _End(total, length, offset, tail_at + at)
    zip64 = _read_zip64_end(file, tail_at + at)
    if disk not in (0, 0xFFFF) or first_disk not in (0, 0xFFFF) or here != total:
        raise BadDirectory
    if zip64 is None:
        return plain
    for declared, limit, actual in zip(
        (total, length, offset),
        (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (zip64.entries, zip64.length, zip64.offset),
        strict=True,
    ):
        # Programs differ in which of the two records they use, so both must agree.
        if declared not in (limit, actual):
            raise BadDirectory
    return zip64


def _find_end(tail: bytes) -> int:
    """Find the end record as `zipfile` does: at the very end, otherwise at the last signature."""
    at = len(tail) - _END.size
    if at < 0:
        raise BadDirectory
    if tail[at : at + 4] == b"PK\x05\x06" and tail[-2:] == b"\0\0":
        return at
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise BadDirectory
    return at


def _read_zip64_end(file: BinaryIO, end_at: int) -> _End | None:
    locator_at = end_at - _ZIP64_LOCATOR.size
    record_at = locator_at - _ZIP64_END.size
    if locator_at < 0:
        return None
    file.seek(locator_at)
    mark, disk, declared_at, disks = _ZIP64_LOCATOR.unpack(file.read(_ZIP64_LOCATOR.size))
    if mark != b"PK\x06\x07":
        return None
    if disk != 0 or disks > 1 or record_at < 0 or declared_at != record_at:
        raise BadDirectory
    file.seek(record_at)
    mark, size, _, _, disk, first_disk, here, total, length, offset = _ZIP64_END.unpack(file.read(_ZIP64_END.size))
    if mark != b"PK\x06\x06" or size != _ZIP64_END.size - 12 or disk or first_disk or here != total:
        raise BadDirectory
    return _End(total, length, offset, record_at)


def _walk(directory: bytes, entries: int) -> None:
    """Check that the bytes are exactly this many entries. Raises: BadDirectory."""
    at = 0
    for _ in range(entries):
        if len(directory) - at < _ENTRY.size:
            raise BadDirectory
        mark, name, extra, comment = _ENTRY.unpack_from(directory, at)
        if mark != b"PK\x01\x02":
            raise BadDirectory
        at += _ENTRY.size + int(name) + int(extra) + int(comment)
    if at != len(directory):
        raise BadDirectory
