"""Checks that a PNG or JPEG is complete, in memory that does not grow with the image."""

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
"""The decoder holds a progressive JPEG in memory as a whole, six bytes per pixel."""
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
"""Passes of an interlaced PNG: first column, first row, column step, row step."""


def check_png(file: BinaryIO) -> None:
    """Check that all chunks up to the last are there and contain all pixels. Raises: DocumentRefused."""
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
    """Decode the whole image at an eighth of its size. Raises: DocumentRefused."""
    _check_jpeg_end(file)
    file.seek(0)
    Image.MAX_IMAGE_PIXELS = None  # replaced by the limits of this module
    try:
        image = Image.open(file, formats=("JPEG",))
        if image.width * image.height > (MAX_PROGRESSIVE_PIXELS if "progressive" in image.info else MAX_PIXELS):
            raise _refusal("too_complex")
        image.draft("L", (1, 1))
        image.load()
    except (OSError, SyntaxError, ValueError, struct.error, IndexError, TypeError, KeyError, EOFError):
        # The decoder raises unrelated exceptions for hostile bytes.
        raise _refusal("damaged") from None


def _check_jpeg_end(file: BinaryIO) -> None:
    """Check for the end marker, because the decoder fills missing pixels with zeros."""
    file.seek(2)
    for _ in range(MAX_SEGMENTS):
        mark, kind, length = _SEGMENT.unpack(file.read(_SEGMENT.size).ljust(_SEGMENT.size, b"\0"))
        if mark != 0xFF or (length < 2 and kind != 0xFF):
            raise _refusal("damaged")
        if kind == 0xFF:  # a marker may be preceded by any number of fill bytes
            file.seek(1 - _SEGMENT.size, os.SEEK_CUR)
            continue
        if kind == _START_OF_SCAN:
            break
        file.seek(length - 2, os.SEEK_CUR)
    if _END_OF_IMAGE not in file.read():
        raise _refusal("damaged")


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each critical chunk up to the end of the image."""
    for _ in range(MAX_CHUNKS):
        length, name = _CHUNK.unpack(file.read(_CHUNK.size))
        if length > 2**31 - 1:
            raise _refusal("damaged")
        content = file.read(length)
        checksum = file.read(4)
        if len(content) != length or len(checksum) != 4:
            raise _refusal("damaged")
        if not name[:1].isupper():
            continue  # an ancillary chunk, which readers may ignore
        if zlib.crc32(content, zlib.crc32(name)) != int.from_bytes(checksum):
            raise _refusal("damaged")
        if name == b"IEND":
            return
        yield name, content
    raise _refusal("too_complex")


def _decoded_bytes(width: int, height: int, depth: int, colour: int, _: int, __: int, interlaced: int) -> int:
    """Return the size of the uncompressed pixels, including one filter byte per row."""
    bits = depth * _CHANNELS[colour]
    sizes = [(width, height)]
    if interlaced:
        sizes = [(-(-(width - x) // right), -(-(height - y) // down)) for x, y, right, down in _PASSES]
    total = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)
    if total > MAX_PNG_BYTES or width * height > MAX_PIXELS:
        raise _refusal("too_complex")
    return total


def _count_inflated(inflate: zlib._Decompress, content: bytes, wanted: int) -> int:
    """Inflate a chunk and return the number of bytes, at most one buffer more than are wanted."""
    received = 0
    while content and received < wanted and not inflate.eof:
        received += len(inflate.decompress(content, INFLATE_BUFFER_BYTES))
        content = inflate.unconsumed_tail
    return received


def _refusal(code: str) -> DocumentRefused:
    return DocumentRefused(code, REFUSAL_MESSAGES[code])
