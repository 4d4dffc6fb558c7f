"""Compression of pages and static files, with what the client accepts."""

from __future__ import annotations

import gzip

import cramjam

BROTLI, GZIP = "br", "gzip"
_FAST_LEVELS, _BEST_LEVELS = {BROTLI: 5, GZIP: 6}, {BROTLI: 11, GZIP: 9}


def negotiate_coding(accept_encoding: str) -> str:
    """Return the best content coding that the client accepts, "" for none."""
    offers = (offer.replace(" ", "").lower().partition(";") for offer in accept_encoding.split(","))
    accepted = {name for name, _, quality in offers if quality not in ("q=0", "q=0.0")}
    return next((coding for coding in (BROTLI, GZIP) if coding in accepted), "")


def compress(content: bytes, coding: str, *, best: bool = False) -> bytes:
    """Compress in this coding; `best` takes up to twenty times as long, for what is compressed once."""
    level = (_BEST_LEVELS if best else _FAST_LEVELS)[coding]
    if coding == BROTLI:
        return bytes(cramjam.brotli.compress(content, level=level))
    return gzip.compress(content, level, mtime=0)
