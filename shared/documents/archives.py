"""What a ZIP archive is (plain, DOCX, XLSX, ODT, ODS) and whether unpacking it would harm, without unpacking it."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shared.documents.port import DocumentRefused

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ZIP = "application/zip"

ENTRIES = 5_000
DIRECTORY = 1024**2
UNPACKED = 512 * 1024**2
RATIO = 100
RATIO_FROM = 10 * 1024**2
"""Below this many unpacked bytes a high ratio harms nobody, and small spreadsheets do reach it."""
DEPTH = 2
NESTED = 32 * 1024**2
NESTED_COUNT = 200
PART = 1024**2
INFLATED = 512 * 1024

NESTED_SUFFIXES = (".zip", ".docx", ".xlsx", ".odt", ".ods", ".pptx", ".jar")
OPAQUE_SUFFIXES = (".7z", ".rar", ".gz", ".bz2", ".xz", ".zst", ".tgz")
MACRO_MARKS = ("macroenabled", "macrosheet", "vbaproject")
END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
LOCAL_HEADER = struct.Struct("<4s5H3L2H")

SENTENCES = {
    "archive_damaged": "Arsip rusak atau tidak lengkap sehingga tidak dapat diperiksa. Mohon buat ulang berkasnya.",
    "archive_entries": f"Arsip memuat terlalu banyak berkas (paling banyak {ENTRIES:,}).".replace(",", "."),
    "archive_ratio": "Arsip ditolak karena isinya akan mengembang jauh melebihi ukuran yang wajar ketika dibuka.",
    "archive_nested": "Arsip memuat arsip lain yang terlalu dalam, terlalu besar, atau tidak dapat diperiksa.",
    "archive_path": "Arsip memuat nama berkas yang menunjuk ke luar foldernya.",
    "archive_method": "Arsip memakai cara pemampatan yang tidak dikenal. Mohon buat ulang sebagai ZIP biasa.",
    "encrypted": "Berkas terkunci dengan kata sandi. Mohon kirim berkas tanpa kata sandi.",
    "macro": "Dokumen memuat makro. Mohon simpan ulang tanpa makro (DOCX, XLSX, ODT, atau ODS biasa).",
}


def archive_type(file: BinaryIO) -> str | None:
    """The media type of an archive, or None when it is of a kind that is not taken in.

    Raises DocumentRefused with one of the codes in SENTENCES. Reads the directory at the end of the file, and inflates
    at most half a MiB or twice the file's size to see whether the sizes written there are true, beside nested archives
    of at most 32 MiB.
    """
    try:
        return _checked(file, depth=0)[0]
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, RuntimeError):
        # What the standard library raises for hostile bytes is not one family.
        raise _refused("archive_damaged") from None


def _checked(file: BinaryIO, depth: int) -> tuple[str | None, int]:
    size = file.seek(0, os.SEEK_END)
    _check_directory_size(file, size)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        _check_entries(entries, size)
        _check_bodies(file, entries, size)
        media_type = _kind(archive)
        unpacked = sum(entry.file_size for entry in entries) + _nested(archive, entries, depth)
        _check_ratio(unpacked, size)
    return media_type, unpacked


def _check_directory_size(file: BinaryIO, size: int) -> None:
    """Before anything is parsed: a directory of a million entries is itself the attack."""
    tail_at = max(0, size - END_OF_DIRECTORY.size - 0xFFFF)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise _refused("archive_damaged")
    _, disk, first_disk, here, total, length, _, _ = END_OF_DIRECTORY.unpack_from(tail, at)
    if total > ENTRIES or length > DIRECTORY:
        raise _refused("archive_entries")
    if disk or first_disk or here != total:
        raise _refused("archive_damaged")


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > ENTRIES:
        raise _refused("archive_entries")
    if len({entry.filename for entry in entries}) != len(entries):
        raise _refused(
            "archive_damaged"
        )  # of two files with one name, whoever opens it may see another than was checked
    for entry in entries:
        _check_entry(entry)
    packed = sum(entry.compress_size for entry in entries)
    if packed > size:
        raise _refused("archive_ratio")
    _check_ratio(sum(entry.file_size for entry in entries), packed)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 0x2041 or entry.compress_type == 99:
        raise _refused("encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused("archive_method")
    name = entry.filename.replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
        raise _refused("archive_path")
    stored_grew = entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size
    # Deflate adds a few bytes in 64 KiB at the very most: more packed than unpacked bytes means the size is a lie.
    if stored_grew or entry.compress_size > entry.file_size + entry.file_size // 512 + 64:
        raise _refused("archive_ratio")


def _check_ratio(unpacked: int, packed: int) -> None:
    if unpacked > UNPACKED or (unpacked > RATIO_FROM and unpacked > RATIO * max(packed, 1)):
        raise _refused("archive_ratio")


def _check_bodies(file: BinaryIO, entries: list[zipfile.ZipInfo], size: int) -> None:
    """No two entries share bytes, and the largest ones inflate to what the directory says of them."""
    end, budget, bodies = 0, max(INFLATED, 2 * size), []
    for entry in sorted(entries, key=lambda e: e.header_offset):
        if entry.header_offset < end:
            raise _refused("archive_ratio")
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
        raise _refused("archive_damaged")
    if flags & 0x2041:
        raise _refused("encrypted")
    return entry.header_offset + LOCAL_HEADER.size + int(name) + int(extra)


def _inflate(file: BinaryIO, body: int, entry: zipfile.ZipInfo, budget: int) -> int:
    """How many bytes came out, at most `budget` and one more than declared, which is refused."""
    most = min(entry.file_size + 1, budget)
    inflate, out, left = zlib.decompressobj(-15), 0, entry.compress_size
    file.seek(body)
    while left and out < most and not inflate.eof:
        piece = file.read(min(left, 16 * 1024))
        if not piece:
            raise _refused("archive_damaged")
        left -= len(piece)
        while (piece or inflate.unconsumed_tail) and out < most and not inflate.eof:
            out += len(inflate.decompress(piece or inflate.unconsumed_tail, min(most - out, 64 * 1024)))
            piece = b""
    if out > entry.file_size:
        raise _refused("archive_ratio")
    return out


def _kind(archive: zipfile.ZipFile) -> str | None:
    names = set(archive.namelist())
    if "[Content_Types].xml" in names:
        return _office_kind(archive, names)
    if "mimetype" in names:
        return _open_document_kind(archive, names)
    return ZIP


def _office_kind(archive: zipfile.ZipFile, names: set[str]) -> str | None:
    if len({name.lower() for name in names}) != len(names):
        raise _refused("archive_damaged")  # to office programs such names are one
    types = _content_types(archive)
    if any(mark in one.lower() for mark in MACRO_MARKS for one in (*types, *names)):
        raise _refused("macro")
    kinds = [kind for kind in (DOCX, XLSX) if f"{kind}.main+xml" in types]
    return kinds[0] if len(kinds) == 1 else None


def _content_types(archive: zipfile.ZipFile) -> set[str]:
    """The media types of its parts, as programs read them: not as bytes, which may be written in many ways."""
    try:
        root = fromstring(_part(archive, "[Content_Types].xml"), forbid_dtd=True)
    except (ParseError, DefusedXmlException):
        raise _refused("archive_damaged") from None
    return {part.get("ContentType", "") for part in root.iter()}


def _open_document_kind(archive: zipfile.ZipFile, names: set[str]) -> str | None:
    kind = _part(archive, "mimetype").decode("ascii", "replace").strip()
    if kind not in (ODT, ODS):
        return None
    if any(name.startswith(("Basic/", "Scripts/")) for name in names):
        raise _refused("macro")
    if "META-INF/manifest.xml" in names and b"encryption-data" in _part(archive, "META-INF/manifest.xml"):
        raise _refused("encrypted")
    return kind


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(PART)


def _nested(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], depth: int) -> int:
    """Unpacked bytes of the archives inside, all of them together held to the same limits."""
    unpacked = 0
    for count, entry in enumerate(_archives_among(entries)):
        if depth == DEPTH or count == NESTED_COUNT or entry.file_size > NESTED or unpacked > NESTED:
            raise _refused("archive_nested")
        with archive.open(entry) as inner:
            held = BytesIO(inner.read(NESTED + 1))
        if not held.getvalue().startswith(b"PK"):
            raise _refused("archive_nested")
        unpacked += _checked(held, depth + 1)[1]
    return unpacked


def _archives_among(entries: list[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    for entry in entries:
        if entry.filename.lower().endswith(OPAQUE_SUFFIXES):
            raise _refused("archive_nested")
        if entry.filename.lower().endswith(NESTED_SUFFIXES) and entry.file_size:
            yield entry


def _refused(code: str) -> DocumentRefused:
    return DocumentRefused(code, SENTENCES[code])
