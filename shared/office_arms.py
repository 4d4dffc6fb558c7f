"""The coat of arms of the office, an image file that an administrator names in the settings."""

from __future__ import annotations

from pathlib import Path

MAX_BYTES = 32 * 1024
"""Public pages load it, and stay light."""
MAX_PIXELS = 512
"""The greatest width and height."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_BYTES = 24
"""Signature, length and type of the first chunk, width and height."""


def read_office_arms(path: Path) -> bytes:
    """Return the image. Raises ValueError if the file is not readable, not a PNG image, or too large."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(content) < HEADER_BYTES or not content.startswith(SIGNATURE) or content[12:16] != b"IHDR":
        raise ValueError("must be a PNG image")
    if len(content) > MAX_BYTES:
        raise ValueError(f"must have at most {MAX_BYTES} bytes")
    width, height = int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    if not (0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS):
        raise ValueError(f"must have at most {MAX_PIXELS} x {MAX_PIXELS} pixels, and has {width} x {height}")
    return content
