"""Words are searched in the text of PDF files by a child process, so that hostile documents affect nothing else."""

from __future__ import annotations

from io import BytesIO

import pytest
from fpdf import FPDF
from PIL import Image

from shared.documents.rendering import text_finder
from shared.documents.rendering.page_renderer import (
    PageRenderer,
    RenderTimeout,
    TextMatch,
    TextMatches,
    Unrenderable,
)
from tests.integration.documents.test_page_images import PDF, PNG, letter, picture, pieces
from tests.support.minimal_files import endless_pdf


def written(*pages: tuple[str, ...], size: tuple[float, float] = (210, 297)) -> bytes:
    pdf = FPDF(format=size)
    for lines in pages:
        pdf.add_page()
        pdf.set_font("Times", size=14)
        for number, line in enumerate(lines):
            pdf.text(20, 20 + 8 * number, line)
    return bytes(pdf.output())


def scan() -> bytes:
    out = BytesIO()
    Image.new("L", (200, 280), "white").save(out, "PDF")
    return out.getvalue()


async def find(content: bytes, words: str, media_type: str = PDF) -> TextMatches:
    return await PageRenderer().find_text(pieces(content), media_type, words)


async def test_words_are_found_on_each_page_over_lines_and_whatever_their_accents():
    content = written(
        ("Surat permohonan", "PERTUKARAN  data Jum'at"),
        ("Tidak ada apa-apa.",),
        ("Pertukar\xe1n data.", "Jumat: pertukaran data jumat."),
    )
    assert await find(content, "pertukaran data jumat") == TextMatches(
        (
            TextMatch(1, 1, "Surat permohonan PERTUKARAN data Jum'at"),
            TextMatch(3, 1, "Pertukar\xe1n data. Jumat: pertukaran data jumat."),
        ),
        has_text=True,
    )
    assert await find(content, "perjanjian") == TextMatches(has_text=True)


async def test_a_scan_and_a_picture_have_no_text():
    assert await find(scan(), "surat") == TextMatches()
    assert await find(picture("PNG", (10, 10)), "surat", PNG) == TextMatches()


async def test_a_page_is_numbered_as_it_is_shown_after_one_in_parts():
    long = FPDF()
    long.add_page(format=(100, 700))
    long.add_page(format=(210, 297))
    long.set_font("Times", size=14)
    long.text(20, 20, "Lampiran")
    content = bytes(long.output())
    sizes = await PageRenderer().measure(pieces(content), PDF)
    found = await find(content, "lampiran")
    assert len(sizes) > 2
    assert [match.page for match in found.matches] == [len(sizes)]


def test_of_a_very_long_document_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_finder, "MAX_PAGES", 2)
    assert text_finder.find_text(letter(3), "halaman 3") == {"matches": [], "has_text": True, "is_complete": False}
    monkeypatch.setattr(text_finder, "MAX_MATCHES", 1)
    found = text_finder.find_text(letter(2), "halaman")
    assert found == {"matches": [(1, 1, "Halaman 1")], "has_text": True, "is_complete": False}


async def test_hostile_files_end_in_a_sentence():
    with pytest.raises(Unrenderable):
        await find(b"%PDF-1.7 damaged", "surat")
    assert (await find(endless_pdf(), "surat")).matches == ()
    with pytest.raises(RenderTimeout):
        await PageRenderer(seconds=0.01).find_text(pieces(letter(300)), PDF, "halaman")
