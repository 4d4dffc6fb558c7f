"""Sizes of files as people read them."""

from __future__ import annotations

KIB, MIB = 1024, 1024 * 1024


def size_words(size: int) -> str:
    """612 KB or 6,4 MB."""
    return f"{size / MIB:.1f} MB".replace(".", ",") if size >= MIB else f"{max(1, round(size / KIB))} KB"
