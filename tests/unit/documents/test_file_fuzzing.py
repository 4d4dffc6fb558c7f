"""Fuzzing of the inspection: any bytes and names yield a media type or a refusal, quickly."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from time import thread_time

import docx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from odf.opendocument import OpenDocumentText
from PIL import Image

from shared.documents.file_names import content_disposition, safe_name
from shared.documents.inspection.archives import detect_archive_type
from shared.documents.inspection.detection import detect_media_type
from shared.documents.inspection.signatures import first_element, foreign_format
from shared.documents.media_types import EXTENSIONS, LABELS, stored_name
from shared.documents.port import DocumentRefused
from shared.mail.address import mask_addresses
from shared.observability.logging import redact
from tests.support import office_files
from tests.support.minimal_files import large_png, small_pdf, small_picture

MAX_CPU_SECONDS = 0.1
"""Limit for an input of up to 64 KiB."""
MAX_BYTES = 64 * 1024


def saved(save: Callable[[BytesIO], object]) -> bytes:
    out = BytesIO()
    save(out)
    return out.getvalue()


def zipped(parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


WORD = saved(docx.Document().save)
SEEDS = {
    "surat.pdf": office_files.pdf("surat.pdf", "Surat permohonan.").content,
    "kecil.pdf": small_pdf(pages=3),
    "terkunci.pdf": office_files.encrypted_pdf("Surat."),
    "surat.docx": WORD,
    "surat.odt": saved(OpenDocumentText().write),
    "arsip.zip": zipped({"isi.txt": b"isi" * 500, "folder/dua.txt": b""}, zipfile.ZIP_STORED),
    "sarang.zip": zipped({"surat.docx": WORD, "dalam.zip": zipped({"isi.txt": b"isi"})}),
    "foto.png": saved(lambda out: Image.effect_noise((60, 40), 90).save(out, "PNG")),
    "pindai.png": small_picture("PNG", (40, 30), "I;16"),
    "besar.png": large_png(4000, 4000),
    "foto.jpg": saved(lambda out: Image.effect_noise((60, 40), 90).save(out, "JPEG")),
    "bertahap.jpg": saved(lambda out: Image.effect_noise((60, 40), 90).save(out, "JPEG", progressive=True)),
}
MARKS = (
    b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"%PDF-", b"%%EOF", b"startxref", b"\xff\xd8\xff", b"\xff\xd9",
    b"IDAT", b"IEND", b"<!--", b"-->", b"<?xml", b"\xff" * 4, b"\xff" * 8, bytes(8), b"\x7f\xff\xff\xff", b"obj", b"<<", b">>",
)  # fmt: skip


@some.composite
def mutated(draw: some.DrawFn) -> tuple[str, bytes]:
    """A valid file with bytes changed and parts removed, repeated or exchanged, under some name."""
    name = draw(some.sampled_from(sorted(SEEDS)))
    content = bytearray(SEEDS[name][:MAX_BYTES])
    for _ in range(draw(some.integers(0, 6))):
        at = draw(some.integers(0, len(content)))
        length = draw(some.sampled_from((1, 2, 4, 8, 64, 1000)))
        match draw(some.integers(0, 4)):
            case 0:
                content[at : at + length] = draw(some.binary(max_size=16))
            case 1:
                content[at:at] = content[at : at + length] * draw(some.integers(1, 30))
            case 2:
                mark = draw(some.sampled_from(MARKS))
                content[at : at + len(mark)] = mark
            case 3:
                del content[at : at + length]
            case _:
                content[at:at] = draw(some.sampled_from(MARKS)) * draw(some.integers(1, 500))
    extension = draw(some.sampled_from(("", *EXTENSIONS, "exe", "txt")))
    other = draw(some.booleans())
    return (f"berkas.{extension}" if other else name), mended(bytes(content[:MAX_BYTES]))


def mended(content: bytes) -> bytes:
    """Build a PNG with valid checksums, so that the checks behind them are reached."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    out, at = content[:8], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4])
        body = content[at + 4 : at + 8 + length]
        if len(body) < length + 4:
            break
        out += content[at : at + 4] + body + struct.pack(">L", zlib.crc32(body))
        at += 12 + length
    return out + content[at:]


def soon(call: Callable[[], object]) -> object:
    """Return the result of a call that takes at most a tenth of a second of CPU time (the better of two runs)."""
    result, best = None, float("inf")
    for _ in range(2):
        begun = thread_time()
        result = call()
        best = min(best, thread_time() - begun)
        if best < MAX_CPU_SECONDS:
            break
    assert best < MAX_CPU_SECONDS
    return result


def judged(name: str, content: bytes) -> str:
    try:
        return detect_media_type(name, BytesIO(content))
    except DocumentRefused as refusal:
        return f"refused as {refusal.code}: {refusal.message}"


def assert_judged(answer: str) -> None:
    """Check that the result is a media type, or a code with a complete message."""
    assert answer in LABELS or re.fullmatch(r"refused as [a-z_]+: \w.{20,400}\.", answer, re.DOTALL), answer


def of_archive(content: bytes) -> str | None:
    try:
        return detect_archive_type(BytesIO(content))
    except DocumentRefused:
        return None


FUZZED = settings(
    max_examples=settings().max_examples * 3, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@FUZZED
@given(mutated())
def test_a_mutated_file_is_inspected_quickly(sent: tuple[str, bytes]):
    assert_judged(str(soon(lambda: judged(*sent))))


@FUZZED
@given(mutated())
def test_bytes_after_an_archive_signature_are_inspected_quickly(sent: tuple[str, bytes]):
    assert soon(lambda: of_archive(b"PK\3\4" + sent[1][4:])) in (None, *LABELS)


@FUZZED
@given(
    some.lists(
        some.sampled_from((*MARKS, b"<!doctype ", b"<html", b" ", b"\n", b"\xef\xbb\xbf", b"<svg", b"ftyp", b"RIFF"))
    )
)
def test_the_head_of_a_file_is_inspected_in_one_pass(pieces: list[bytes]):
    head = (b"".join(pieces) * 500)[:MAX_BYTES]
    soon(lambda: (first_element(head), foreign_format(head)))
    assert_judged(str(soon(lambda: judged("surat.pdf", head))))


NAMES = some.text(max_size=2000) | some.lists(
    some.sampled_from(
        ("../", "\\", "\u202e", "\r\n", "\x00", ".pdf", "\uff02", "\uff1b", "\ufdfa", "a\u0301" * 50, "\ud800")
    ),
    max_size=400,
).map("".join)


@FUZZED
@given(NAMES, some.sampled_from(sorted(LABELS)))
def test_any_name_is_sanitized_quickly(raw: str, media_type: str):
    name = soon(lambda: stored_name(raw, media_type))
    assert safe_name(str(name)) == name
    header = str(soon(lambda: content_disposition(raw)))
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


LOG_PIECES = ("a", ".", "@", "-", "1", " ", "input_value=", "token=", "smtp://", "<", ":", "\n")


@settings(FUZZED, max_examples=settings().max_examples * 3 // 5)
@given(some.lists(some.sampled_from(LOG_PIECES), max_size=12))
def test_any_log_line_is_sanitized_quickly(pieces: list[str]):
    text = ("".join(pieces) * MAX_BYTES)[:MAX_BYTES]
    soon(lambda: redact(text))
    soon(lambda: mask_addresses(text))
