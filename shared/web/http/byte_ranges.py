"""Range requests (RFC 9110, section 14), limited to a single range: enough to resume a download."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from shared.web.api.problems import Problem

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))", re.IGNORECASE)
_MAX_DIGITS = 18
"""Digits of a position; a longer number lies behind the end of any document."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`length` bytes from `offset` of a document of `size` bytes."""

    offset: int
    length: int
    size: int

    @property
    def content_range(self) -> str:
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{self.size}"


def requested_range(request: Request, etag: str, size: int) -> ByteRange | None:
    """Return the requested range, None for the whole document.

    Several ranges, another unit, a malformed range and an `If-Range` of another version all mean the whole document.

    Raises: Problem 416 for a range outside the document.
    """
    if_range_matches = request.headers.get("if-range", etag).strip() == etag
    match = _RANGE.fullmatch(request.headers.get("range", "").strip()) if if_range_matches else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is None:
        start, end = _parse_position(first), _parse_position(last) if last else size - 1
        if last and end < start:
            return None
    else:
        start, end = size - min(_parse_position(suffix), size), size - 1
    end = min(end, size - 1)
    if end < start:
        raise Problem(
            416,
            "Bagian dokumen yang diminta tidak ada. Unduh dokumen ini dari awal.",
            headers=unsatisfiable_headers(size),
        )
    return ByteRange(start, end - start + 1, size)


def unsatisfiable_headers(size: int) -> dict[str, str]:
    return {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}


def _parse_position(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS
