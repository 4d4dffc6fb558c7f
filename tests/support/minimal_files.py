"""Minimal valid files for tests that do not depend on their content."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image


def small_pdf(words: str = "Surat", *, pages: int = 1, comment: str = "") -> bytes:
    """Return a PDF with a line of text on each page; another comment makes other bytes."""
    text = f"BT /F 20 Tf 60 700 Td ({words}) Tj ET".encode("latin-1")
    kids = " ".join(f"{number} 0 R" for number in range(5, 5 + pages))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 3 0 R/Resources<</Font<</F 4 0 R>>>>>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {pages}>>".encode(),
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *[page] * pages,
    ]
    written, places = f"%PDF-1.7\n%{comment}\n".encode(), []
    for number, content in enumerate(objects, start=1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    trailer = b"trailer\n<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(written))
    return written + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def endless_pdf() -> bytes:
    """Return a PDF page with millions of overlapping transparent shapes."""
    content = zlib.compress(b"/G gs\n" + b"0 0 m 600 800 l 300 0 600 900 0 400 c 0 0 600 800 re f*\n" * 300_000)
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</ExtGState<</G<</ca .1>>>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(content), content),
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, part) for n, part in enumerate(parts, start=1))
    return b"%PDF-1.7\n" + body + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF"


def small_picture(kind: str = "PNG", size: tuple[int, int] = (20, 20), mode: str = "RGB", **options: object) -> bytes:
    """Return an image in one color; `kind` is a Pillow format."""
    out = BytesIO()
    Image.new(mode, size, "teal").save(out, kind, **options)
    return out.getvalue()


def large_png(width: int, height: int) -> bytes:
    """Return a highly compressed black and white PNG of any size."""
    rows, row = zlib.compressobj(9), b"\0" + b"\x55" * -(-width // 8)
    body = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    header = struct.pack(">LLBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4) for name, content in chunks
    )
