"""Integrity checks of PDF, PNG, JPEG and archives."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO

import pypdfium2
import pytest
from fpdf import FPDF
from PIL import Image

from shared.documents.inspection.detection import detect_media_type
from shared.documents.media_types import JPEG, PDF, PNG
from shared.documents.port import DocumentRefused
from tests.support import office_files
from tests.support.minimal_files import small_pdf, small_picture

LETTER = office_files.pdf("surat.pdf", "Surat permohonan.").content
PJL = b"\x1b%-12345X@PJL JOB\r\n@PJL ENTER LANGUAGE=PDF\r\n"


def locked(owner: str, user: str) -> bytes:
    paper = FPDF()
    paper.set_encryption(owner_password=owner, user_password=user)
    paper.add_page()
    paper.set_font("Helvetica", size=12)
    paper.cell(text="Surat")
    return bytes(paper.output())


def noisy(kind: str, size: tuple[int, int] = (300, 200), **options: object) -> bytes:
    """Build an image that compresses badly, so that half of the file lacks many rows."""
    out = BytesIO()
    Image.effect_noise(size, 80).save(out, kind, **options)
    return out.getvalue()


def updated(content: bytes) -> bytes:
    """Append an incremental update: a second version of the first object, a table and an end marker."""
    previous = content.rindex(b"startxref\n") + len(b"startxref\n")
    offset = content[previous:].split(b"\n")[0]
    new = b"1 0 obj\n<</Type/Catalog/Pages 2 0 R/Lang(id)>>\nendobj\n"
    table = b"xref\n1 1\n%010d 00000 n \n" % len(content)
    trailer = b"trailer\n<</Root 1 0 R/Size 6/Prev %s>>\nstartxref\n%d\n%%%%EOF\n" % (offset, len(content + new))
    return content + new + table + trailer


def code(name: str, content: bytes) -> str:
    with pytest.raises(DocumentRefused) as refusal:
        detect_media_type(name, BytesIO(content))
    assert refusal.value.message.endswith(".")
    return refusal.value.code


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("surat.pdf", LETTER, PDF),
        ("surat.pdf", small_pdf(pages=3), PDF),
        ("surat.pdf", updated(small_pdf()), PDF),
        ("dari printer.pdf", PJL + LETTER, PDF),
        ("di ujung.pdf", b" " * 1023 + LETTER, PDF),
        ("dari server.pdf", LETTER + b"\r\n<!-- halaman dibuat dalam 0,2 detik -->" + bytes(500_000), PDF),
        ("hanya dilarang mencetak.pdf", locked("rahasia", ""), PDF),
        ("foto.png", noisy("PNG"), PNG),
        ("pindai.png", small_picture("PNG", (33, 9), "1"), PNG),
        ("pindai.png", small_picture("PNG", (33, 9), "I;16"), PNG),
        ("bening.png", small_picture("PNG", (33, 9), "RGBA"), PNG),
        ("terbatas.png", small_picture("PNG", (33, 9), "P", bits=2), PNG),
        ("foto.png", noisy("PNG") + b"sisa", PNG),
        ("foto.jpg", noisy("JPEG"), JPEG),
        ("foto.jpg", noisy("JPEG", progressive=True), JPEG),
        ("foto.jpg", small_picture("JPEG", (30, 20), "CMYK"), JPEG),
        ("foto.jpg", noisy("JPEG") + bytes(3000), JPEG),
    ],
)
def test_a_complete_file_is_accepted(name: str, content: bytes, media_type: str):
    assert detect_media_type(name, BytesIO(content)) == media_type


WHOLE = {
    "surat.pdf": LETTER,
    "kecil.pdf": small_pdf(),
    "berubah.pdf": updated(small_pdf()),
    "foto.png": noisy("PNG"),
    "foto.jpg": noisy("JPEG"),
    "bertahap.jpg": noisy("JPEG", progressive=True),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("percent", [1, 10, 50, 75, 90, 97])
def test_a_truncated_file_is_refused(name: str, percent: int):
    content = WHOLE[name]
    assert code(name, content[: max(9, len(content) * percent // 100)]) == "damaged"


@pytest.mark.parametrize("name", WHOLE)
def test_a_truncated_file_padded_with_zeros_is_refused(name: str):
    content = WHOLE[name]
    half = len(content) // 2
    assert code(name, content[:half] + bytes(len(content) - half)) == "damaged"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("surat.pdf", b"%PDF-1.7\nno more than this"),
        ("surat.pdf", b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"),
        ("jauh.pdf", b" " * 1024 + LETTER),
        ("foto.png", noisy("PNG").replace(b"IDAT", b"IDaT")),
        ("foto.png", b"\x89PNG\r\n\x1a\n"),
        ("foto.jpg", b"\xff\xd8\xff\xe0" + bytes(100)),
    ],
)
def test_a_damaged_file_is_refused(name: str, content: bytes):
    assert code(name, content) in ("damaged", "not_accepted")


def test_a_flipped_bit_in_a_png_is_detected():
    content = noisy("PNG")
    at = content.index(b"IDAT") + 500
    assert code("foto.png", content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]) == "damaged"


def test_a_pdf_with_a_password_is_refused_with_a_message():
    with pytest.raises(DocumentRefused, match="kata sandi") as refusal:
        detect_media_type("surat.pdf", BytesIO(locked("rahasia", "kunci")))
    assert refusal.value.code == "encrypted"


def test_a_pdf_with_trailing_bytes_is_accepted():
    document = pypdfium2.PdfDocument.new()
    document.new_page(200, 300)
    out = BytesIO()
    document.save(out)
    assert detect_media_type("surat.pdf", out) == PDF


def interlaced(size: tuple[int, int]) -> bytes:
    """Build an interlaced grey PNG, which Pillow can read but not write."""
    width, height = size
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(
        b"\0" + bytes(range(len(range(x, width, right))))
        for x, y, right, down in passes
        for _ in range(y, height, down)
        if range(x, width, right)
    )
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 0, 0, 0, 1])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4) for name, content in chunks
    )


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (8, 8), (33, 17)])
def test_an_interlaced_png_is_accepted(size: tuple[int, int]):
    content = interlaced(size)
    Image.open(BytesIO(content)).load()
    assert detect_media_type("foto.png", BytesIO(content)) == PNG


@pytest.mark.parametrize("change", [lambda content: content[:-13], lambda content: content[:60]])
def test_a_truncated_interlaced_png_is_refused(change: Callable[[bytes], bytes]):
    assert code("foto.png", change(interlaced((33, 17)))) == "damaged"
