"""Sizes of files as people read them."""

from __future__ import annotations

KIB, MIB = 1024, 1024 * 1024


def format_size(size: int) -> str:
    """612 KB, 6,4 MB or 25 MB."""
    if size < MIB:
        return f"{max(1, round(size / KIB))} KB"
    return f"{size / MIB:.1f} MB".replace(".0 MB", " MB").replace(".", ",")
