"""ZIP64 archives, nested archives and system files in archives."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO
from time import thread_time

import docx
import pytest

from shared.documents.inspection.archives import MAX_ENTRIES
from shared.documents.inspection.detection import detect_media_type
from shared.documents.media_types import ZIP
from shared.documents.port import DocumentRefused

END = struct.Struct("<4s4H2LH")
LOCATOR = struct.Struct("<4sLQL")
ZIP64_END = struct.Struct("<4sQ2H2L4Q")


def archive(parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return out.getvalue()


def word() -> bytes:
    out = BytesIO()
    docx.Document().save(out)
    return out.getvalue()


WORD = word()
LEFT_BY_FINDER = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(80)
LEFT_BY_OFFICE = b"\x0aNama Pegawai" + bytes(150)


def zip64(content: bytes, *, entries: int | None = None, record_at: int | None = None, plain: bool = False) -> bytes:
    """Add a ZIP64 record and locator before the end record, which then defers to them (unless `plain`)."""
    end_at = content.rindex(b"PK\x05\x06")
    _, _, _, _, total, length, offset, _ = END.unpack_from(content, end_at)
    count = total if entries is None else entries
    record = ZIP64_END.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = LOCATOR.pack(b"PK\x06\x07", 0, end_at if record_at is None else record_at, 1)
    deferred = END.pack(b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return content[:end_at] + record + locator + (content[end_at:] if plain else deferred)


def hidden_directory(entries: int, *, deferred: bool) -> bytes:
    """Build a large directory that only the ZIP64 record names; the end record names one entry or defers."""
    body = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + b"%07x" % number for number in range(entries))
    record = ZIP64_END.pack(b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, len(directory), len(body))
    locator = LOCATOR.pack(b"PK\6\7", 0, len(body) + len(directory), 1)
    said = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF) if deferred else (1, 1, 54, len(body))
    return body + directory + record + locator + END.pack(b"PK\5\6", 0, 0, *said, 0)


def judged(content: bytes) -> str:
    """Return the media type or the code of the refusal."""
    try:
        return detect_media_type("lampiran.zip", BytesIO(content))
    except DocumentRefused as refusal:
        return refusal.code


@pytest.mark.parametrize("plain", [True, False])
def test_a_zip64_archive_is_accepted_if_its_plain_record_defers_or_agrees(plain: bool):
    assert judged(zip64(archive({"isi.txt": b"isi", "dua.txt": b"dua"}), plain=plain)) == ZIP


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (hidden_directory(MAX_ENTRIES + 1, deferred=True), "archive_entries"),
        (hidden_directory(150_000, deferred=True), "archive_entries"),
        (hidden_directory(150_000, deferred=False), "archive_damaged"),
        (hidden_directory(2, deferred=False), "archive_damaged"),
        (zip64(archive({"isi.txt": b"isi"}), entries=2), "archive_damaged"),
        (zip64(archive({"isi.txt": b"isi", "dua.txt": b"dua"}), entries=1), "archive_damaged"),
        (zip64(archive({"isi.txt": b"isi"}), record_at=0), "archive_damaged"),
        (zip64(archive({"isi.txt": b"isi"}), entries=2**63), "archive_entries"),
    ],
    ids=lambda value: value if isinstance(value, str) else "archive",
)
def test_two_directories_or_an_oversized_one_are_refused(content: bytes, expected: str):
    assert judged(content) == expected


@pytest.mark.parametrize("deferred", [True, False])
def test_an_oversized_directory_is_refused_before_it_is_parsed(deferred: bool):
    outer = hidden_directory(150_000, deferred=deferred)
    nested = archive({"dalam.zip": outer})
    begun = thread_time()
    assert judged(outer) == ("archive_entries" if deferred else "archive_damaged")
    assert thread_time() - begun < 0.05
    assert judged(nested) == ("archive_entries" if deferred else "archive_damaged")
    assert thread_time() - begun < 0.5


def test_entries_of_nested_archives_count_together():
    inner = archive({f"{number}": b"" for number in range(MAX_ENTRIES // 4)})
    assert judged(archive({f"{number}.zip": inner for number in range(3)})) == ZIP
    assert judged(archive({f"{number}.zip": inner for number in range(4)})) == "archive_entries"


@pytest.mark.parametrize(
    "parts",
    [
        {"__MACOSX/._Kamus data.docx": LEFT_BY_FINDER, "__MACOSX/folder/._arsip.zip": LEFT_BY_FINDER},
        {"folder/._Kamus data.docx": LEFT_BY_FINDER, "._lama.rar": LEFT_BY_FINDER},
        {"~$Kamus data.docx": LEFT_BY_OFFICE, "folder/~$Daftar.xlsx": LEFT_BY_OFFICE},
        {".DS_Store": bytes(6148), "folder/Thumbs.db": bytes(3000), "desktop.ini": b"[.ShellClassInfo]"},
        {"kosong.rar": b""},
    ],
)
def test_system_files_of_finder_explorer_and_office_are_no_nested_archives(parts: dict[str, bytes]):
    assert judged(archive({"Kamus data.docx": WORD, **parts})) == ZIP


@pytest.mark.parametrize("name", ["__MACOSX/isi.zip", "._isi.zip", "~$isi.docx", "__MACOSX/isi.rar"])
def test_an_archive_named_like_a_system_file_is_still_checked(name: str):
    three_deep = archive({"a.zip": archive({"b.zip": archive({"c.zip": archive({"isi": b"isi"})})})})
    assert judged(archive({name: three_deep})) == "archive_nested"


def test_system_files_count_among_the_entries():
    many = {f"__MACOSX/._{number}": LEFT_BY_FINDER for number in range(MAX_ENTRIES)}
    assert judged(archive({"isi.txt": b"isi", **many})) == "archive_entries"


@pytest.mark.parametrize(
    "types",
    [
        b"<Types>" + b"<a/>" * 240_000 + b"</Types>",
        b"<Types>" + b"<a>" * 240_000,
        b"<Types " + b"a" * 9_000_000 + b"=''/>",
    ],
    ids=["wide", "deep", "long"],
)
def test_an_endless_list_of_content_types_is_refused_quickly(types: bytes):
    content = archive({"[Content_Types].xml": types})
    begun = thread_time()
    assert judged(content) == "archive_damaged"
    assert thread_time() - begun < 0.3
