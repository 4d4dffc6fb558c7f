"""Detects the type of a ZIP archive (plain, DOCX, XLSX, ODT, ODS) and refuses archive bombs without unpacking them."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from shared.documents.inspection.zip_directory import BadDirectory, TooManyEntries, count_entries
from shared.documents.media_types import DOCX, ODS, ODT, XLSX, ZIP
from shared.documents.port import DocumentRefused

MAX_ENTRIES = 5_000
MAX_UNPACKED_BYTES = 512 * 1024**2
MAX_RATIO = 100
RATIO_CHECK_MIN_BYTES = 10 * 1024**2
"""A high ratio is harmless below this unpacked size, and small spreadsheets reach it."""
MAX_DEPTH = 2
MAX_NESTED_BYTES = 32 * 1024**2
MAX_NESTED_ARCHIVES = 200
MAX_PART_BYTES = 1024**2
MIN_INFLATE_BUDGET_BYTES = 512 * 1024

MAX_CONTENT_TYPES = 2 * MAX_ENTRIES
"""Office programs write at most a default per extension and an override per part."""

NESTED_SUFFIXES = (".zip", ".docx", ".xlsx", ".odt", ".ods", ".pptx", ".jar")
OPAQUE_SUFFIXES = (".7z", ".rar", ".gz", ".bz2", ".xz", ".zst", ".tgz")
ARCHIVE_SIGNATURES = (b"PK", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
MAX_SIGNATURE_BYTES = 8
SYSTEM_PREFIXES = ("._", "~$")
SYSTEM_NAMES = (".ds_store", "thumbs.db", "desktop.ini")
MACRO_KEYWORDS = ("macroenabled", "macrosheet", "vbaproject")
LOCAL_HEADER = struct.Struct("<4s5H3L2H")

REFUSAL_MESSAGES = {
    "archive_damaged": "Arsip rusak atau tidak lengkap sehingga tidak dapat diperiksa. Mohon buat ulang berkasnya.",
    "archive_entries": f"Arsip memuat terlalu banyak berkas (paling banyak {MAX_ENTRIES:,}).".replace(",", "."),
    "archive_ratio": "Arsip ditolak karena isinya akan mengembang jauh melebihi ukuran yang wajar ketika dibuka.",
    "archive_nested": "Arsip memuat arsip lain yang terlalu dalam, terlalu besar, atau tidak dapat diperiksa.",
    "archive_path": "Arsip memuat nama berkas yang menunjuk ke luar foldernya.",
    "archive_method": "Arsip memakai cara pemampatan yang tidak dikenal. Mohon buat ulang sebagai ZIP biasa.",
    "encrypted": "Berkas terkunci dengan kata sandi. Mohon kirim berkas tanpa kata sandi.",
    "macro": "Dokumen memuat makro. Mohon simpan ulang tanpa makro (DOCX, XLSX, ODT, atau ODS biasa).",
}


def detect_archive_type(file: BinaryIO) -> str | None:
    """Return the media type of an archive, None if it is of an unsupported kind.

    Reads the directory at the end of the file. To verify the sizes given there it inflates at most half a MiB or twice the
    size of the file, plus nested archives of at most 32 MiB. Raises: DocumentRefused with a code of REFUSAL_MESSAGES.
    """
    try:
        return _check_archive(file, 0, _Quota())[0]
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, RuntimeError):
        # The standard library raises unrelated exceptions for hostile bytes.
        raise _refusal("archive_damaged") from None


@dataclass(slots=True)
class _Quota:
    """Remaining numbers of entries and of nested archives, shared by an archive and all archives in it."""

    entries: int = MAX_ENTRIES
    nested: int = MAX_NESTED_ARCHIVES


def _check_archive(file: BinaryIO, depth: int, quota: _Quota) -> tuple[str | None, int]:
    size = file.seek(0, os.SEEK_END)
    _count_entries(file, quota)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        _check_entries(entries, size)
        _check_bodies(file, entries, size)
        media_type = _detect_type(archive)
        unpacked = sum(entry.file_size for entry in entries) + _check_nested(archive, entries, depth, quota)
        _check_ratio(unpacked, size)
    return media_type, unpacked


def _count_entries(file: BinaryIO, quota: _Quota) -> None:
    """Count entries before `zipfile` allocates them: a directory of a million entries is itself an attack."""
    try:
        quota.entries -= count_entries(file, quota.entries)
    except TooManyEntries:
        raise _refusal("archive_entries") from None
    except BadDirectory:
        raise _refusal("archive_damaged") from None


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len({entry.filename for entry in entries}) != len(entries):
        # Of two entries with one name, another program may open the one that was not checked.
        raise _refusal("archive_damaged")
    for entry in entries:
        _check_entry(entry)
    packed = sum(entry.compress_size for entry in entries)
    if packed > size:
        raise _refusal("archive_ratio")
    _check_ratio(sum(entry.file_size for entry in entries), packed)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 0x2041 or entry.compress_type == 99:
        raise _refusal("encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refusal("archive_method")
    name = entry.filename.replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
        raise _refusal("archive_path")
    stored_grew = entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size
    # Deflate adds at most a few bytes per 64 KiB: a larger packed size means that the unpacked size is false.
    if stored_grew or entry.compress_size > entry.file_size + entry.file_size // 512 + 64:
        raise _refusal("archive_ratio")


def _check_ratio(unpacked: int, packed: int) -> None:
    if unpacked > MAX_UNPACKED_BYTES or (unpacked > RATIO_CHECK_MIN_BYTES and unpacked > MAX_RATIO * max(packed, 1)):
        raise _refusal("archive_ratio")


def _check_bodies(file: BinaryIO, entries: list[zipfile.ZipInfo], size: int) -> None:
    """Check that no entries overlap and that the largest ones inflate to the size given in the directory."""
    end, budget, bodies = 0, max(MIN_INFLATE_BUDGET_BYTES, 2 * size), []
    for entry in sorted(entries, key=lambda e: e.header_offset):
        if entry.header_offset < end:
            raise _refusal("archive_ratio")
        body = _body_at(file, entry)
        end = body + entry.compress_size
        bodies.append((entry, body))
    for entry, body in sorted(bodies, key=lambda each: each[0].compress_size, reverse=True):
        if entry.compress_type == zipfile.ZIP_DEFLATED and budget > 0:
            budget -= _inflate(file, body, entry, budget)


def _body_at(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    file.seek(entry.header_offset)
    mark, _, flags, method, _, _, _, _, _, name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    if mark != b"PK\x03\x04" or method != entry.compress_type:
        raise _refusal("archive_damaged")
    if flags & 0x2041:
        raise _refusal("encrypted")
    return entry.header_offset + LOCAL_HEADER.size + int(name) + int(extra)


def _inflate(file: BinaryIO, body: int, entry: zipfile.ZipInfo, budget: int) -> int:
    """Inflate an entry up to `budget` bytes and return their number; more bytes than declared are refused."""
    most = min(entry.file_size + 1, budget)
    inflate, out, left = zlib.decompressobj(-15), 0, entry.compress_size
    file.seek(body)
    while left and out < most and not inflate.eof:
        chunk = file.read(min(left, 16 * 1024))
        if not chunk:
            raise _refusal("archive_damaged")
        left -= len(chunk)
        while (chunk or inflate.unconsumed_tail) and out < most and not inflate.eof:
            out += len(inflate.decompress(chunk or inflate.unconsumed_tail, min(most - out, 64 * 1024)))
            chunk = b""
    if out > entry.file_size:
        raise _refusal("archive_ratio")
    return out


def _detect_type(archive: zipfile.ZipFile) -> str | None:
    names = set(archive.namelist())
    if "[Content_Types].xml" in names:
        return _detect_office_type(archive, names)
    if "mimetype" in names:
        return _detect_open_document_type(archive, names)
    return ZIP


def _detect_office_type(archive: zipfile.ZipFile, names: set[str]) -> str | None:
    if len({name.lower() for name in names}) != len(names):
        raise _refusal("archive_damaged")  # office programs treat such names as one
    types = _content_types(archive)
    if any(mark in one.lower() for mark in MACRO_KEYWORDS for one in (*types, *names)):
        raise _refusal("macro")
    kinds = [kind for kind in (DOCX, XLSX) if f"{kind}.main+xml" in types]
    return kinds[0] if len(kinds) == 1 else None


def _content_types(archive: zipfile.ZipFile) -> set[str]:
    """Return the media types of the parts, parsed as XML, because the same type can be encoded in many ways."""
    types: set[str] = set()
    try:
        part = BytesIO(_part(archive, "[Content_Types].xml"))
        for count, (_, element) in enumerate(iterparse(part, ("start",), forbid_dtd=True)):
            if count > MAX_CONTENT_TYPES:
                raise _refusal("archive_damaged")
            types.add(element.get("ContentType", ""))
    except (ParseError, DefusedXmlException):
        raise _refusal("archive_damaged") from None
    return types


def _detect_open_document_type(archive: zipfile.ZipFile, names: set[str]) -> str | None:
    kind = _part(archive, "mimetype").decode("ascii", "replace").strip()
    if kind not in (ODT, ODS):
        return None
    if any(name.startswith(("Basic/", "Scripts/")) for name in names):
        raise _refusal("macro")
    if "META-INF/manifest.xml" in names and b"encryption-data" in _part(archive, "META-INF/manifest.xml"):
        raise _refusal("encrypted")
    return kind


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(MAX_PART_BYTES)


def _check_nested(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], depth: int, quota: _Quota) -> int:
    """Check nested archives against the same shared limits and return their unpacked bytes."""
    unpacked = 0
    for entry in _nested_archives(archive, entries):
        quota.nested -= 1
        if depth == MAX_DEPTH or quota.nested < 0 or entry.file_size > MAX_NESTED_BYTES or unpacked > MAX_NESTED_BYTES:
            raise _refusal("archive_nested")
        with archive.open(entry) as inner:
            held = BytesIO(inner.read(MAX_NESTED_BYTES + 1))
        if not held.getvalue().startswith(b"PK"):
            raise _refusal("archive_nested")
        unpacked += _check_archive(held, depth + 1, quota)[1]
    return unpacked


def _nested_archives(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    for entry in entries:
        name = entry.filename.lower()
        if not name.endswith((*NESTED_SUFFIXES, *OPAQUE_SUFFIXES)) or not entry.file_size:
            continue
        if _is_system_file(name) and not _has_archive_signature(archive, entry):
            continue
        if name.endswith(OPAQUE_SUFFIXES):
            raise _refusal("archive_nested")
        yield entry


def _is_system_file(name: str) -> bool:
    """Whether Finder, Explorer or Office added the file on its own; `name` is in lower case."""
    *folders, last = name.replace("\\", "/").split("/")
    return "__macosx" in folders or last.startswith(SYSTEM_PREFIXES) or last in SYSTEM_NAMES


def _has_archive_signature(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    with archive.open(entry) as inner:
        return inner.read(MAX_SIGNATURE_BYTES).startswith(ARCHIVE_SIGNATURES)


def _refusal(code: str) -> DocumentRefused:
    return DocumentRefused(code, REFUSAL_MESSAGES[code])
