"""Pages are drawn in a child process that hostile documents may harm, and nothing else is."""

import asyncio
import os
import struct
import zlib
from collections.abc import AsyncIterator
from io import BytesIO
from time import monotonic

import pytest
from fpdf import FPDF
from PIL import Image

from shared.documents.pages import NoSuchPage, PageImage, PageImages, TookTooLong, Unrenderable

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"


def letter(pages: int = 3) -> bytes:
    pdf = FPDF()
    for number in range(1, pages + 1):
        pdf.add_page()
        pdf.set_font("Times", size=20)
        pdf.text(30, 40, f"Halaman {number}")
    return bytes(pdf.output())


def picture(kind: str, size: tuple[int, int], mode: str = "RGB", **options: object) -> bytes:
    out = BytesIO()
    Image.new(mode, size, "teal").save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))


def bomb(side: int) -> bytes:
    """A few bytes that say they are a picture of side x side pixels."""
    header = struct.pack(">LLBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def endless_pdf() -> bytes:
    """A page whose content draws millions of overlapping see-through shapes."""
    content = zlib.compress(b"/G gs\n" + b"0 0 m 600 800 l 300 0 600 900 0 400 c 0 0 600 800 re f*\n" * 300_000)
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</ExtGState<</G<</ca .1>>>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(content), content),
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, part) for n, part in enumerate(parts, start=1))
    return b"%PDF-1.7\n" + body + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF"


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), 65_536):
        yield content[begin : begin + 65_536]


async def drawn(content: bytes, media_type: str, page: int = 1, images: PageImages | None = None) -> PageImage:
    return await (images or PageImages()).draw(pieces(content), media_type, page)


def opened(image: PageImage) -> Image.Image:
    return Image.open(BytesIO(image.png), formats=("PNG",))


async def test_a_page_of_a_pdf_becomes_a_picture():
    image = await drawn(letter(), PDF, page=2)
    assert (image.page, image.pages) == (2, 3)
    assert opened(image).width == 1200
    assert len(image.png) < 30_000


@pytest.mark.parametrize(
    ("content", "media_type"), [(picture("PNG", (3000, 2000), "RGBA"), PNG), (picture("JPEG", (3000, 2000)), JPEG)]
)
async def test_a_picture_has_one_page_and_is_made_smaller(content: bytes, media_type: str):
    image = await drawn(content, media_type)
    assert (image.page, image.pages) == (1, 1)
    assert opened(image).size == (1200, 800)


async def test_a_photograph_stands_upright():
    turned = Image.Exif()
    turned[0x0112] = 6
    assert opened(await drawn(picture("JPEG", (900, 600), exif=turned), JPEG)).size == (600, 900)


@pytest.mark.parametrize(
    ("content", "media_type", "page"),
    [(letter(), PDF, 4), (letter(), PDF, 0), (letter(), PDF, -1), (picture("PNG", (9, 9)), PNG, 2)],
)
async def test_a_page_that_is_not_there_is_told_as_such(content: bytes, media_type: str, page: int):
    with pytest.raises(NoSuchPage):
        await drawn(content, media_type, page)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", PDF),
        (b"%PDF-1.7\n" + os.urandom(5000), PDF),
        (letter()[:400], PDF),
        (os.urandom(200_000), PNG),
        (picture("PNG", (50, 50)), JPEG[:-4] + "webp"),
        (letter(), "application/zip"),
        (bomb(60_000), PNG),
        (picture("PNG", (7000, 6000), "L"), PNG),
    ],
)
async def test_what_cannot_be_drawn_is_told_as_such(content: bytes, media_type: str):
    with pytest.raises(Unrenderable):
        await drawn(content, media_type)


async def test_a_page_that_never_ends_is_stopped():
    begun = monotonic()
    with pytest.raises(TookTooLong):
        await drawn(endless_pdf(), PDF, images=PageImages(seconds=1))
    assert monotonic() - begun < 20


async def test_a_child_without_memory_fails_alone():
    with pytest.raises(Unrenderable):
        await drawn(picture("PNG", (6000, 6000)), PNG, images=PageImages(memory=96 * 1024**2))


async def test_at_most_two_are_drawn_at_a_time_and_all_are_answered():
    images = PageImages()
    answers = await asyncio.gather(*[drawn(letter(), PDF, 1 + n % 3, images) for n in range(5)])
    assert [answer.page for answer in answers] == [1, 2, 3, 1, 2]


async def test_a_reader_who_goes_away_leaves_no_child_behind():
    images = PageImages(at_once=1)
    waiting = asyncio.create_task(drawn(endless_pdf(), PDF, images=images))
    await asyncio.sleep(0.5)
    waiting.cancel()
    begun = monotonic()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert monotonic() - begun < 5
    assert (await drawn(letter(), PDF, images=images)).pages == 3
