"""Detection of media types: accepted and refused uploads."""

import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from time import process_time

import docx
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as some
from odf.opendocument import OpenDocumentSpreadsheet, OpenDocumentText

from shared.documents.inspection import archives
from shared.documents.inspection.detection import detect_media_type
from shared.documents.media_types import DOCX, JPEG, ODS, ODT, PDF, PNG, XLSX, ZIP
from shared.documents.port import DocumentRefused
from tests.support.minimal_files import small_pdf, small_picture


def saved(save: Callable[[BytesIO], object]) -> bytes:
    out = BytesIO()
    save(out)
    return out.getvalue()


def archive(parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return out.getvalue()


def office(kind: str, **more: bytes) -> bytes:
    types = f'<Types><Override PartName="/main.xml" ContentType="{kind}"/></Types>'.encode()
    return archive({"[Content_Types].xml": types, "main.xml": b"<a/>", **more})


def disguised(kind: str, before: str = "") -> bytes:
    """Build a document whose declared type has no macros but which contains some."""
    parts = (
        f'<Override PartName="/a.xml" ContentType="{DOCX}.main+xml"/><Override PartName="/b.xml" ContentType="{kind}"/>'
    )
    return archive(
        {"[Content_Types].xml": f"{before}<Types>{parts}</Types>".encode(), "a.xml": b"<a/>", "b.xml": b"<b/>"}
    )


LETTER = small_pdf()
WORD = saved(docx.Document().save)
SHEET = saved(openpyxl.Workbook().save)
TEXT = saved(OpenDocumentText().write)
TABLE = saved(OpenDocumentSpreadsheet().write)
PLAIN = archive({"bacaan.txt": b"isi"})
PROGRAM = b"MZ\x90\x00" + bytes(200)
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)


def refused(name: str, content: bytes) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as refusal:
        detect_media_type(name, BytesIO(content))
    return refusal.value


def code(name: str, content: bytes) -> str:
    return refused(name, content).code


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("surat permohonan.pdf", LETTER, PDF),
        ("hasil pindai.PDF", b"\xef\xbb\xbf\r\n" + LETTER, PDF),
        ("foto.png", small_picture("PNG"), PNG),
        ("foto.jpg", small_picture("JPEG"), JPEG),
        ("foto.jpeg", small_picture("JPEG"), JPEG),
        ("kerangka acuan.docx", WORD, DOCX),
        ("daftar data.xlsx", SHEET, XLSX),
        ("kerangka acuan.odt", TEXT, ODT),
        ("daftar data.ods", TABLE, ODS),
        ("lampiran.zip", PLAIN, ZIP),
        ("hasil.zip", archive({"dokumen/laporan.docx": WORD, "data.xlsx": SHEET}, zipfile.ZIP_STORED), ZIP),
    ],
)
def test_each_type_is_accepted_by_content_and_extension(name: str, content: bytes, media_type: str):
    assert detect_media_type(name, BytesIO(content)) == media_type


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("surat.pdf", b"", "empty"),
        ("surat.pdf", PROGRAM, "program"),
        ("surat.pdf", b"\x7fELF\x02", "program"),
        ("surat.pdf", b"#!/bin/sh\nrm -rf", "program"),
        ("setup.exe", b"%PDF-1.7", "program"),
        ("surat\u202efdp.exe", b"%PDF-1.7", "program"),
        ("halaman.html", b"apa saja", "web_page"),
        ("surat.pdf", b"\xef\xbb\xbf \n<!DOCTYPE html><html>", "web_page"),
        ("surat.pdf", b"<!-- a --><script>alert(1)</script>", "web_page"),
        ("gambar.svg", b"apa saja", "svg"),
        ("gambar.png", b'<?xml version="1.0"?>\n<svg xmlns="x">', "svg"),
        ("surat.doc", OLD_OFFICE, "old_office"),
        ("surat.docx", OLD_OFFICE, "old_office"),
        ("catatan.txt", b"halo", "not_accepted"),
        ("catatan.pdf", b"halo", "not_accepted"),
        ("surat.txt", b"%PDF-1.7", "not_accepted"),
        ("gambar.gif", b"GIF89a", "not_accepted"),
        ("foto.png", small_picture("JPEG"), "mismatch"),
        ("surat.docx", SHEET, "mismatch"),
        ("surat.zip", WORD, "mismatch"),
        ("surat.docx", PLAIN, "mismatch"),
        ("surat.xlsm", SHEET, "macro"),
        ("surat.docx", office("application/vnd.ms-word.document.macroEnabled.main+xml"), "macro"),
        ("surat.docx", office(f"{DOCX}.main+xml", **{"word/vbaProject.bin": b"x"}), "macro"),
        ("surat.docx", disguised("application/vnd.ms-word.document.macro&#69;nabled.main+xml"), "macro"),
        ("surat.docx", disguised("application/vnd.ms-word.document.MacroEnabled.main+xml"), "macro"),
        ("surat.docx", disguised("&more;", '<!DOCTYPE Types [<!ENTITY more "macroEnabled">]>'), "archive_damaged"),
        ("surat.docx", office(f"{DOCX}.main+xml", **{"[content_types].xml": b"<Types/>"}), "archive_damaged"),
        ("surat.xlsx", office("application/vnd.ms-excel.macrosheet+xml"), "macro"),
        ("surat.odt", archive({"mimetype": ODT.encode(), "Basic/script-lc.xml": b"x"}), "macro"),
        ("surat.docx", office("application/vnd.openxmlformats-officedocument.presentationml"), "not_accepted"),
    ],
)
def test_everything_else_is_refused_with_a_reason(name: str, content: bytes, expected: str):
    assert code(name, content) == expected


def test_a_refusal_names_the_accepted_types():
    assert refused("catatan.txt", b"halo").message.endswith("PDF, DOCX, XLSX, ODT, ODS, PNG, JPEG, ZIP.")
    assert "DOCX, tetapi namanya berakhiran .zip" in refused("surat.zip", WORD).message


def patched(content: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """Write `value` at `offset` bytes after the last `mark`."""
    at = content.rindex(mark) + offset
    return content[:at] + value + content[at + len(value) :]


CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
STORED = archive({"isi.txt": b"isi"}, zipfile.ZIP_STORED)
ZEROS = bytes(20_000_000)
BOMB = archive({"nol.txt": ZEROS})
LYING_BOMB = patched(BOMB, CENTRAL, 24, struct.pack("<L", 30_000))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (BOMB, "archive_ratio"),
        (LYING_BOMB, "archive_ratio"),
        (patched(PLAIN, CENTRAL, 24, struct.pack("<L", 2**31)), "archive_ratio"),
        (patched(PLAIN, CENTRAL, 20, struct.pack("<L", 2**20)), "archive_ratio"),
        (patched(PLAIN, CENTRAL, 8, b"\x01"), "encrypted"),
        (patched(PLAIN, LOCAL, 6, b"\x01"), "encrypted"),
        (patched(PLAIN, CENTRAL, 10, b"\x63"), "encrypted"),
        (archive({"isi.txt": b"isi"}, zipfile.ZIP_LZMA), "archive_method"),
        (archive({"../../etc/cron.d/x": b"isi"}), "archive_path"),
        (archive({"/etc/passwd": b"isi"}), "archive_path"),
        (archive({"satu.txt": b"1", "dua_.txt": b"2"}).replace(b"dua_.txt", b"satu.txt"), "archive_damaged"),
        (archive({"..\\windows\\x": b"isi"}), "archive_path"),
        (archive({f"{n}": b"" for n in range(archives.MAX_ENTRIES + 1)}), "archive_entries"),
        (archive({f"{n}" + "n" * 60_000: b"" for n in range(20)}), "archive_entries"),
        (patched(STORED, CENTRAL, 20, struct.pack("<LL", 2**22, 2**22)), "archive_ratio"),
        (archive({"dalam.zip": BOMB}), "archive_ratio"),
        (archive({"a.zip": archive({"b.zip": archive({"c.zip": PLAIN})})}), "archive_nested"),
        (archive({"isi.7z": b"7z"}), "archive_nested"),
        (archive({"isi.zip": b"bukan zip"}), "archive_nested"),
        (archive({"isi.zip": bytes(archives.MAX_NESTED_BYTES + 1)}, zipfile.ZIP_STORED), "archive_nested"),
        (PLAIN[:-10], "archive_damaged"),
        (PLAIN[:20], "archive_damaged"),
        (LOCAL + bytes(100), "archive_damaged"),
        (patched(PLAIN, b"PK\x05\x06", 16, struct.pack("<L", 5)), "archive_damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "archive",
)
def test_a_harmful_archive_is_refused(content: bytes, expected: str):
    assert code("lampiran.zip", content) == expected


def test_overlapping_entries_are_refused():
    """Build an archive bomb of many overlapping entries with one body."""
    made = archive({"a": b"isi"})
    directory, end = made.index(CENTRAL), made.index(b"PK\x05\x06")
    one = made[directory:end]
    both = one + one[:46] + b"b" + one[47:]
    shared = made[:directory] + both + patched(made[end:], b"PK\x05\x06", 8, struct.pack("<HHL", 2, 2, len(both)))
    assert code("lampiran.zip", shared) == "archive_ratio"


def test_an_encrypted_open_document_is_refused():
    parts = {"mimetype": ODT.encode(), "META-INF/manifest.xml": b"<manifest:encryption-data/>"}
    assert code("surat.odt", archive(parts)) == "encrypted"


def test_a_bomb_is_refused_without_unpacking_it():
    begun = process_time()
    assert code("lampiran.zip", LYING_BOMB) == code("lampiran.zip", BOMB) == "archive_ratio"
    assert process_time() - begun < 0.05


@given(some.binary(max_size=400))
def test_hostile_bytes_after_a_signature_never_crash_the_detection(rest: bytes):
    for start in (LOCAL, PLAIN[:60], WORD[: len(WORD) // 2], b"%PDF-", b"<"):
        with suppress(DocumentRefused):
            detect_media_type("lampiran.zip", BytesIO(start + rest))


@given(some.integers(0, len(WORD) - 1), some.binary(min_size=1, max_size=8))
def test_a_damaged_archive_never_crashes_the_detection(at: int, noise: bytes):
    with suppress(DocumentRefused):
        detect_media_type("surat.docx", BytesIO(WORD[:at] + noise + WORD[at + len(noise) :]))
