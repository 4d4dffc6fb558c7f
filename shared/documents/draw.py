"""Draws one page of a document as PNG. What it reads is hostile until proven otherwise, so it runs in the sandbox only."""

from __future__ import annotations

import struct
from io import BytesIO

from PIL import Image, ImageChops, ImageOps

WIDTH, HEIGHT = 1200, 3600
PIXELS = 40_000_000
NO_SUCH_PAGE, UNRENDERABLE = 3, 4
PAGES = struct.Struct(">I")
"""The answer is the number of pages, then the picture."""

GREYS, COLOURS = 16, 256


class NoSuchPage(Exception):
    """The document has fewer pages."""


def draw_job(content: bytes, media_type: str, page: int) -> tuple[int, bytes]:
    """An exit status and, if it is 0, the number of pages and the page as PNG."""
    try:
        image, pages = draw(content, media_type, page)
        return 0, PAGES.pack(pages) + as_png(image)
    except NoSuchPage:
        return NO_SUCH_PAGE, b""
    except Exception:  # whatever a parser makes of hostile bytes, the answer is the same
        return UNRENDERABLE, b""


def draw(content: bytes, media_type: str, page: int) -> tuple[Image.Image, int]:
    """The page's picture and the number of pages."""
    return _pdf_page(content, page) if media_type == "application/pdf" else (_picture(content, page), 1)


def as_png(image: Image.Image) -> bytes:
    """Few colours: a scanned letter stays readable and crosses a thin link in a quarter of the bytes."""
    grey = image.mode == "L" or _is_grey(image)
    few = (
        image.convert("L").quantize(GREYS, dither=Image.Dither.NONE)
        if grey
        else image.quantize(COLOURS, Image.Quantize.FASTOCTREE)
    )
    out = BytesIO()
    few.save(out, "PNG", compress_level=6)
    return out.getvalue()


def _pdf_page(content: bytes, number: int) -> tuple[Image.Image, int]:
    import pypdfium2  # pictures need not wait for it

    document = pypdfium2.PdfDocument(content)
    if not 1 <= number <= len(document):
        raise NoSuchPage
    document.init_forms()
    page = document[number - 1]
    width, height = page.get_size()
    bitmap = page.render(scale=min(WIDTH / width, HEIGHT / height), may_draw_forms=True)
    return bitmap.to_pil().convert("RGB"), len(document)


def _picture(content: bytes, number: int) -> Image.Image:
    if number != 1:
        raise NoSuchPage
    Image.MAX_IMAGE_PIXELS = None
    image: Image.Image = Image.open(BytesIO(content), formats=("PNG", "JPEG"))
    image.draft("RGB", (2 * WIDTH, 2 * WIDTH))
    # After the draft: a JPEG is decoded at a fraction of its size, so a large photograph is welcome.
    if image.width * image.height > PIXELS:
        raise ValueError("too many pixels")
    image.thumbnail((2 * WIDTH, 2 * HEIGHT), reducing_gap=2.0)
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((WIDTH, HEIGHT))
    return _on_white(upright)


def _on_white(image: Image.Image) -> Image.Image:
    clear = image.convert("RGBA")
    paper = Image.new("RGBA", clear.size, "white")
    paper.alpha_composite(clear)
    return paper.convert("RGB")


def _is_grey(image: Image.Image) -> bool:
    red, green, blue = image.split()
    differences = ImageChops.lighter(ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return not any(differences.histogram()[9:])
