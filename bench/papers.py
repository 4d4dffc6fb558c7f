"""PDF files of a given size for the load: one page of text and a picture of noise, which nothing can make smaller."""

from __future__ import annotations

import io
import random

from fpdf import FPDF
from PIL import Image

OVERHEAD = 1200


def pdf_of(size: int, chance: random.Random) -> bytes:
    """A valid PDF of `size` bytes, to within one percent."""
    side = int(max(size - OVERHEAD, 3) ** 0.5)
    picture = Image.frombytes("L", (side, side), chance.randbytes(side * side))
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=1)
    paper = FPDF()
    paper.set_compression(True)
    paper.add_page()
    paper.set_font("Helvetica", size=12)
    paper.cell(text="Dokumen uji beban")
    paper.image(io.BytesIO(written.getvalue()), w=100)
    return bytes(paper.output())
