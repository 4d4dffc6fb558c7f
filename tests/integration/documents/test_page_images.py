"""Pages are rendered in child processes, so that hostile documents affect nothing else."""

import asyncio
import os
import struct
import zlib
from collections.abc import AsyncIterator
from io import BytesIO
from itertools import pairwise
from time import monotonic

import pytest
from fpdf import FPDF
from PIL import Image, ImageOps

from shared.documents.rendering.page_renderer import (
    PageImage,
    PageNotFound,
    PageRenderer,
    RenderTimeout,
    TooLargeToRender,
    Unrenderable,
)
from shared.documents.rendering.rasterizer import page_boxes
from tests.support.minimal_files import endless_pdf, large_png

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
    """Build a small file that declares an image of side x side pixels."""
    header = struct.pack(">LLBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), 65_536):
        yield content[begin : begin + 65_536]


async def drawn(content: bytes, media_type: str, page: int = 1, images: PageRenderer | None = None) -> PageImage:
    return await (images or PageRenderer()).render(pieces(content), media_type, page)


def opened(image: PageImage) -> Image.Image:
    return Image.open(BytesIO(image.png), formats=("PNG",))


async def test_a_page_of_a_pdf_is_rendered():
    image = await drawn(letter(), PDF, page=2)
    assert (image.page, image.pages) == (2, 3)
    assert opened(image).width == 1200
    assert len(image.png) < 30_000


@pytest.mark.parametrize(
    ("content", "media_type"), [(picture("PNG", (3000, 2000), "RGBA"), PNG), (picture("JPEG", (3000, 2000)), JPEG)]
)
async def test_an_image_has_one_page_and_is_scaled_down(content: bytes, media_type: str):
    image = await drawn(content, media_type)
    assert (image.page, image.pages) == (1, 1)
    assert opened(image).size == (1200, 800)


async def test_a_photo_is_rotated_upright():
    turned = Image.Exif()
    turned[0x0112] = 6
    assert opened(await drawn(picture("JPEG", (900, 600), exif=turned), JPEG)).size == (600, 900)


@pytest.mark.parametrize(
    ("content", "media_type", "page"),
    [(letter(), PDF, 4), (letter(), PDF, 0), (letter(), PDF, -1), (picture("PNG", (9, 9)), PNG, 2)],
)
async def test_a_missing_page_is_reported(content: bytes, media_type: str, page: int):
    with pytest.raises(PageNotFound):
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
    ],
)
async def test_an_unrenderable_document_is_reported(content: bytes, media_type: str):
    with pytest.raises(Unrenderable):
        await drawn(content, media_type)


@pytest.mark.parametrize("content", [large_png(19_000, 19_000), bomb(60_000)])
async def test_an_image_with_too_many_pixels_is_reported(content: bytes):
    with pytest.raises(TooLargeToRender):
        await drawn(content, PNG)
    assert "Silakan unduh" in TooLargeToRender.message


def part_of(image: PageImage, box: tuple[float, float, float, float]) -> tuple[int, int]:
    """Return the darkest and lightest grey of a part, given in fractions of the page."""
    page = opened(image).convert("L")
    left, top, right, bottom = box
    part = page.crop(
        (int(left * page.width), int(top * page.height), int(right * page.width), int(bottom * page.height))
    )
    return part.getextrema()  # type: ignore[return-value]


def sixteen_bits(size: tuple[int, int], paper: int, ink: int) -> bytes:
    """Build a grey image whose upper half is dark."""
    width, height = size
    rows = ink.to_bytes(2, "little") * (width * (height // 2)) + paper.to_bytes(2, "little") * (width * -(-height // 2))
    out = BytesIO()
    Image.frombytes("I;16", size, rows).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("size", [(400, 300), (5000, 4000)])
async def test_a_sixteen_bit_scan_keeps_its_grey_levels(size: tuple[int, int]):
    image = await drawn(sixteen_bits(size, paper=60_000, ink=3_000), PNG)
    assert part_of(image, (0.1, 0.1, 0.9, 0.4)) == pytest.approx((11, 11), abs=8)
    assert part_of(image, (0.1, 0.6, 0.9, 0.9)) == pytest.approx((233, 233), abs=8)


def coloured(mode: str, colour: object, kind: str = "PNG") -> bytes:
    out = BytesIO()
    Image.new(mode, (300, 200), colour).save(out, kind)  # type: ignore[arg-type]
    return out.getvalue()


def with_clear_colour() -> bytes:
    """Build an image with a palette of red and an unused colour."""
    picture, out = Image.new("P", (300, 200), 1), BytesIO()
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.save(out, "PNG", transparency=1)
    return out.getvalue()


def colour_of_sixteen_bits() -> bytes:
    rows = (b"\0" + b"\xff\xff\x80\x00\x00\x00" * 300) * 200
    header = struct.pack(">LLBBBBB", 300, 200, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "media_type", "colour"),
    [
        (coloured("CMYK", (0, 255, 255, 0), "JPEG"), JPEG, (255, 0, 0)),
        (coloured("L", 90, "JPEG"), JPEG, (90, 90, 90)),
        (with_clear_colour(), PNG, (255, 255, 255)),
        (coloured("RGBA", (0, 0, 0, 0)), PNG, (255, 255, 255)),
        (coloured("LA", (0, 0)), PNG, (255, 255, 255)),
        (coloured("1", 1), PNG, (255, 255, 255)),
        (coloured("1", 0), PNG, (0, 0, 0)),
        (colour_of_sixteen_bits(), PNG, (255, 128, 0)),
    ],
)
async def test_every_image_mode_is_rendered_in_its_colours(content: bytes, media_type: str, colour: tuple[int, ...]):
    page = opened(await drawn(content, media_type)).convert("RGB")
    assert page.getpixel((150, 100)) == pytest.approx(colour, abs=10)


async def test_a_black_and_white_scan_is_scaled_down_in_greys():
    """Thin lines stay visible, as they would not if pixels were dropped."""
    lines, out = Image.new("1", (6000, 4000), 1), BytesIO()
    for row in range(0, 4000, 10):
        lines.paste(0, (0, row, 6000, row + 1))
    lines.save(out, "PNG")
    page = opened(await drawn(out.getvalue(), PNG)).convert("L")
    assert all(page.getpixel((600, row)) != 0 for row in range(800))
    assert any(page.getpixel((600, row)) < 255 for row in range(10, 20))  # type: ignore[operator]


def ruler(size: tuple[int, int], **options: object) -> bytes:
    """Build a white image with a black first and a grey last quarter along the longer side."""
    width, height = size
    picture, out = Image.new("L", size, 255), BytesIO()
    tall = height > width
    picture.paste(0, (0, 0, width, height // 4) if tall else (0, 0, width // 4, height))
    picture.paste(128, (0, height * 3 // 4, width, height) if tall else (width * 3 // 4, 0, width, height))
    picture.save(out, "JPEG", quality=90, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("size", "pages"), [((1080, 20_000), 7), ((20_000, 1080), 10), ((1000, 3000), 1), ((300, 15_000), 18)]
)
async def test_a_long_screenshot_is_split_into_readable_pages(size: tuple[int, int], pages: int):
    content = ruler(size)
    first, last = await drawn(content, JPEG), await drawn(content, JPEG, page=pages)
    assert (first.pages, last.pages) == (pages, pages)
    assert first.size[0] >= min(size[0], 1080)
    with pytest.raises(PageNotFound):
        await drawn(content, JPEG, page=pages + 1)
    if pages > 1:
        assert part_of(first, (0.1, 0.1, 0.9, 0.9)) == pytest.approx((0, 0), abs=20)
        assert part_of(last, (0.1, 0.1, 0.9, 0.9)) == pytest.approx((128, 128), abs=20)


def long_letter(size: tuple[float, float]) -> bytes:
    """Build a PDF of two A4 pages around one of this size (mm) that begins black and ends grey."""
    pdf = FPDF()
    pdf.add_page()
    pdf.add_page(format=size)
    width, height = size
    pdf.set_fill_color(0)
    pdf.rect(0, 0, width if height > width else width / 4, height / 4 if height > width else height, "F")
    pdf.set_fill_color(128)
    pdf.rect(0 if height > width else width * 3 / 4, height * 3 / 4 if height > width else 0, width, height, "F")
    pdf.add_page()
    return bytes(pdf.output())


@pytest.mark.parametrize("size", [(100, 2000), (2000, 100)])
async def test_a_long_pdf_page_is_split_into_readable_parts(size: tuple[float, float]):
    content = long_letter(size)
    pages = (await drawn(content, PDF)).pages
    assert pages > 6
    first, last = await drawn(content, PDF, page=2), await drawn(content, PDF, page=pages - 1)
    assert first.size[0] == last.size[0] == 1200
    assert part_of(first, (0.1, 0.1, 0.9, 0.9)) == pytest.approx((0, 0), abs=10)
    assert part_of(last, (0.1, 0.1, 0.9, 0.9)) == pytest.approx((128, 128), abs=10)
    assert part_of(await drawn(content, PDF, page=pages), (0.1, 0.1, 0.9, 0.9)) == (255, 255)


@pytest.mark.parametrize(
    "size", [(40, 65_000), (65_000, 40), (1, 10_000), (1080, 20_000), (3000, 9001), (7, 22), (0.5, 9e9)]
)
def test_the_parts_of_a_long_image_cover_all_of_it(size: tuple[float, float]):
    boxes = page_boxes(*size)
    assert len(boxes) < 500
    assert boxes[0][:2] == (0, 0)
    assert boxes[-1][2:] == pytest.approx(size)
    for one, other in pairwise(boxes):
        assert other[0] <= one[2]
        assert other[1] <= one[3]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(200, 2000), (2000, 200)])
async def test_the_pages_of_a_long_image_are_in_display_order(orientation: int, size: tuple[int, int]):
    turned = Image.Exif()
    turned[0x0112] = orientation
    content = ruler(size, exif=turned)
    seen = ImageOps.exif_transpose(Image.open(BytesIO(content)))
    begins_dark = seen.getpixel((20, 20)) == pytest.approx(0, abs=20)
    first = await drawn(content, JPEG)
    assert (part_of(first, (0.1, 0.1, 0.2, 0.2))[1] < 60) == begins_dark
    assert (first.size[0] > first.size[1]) == (seen.width > seen.height)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
async def test_a_scan_of_54_megapixels_is_rendered_within_the_memory_limit(mode: str):
    image = await drawn(picture("PNG", (9000, 6000), mode), PNG, images=PageRenderer(seconds=60))
    assert image.size == (1200, 800)


async def test_an_endless_page_is_stopped():
    begun = monotonic()
    with pytest.raises(RenderTimeout):
        await drawn(endless_pdf(), PDF, images=PageRenderer(seconds=1))
    assert monotonic() - begun < 20


async def test_a_child_without_memory_fails_alone():
    with pytest.raises(Unrenderable):
        await drawn(picture("PNG", (6000, 6000)), PNG, images=PageRenderer(memory=96 * 1024**2))


async def test_at_most_two_pages_are_rendered_concurrently():
    images = PageRenderer()
    answers = await asyncio.gather(*[drawn(letter(), PDF, 1 + n % 3, images) for n in range(5)])
    assert [answer.page for answer in answers] == [1, 2, 3, 1, 2]


async def test_a_cancelled_caller_leaves_no_child_behind():
    images = PageRenderer(max_concurrency=1)
    waiting = asyncio.create_task(drawn(endless_pdf(), PDF, images=images))
    await asyncio.sleep(0.5)
    waiting.cancel()
    begun = monotonic()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert monotonic() - begun < 5
    assert (await drawn(letter(), PDF, images=images)).pages == 3
