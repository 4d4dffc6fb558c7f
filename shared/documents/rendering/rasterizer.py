"""Rasterizes one page of a document to PNG. Runs only in the sandbox, because it reads hostile bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO

import pypdfium2
from PIL import Image, ImageChops, ImageOps

from shared.documents.sandbox.protocol import NO_SUCH_PAGE, PAGE_SIZE, PAGES, SUCCEEDED, TOO_LARGE, UNRENDERABLE

WIDTH, HEIGHT = 1200, 3600
"""Maximum size of a page image in pixels, unless another width is asked for."""
HEIGHT_RATIO = HEIGHT // WIDTH
ROTATIONS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
"""Degrees clockwise; Pillow counts the other way."""
MAX_RASTER_BYTES = 300 * 1024**2
TALL_RATIO, WIDE_RATIO, WIDE_PART_RATIO = 3, 4, 2
"""An image with a larger ratio of height to width, or of width to height, is shown in parts to stay readable; the parts of a
wide image have the last ratio."""
OVERLAP_DIVISOR = 40
"""Each part repeats at least the last fortieth of the one before, so that no line of text is cut."""
STRIP_ROWS = 64
MAX_PARTS = 400
MAX_PDF_PAGES = 10_000
"""A small file may claim a million pages, whose sizes alone would fill the memory of the service."""
BOTTOM_UP_ORIENTATIONS, RIGHT_TO_LEFT_ORIENTATIONS = (3, 4, 6, 7), (2, 3, 7, 8)
"""EXIF orientations in which the last stored row or column is displayed first."""
FIRST_TURNED_ORIENTATION = 5
"""EXIF orientations from this one exchange width and height."""

GREY_LEVELS, PALETTE_SIZE = 16, 256

Box = tuple[float, float, float, float]


class PageNotFound(Exception):
    """The document has no page with this number."""


class TooLarge(Exception):
    """The image does not fit into the memory limit."""


def render_page_job(
    content: bytes, media_type: str, page: int, width: int = WIDTH, rotation: int = 0
) -> tuple[int, bytes]:
    """Return an exit status and, if it is 0, the number of pages followed by the page as PNG."""
    try:
        image, pages = rasterize(content, media_type, page, width)
        turned = image.transpose(ROTATIONS[rotation]) if rotation in ROTATIONS else image
        return SUCCEEDED, PAGES.pack(pages) + encode_png(turned)
    except PageNotFound:
        return NO_SUCH_PAGE, b""
    except (TooLarge, MemoryError):
        return TOO_LARGE, b""
    except Exception:  # a parser may raise anything for hostile bytes
        return UNRENDERABLE, b""


def measure_pages_job(content: bytes, media_type: str) -> tuple[int, bytes]:
    """Return an exit status and, if it is 0, the size of each page image."""
    try:
        boxes = _pdf_boxes(content) if media_type == "application/pdf" else _image_boxes(content)
        return SUCCEEDED, b"".join(PAGE_SIZE.pack(*_scaled_size(box)) for box in boxes)
    except Exception:  # a parser may raise anything for hostile bytes
        return UNRENDERABLE, b""


def _scaled_size(box: Box) -> tuple[int, int]:
    width, height = max(box[2] - box[0], 1), max(box[3] - box[1], 1)
    scale = min(WIDTH / width, HEIGHT / height)
    return max(1, math.ceil(width * scale)), max(1, math.ceil(height * scale))


def rasterize(content: bytes, media_type: str, page: int, width: int = WIDTH) -> tuple[Image.Image, int]:
    """Return the image of the page, at most `width` pixels wide, and the number of pages."""
    if media_type == "application/pdf":
        return _pdf_page(content, page, width)
    return _image_page(content, page, width)


def encode_png(image: Image.Image) -> bytes:
    """Encode with few colours: a scanned letter stays readable and needs a quarter of the bytes on a slow connection."""
    grey = image.mode == "L" or _is_grey(image)
    quantized = (
        image.convert("L").quantize(GREY_LEVELS, dither=Image.Dither.NONE)
        if grey
        else image.quantize(PALETTE_SIZE, Image.Quantize.FASTOCTREE)
    )
    out = BytesIO()
    quantized.save(out, "PNG", compress_level=9)
    return out.getvalue()


def _pdf_boxes(content: bytes) -> list[Box]:
    document = pypdfium2.PdfDocument(content)
    return [box for _page, box in _numbered_boxes(document)]


def _numbered_boxes(document: pypdfium2.PdfDocument) -> list[tuple[int, Box]]:
    """Return the boxes of all pages, each with the index of its page."""
    if len(document) > MAX_PDF_PAGES:
        raise ValueError("too many pages")
    boxes: list[tuple[int, Box]] = []
    for page in range(len(document)):
        boxes += [(page, box) for box in boxes_of(document, page)]
        if len(boxes) > MAX_PDF_PAGES:
            raise ValueError("too many parts of pages")
    return boxes


def _pdf_page(content: bytes, number: int, width_limit: int) -> tuple[Image.Image, int]:
    document = pypdfium2.PdfDocument(content)
    boxes = _numbered_boxes(document)
    if not 1 <= number <= len(boxes):
        raise PageNotFound
    document.init_forms()
    index, (left, top, right, bottom) = boxes[number - 1]
    page = document[index]
    width, height = page.get_size()
    bitmap = page.render(
        scale=min(width_limit / (right - left), HEIGHT_RATIO * width_limit / (bottom - top)),
        crop=(left, height - bottom, width - right, top),
        may_draw_forms=True,
    )
    return bitmap.to_pil().convert("RGB"), len(boxes)


def boxes_of(document: pypdfium2.PdfDocument, page: int) -> list[Box]:
    """Return the boxes of a page, more than one if it is shown in parts."""
    try:
        return page_boxes(*document.get_page_size(page))
    except RuntimeError:  # a damaged page is reported when it is rendered itself
        return [(0, 0, WIDTH, WIDTH)]


def _image_boxes(content: bytes) -> list[Box]:
    """Return the boxes of an image as it is displayed, without decoding it."""
    Image.MAX_IMAGE_PIXELS = None  # nothing is decoded
    image = Image.open(BytesIO(content), formats=("PNG", "JPEG"))
    is_turned = image.getexif().get(0x0112, 1) >= FIRST_TURNED_ORIENTATION
    return page_boxes(*((image.height, image.width) if is_turned else image.size))


def _image_page(content: bytes, number: int, width_limit: int) -> tuple[Image.Image, int]:
    Image.MAX_IMAGE_PIXELS = None  # replaced by MAX_RASTER_BYTES
    image: Image.Image = Image.open(BytesIO(content), formats=("PNG", "JPEG"))
    # Decode a JPEG at a fraction of its size, while its shorter side keeps twice the displayed pixels.
    image.draft("RGB", (2 * WIDTH, 2 * WIDTH))
    if image.width * image.height * _bytes_per_pixel(image.mode) > MAX_RASTER_BYTES:
        raise TooLarge
    boxes = page_boxes(image.width, image.height)
    if not 1 <= number <= len(boxes):
        raise PageNotFound
    orientation = image.getexif().get(0x0112, 1)
    if orientation in (BOTTOM_UP_ORIENTATIONS if image.height > image.width else RIGHT_TO_LEFT_ORIENTATIONS):
        boxes.reverse()
    part = _apply_orientation(_downscale(image, boxes[number - 1]), orientation)
    part.thumbnail((width_limit, HEIGHT_RATIO * width_limit))
    return part, len(boxes)


def page_boxes(width: float, height: float) -> list[Box]:
    """Return the boxes into which an image or page of this size is split: one, or overlapping parts of a long one."""
    if min(width, height) < 1:
        return [(0, 0, width, height)]
    if height > TALL_RATIO * width:
        return [(0, begin, width, end) for begin, end in _parts(height, TALL_RATIO * width)]
    if width > WIDE_RATIO * height:
        return [(begin, 0, end, height) for begin, end in _parts(width, WIDE_PART_RATIO * height)]
    return [(0, 0, width, height)]


def _parts(length: float, longest: float) -> list[tuple[float, float]]:
    """Split a length into equal overlapping parts; they are longer where there would be too many."""
    longest = max(longest, length / MAX_PARTS)
    count = math.ceil((length - longest) / (longest - longest // OVERLAP_DIVISOR)) + 1
    begins = [number * (length - longest) / (count - 1) for number in range(count)]
    return [(begin, begin + longest) for begin in begins]


def _bytes_per_pixel(mode: str) -> int:
    return {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "LA": 4}.get(mode, 4)


def _downscale(image: Image.Image, box: Box) -> Image.Image:
    """Return this part of the image in RGB on white, at most about twice the displayed size.

    It is converted strip by strip, because the whole image in RGB would need several times the memory.
    """
    left, top, right, bottom = int(box[0]), int(box[1]), math.ceil(box[2]), math.ceil(box[3])
    factor = max(1, (right - left) // (2 * WIDTH), (bottom - top) // (2 * HEIGHT))
    canvas = Image.new("RGB", (-(-(right - left) // factor), -(-(bottom - top) // factor)))
    convert = _rgb_converter(image)
    for begin in range(top, bottom, STRIP_ROWS * factor):
        strip = convert(image.crop((left, begin, right, min(bottom, begin + STRIP_ROWS * factor))))
        canvas.paste(strip.reduce(factor), (0, (begin - top) // factor))
    return canvas


def _rgb_converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return a function that converts parts of the image to RGB."""
    image.load()  # sets the mode of some formats
    if image.mode.startswith("I") or image.mode == "F":
        return _convert_sixteen_bits
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return _flatten_on_white
    return lambda part: part.convert("RGB")


def _convert_sixteen_bits(part: Image.Image) -> Image.Image:
    """Keep the upper eight bits; Pillow's own conversion turns every value over 255 into white."""
    wide = part.convert("I")
    return wide.point(lambda value: value * (255 / 65535)).convert("L").convert("RGB")


def _flatten_on_white(part: Image.Image) -> Image.Image:
    clear = part.convert("RGBA")
    canvas = Image.new("RGBA", clear.size, "white")
    canvas.alpha_composite(clear)
    return canvas.convert("RGB")


def _apply_orientation(part: Image.Image, orientation: int) -> Image.Image:
    part.getexif()[0x0112] = orientation
    return ImageOps.exif_transpose(part)


def _is_grey(image: Image.Image) -> bool:
    red, green, blue = image.split()
    differences = ImageChops.lighter(ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return not any(differences.histogram()[9:])
