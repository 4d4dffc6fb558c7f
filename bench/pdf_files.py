"""PDF files of a given size for the load: one page of text and an image of noise, which cannot be compressed."""

from __future__ import annotations

import io
import random

from fpdf import FPDF
from PIL import Image

OVERHEAD = 1200


def pdf_of(size: int, rng: random.Random) -> bytes:
    """A valid PDF of `size` bytes, to within one percent."""
    side = int(max(size - OVERHEAD, 3) ** 0.5)
    picture = Image.frombytes("L", (side, side), rng.randbytes(side * side))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    pdf = FPDF()
    pdf.set_compression(True)
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.cell(text="Dokumen uji beban")
    pdf.image(io.BytesIO(buffer.getvalue()), w=100)
    return bytes(pdf.output())
