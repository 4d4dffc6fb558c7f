"""Whether a PNG or JPEG is whole: every row is decoded or accounted for, in memory that does not grow with its size."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

from shared.documents.port import DocumentRefused

MAX_PIXELS = 400_000_000
MAX_PROGRESSIVE_PIXELS = 60_000_000
"""A progressive JPEG is held in memory whole, six bytes for each pixel."""
MAX_PNG_BYTES = 1024**3
MAX_CHUNKS = 100_000
MAX_SEGMENTS = 5_000
INFLATE_BUFFER_BYTES = 256 * 1024

REFUSAL_MESSAGES = {
    "damaged": "Gambar rusak atau tidak lengkap, mungkin terpotong ketika disalin atau diunduh. "
    "Mohon kirim ulang dari berkas aslinya.",
    "too_complex": "Gambar terlalu besar untuk diperiksa. Mohon perkecil ukurannya, lalu kirim kembali.",
}

_SEGMENT = struct.Struct(">BBH")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"
_CHUNK = struct.Struct(">L4s")
_HEADER = struct.Struct(">LLBBBBB")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of an interlaced PNG: first column, first row, columns and rows from one pixel to the next."""


def check_png(file: BinaryIO) -> None:
    """Raises DocumentRefused unless the file has every chunk up to the last and as many bytes of pixels as it should."""
    file.seek(8)
    expected = received = 0
    inflate = zlib.decompressobj()
    try:
        for name, content in _chunks(file):
            if name == b"IHDR":
                expected = _decoded_bytes(*_HEADER.unpack(content))
            elif name == b"IDAT" and expected and not inflate.eof:
                received += _count_inflated(inflate, content, expected - received)
    except (struct.error, zlib.error, KeyError):
        raise _refusal("damaged") from None
    if not expected or received < expected:
        raise _refusal("damaged")


def check_jpeg(file: BinaryIO) -> None:
    """Raises DocumentRefused unless the whole picture can be decoded; it is decoded at an eighth of its size."""
    _check_jpeg_end(file)
    file.seek(0)
    Image.MAX_IMAGE_PIXELS = None  # held to a limit of ours
    try:
        image = Image.open(file, formats=("JPEG",))
        if image.width * image.height > (MAX_PROGRESSIVE_PIXELS if "progressive" in image.info else MAX_PIXELS):
            raise _refusal("too_complex")
        image.draft("L", (1, 1))
        image.load()
    except (OSError, SyntaxError, ValueError, struct.error, IndexError, TypeError, KeyError, EOFError):
        # What the decoder raises for hostile bytes is not one family.
        raise _refusal("damaged") from None


def _check_jpeg_end(file: BinaryIO) -> None:
    """A decoder takes zeros for pixels, so that the end mark has to be there as well."""
    file.seek(2)
    for _ in range(MAX_SEGMENTS):
        mark, kind, length = _SEGMENT.unpack(file.read(_SEGMENT.size).ljust(_SEGMENT.size, b"\0"))
        if mark != 0xFF or (length < 2 and kind != 0xFF):
            raise _refusal("damaged")
        if kind == 0xFF:  # a mark may be preceded by any number of these
            file.seek(1 - _SEGMENT.size, os.SEEK_CUR)
            continue
        if kind == _START_OF_SCAN:
            break
        file.seek(length - 2, os.SEEK_CUR)
    if _END_OF_IMAGE not in file.read():
        raise _refusal("damaged")


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk that matters, up to the one that ends the picture."""
    for _ in range(MAX_CHUNKS):
        length, name = _CHUNK.unpack(file.read(_CHUNK.size))
        if length > 2**31 - 1:
            raise _refusal("damaged")
        content = file.read(length)
        checksum = file.read(4)
        if len(content) != length or len(checksum) != 4:
            raise _refusal("damaged")
        if not name[:1].isupper():
            continue  # what readers may pass over
        if zlib.crc32(content, zlib.crc32(name)) != int.from_bytes(checksum):
            raise _refusal("damaged")
        if name == b"IEND":
            return
        yield name, content
    raise _refusal("too_complex")


def _decoded_bytes(width: int, height: int, depth: int, colour: int, _: int, __: int, interlaced: int) -> int:
    """How many bytes the pixels take before they are compressed, one byte of each row included that says how."""
    bits = depth * _CHANNELS[colour]
    sizes = [(width, height)]
    if interlaced:
        sizes = [(-(-(width - x) // right), -(-(height - y) // down)) for x, y, right, down in _PASSES]
    total = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)
    if total > MAX_PNG_BYTES or width * height > MAX_PIXELS:
        raise _refusal("too_complex")
    return total


def _count_inflated(inflate: zlib._Decompress, content: bytes, wanted: int) -> int:
    """How many bytes came out of this piece, at most one buffer more than are wanted."""
    received = 0
    while content and received < wanted and not inflate.eof:
        received += len(inflate.decompress(content, INFLATE_BUFFER_BYTES))
        content = inflate.unconsumed_tail
    return received


def _refusal(code: str) -> DocumentRefused:
    return DocumentRefused(code, REFUSAL_MESSAGES[code])
