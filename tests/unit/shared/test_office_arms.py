"""The coat of arms of the office must be a small PNG image."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.settings import InvalidSettings, load_settings


def png(width: int, height: int, more: bytes = b"") -> bytes:
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0dIHDR" + size + b"\x08\x06\x00\x00\x00" + more


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "must be a PNG image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "must be a PNG image"),
        (png(64, 64)[:20], "must be a PNG image"),
        (png(64, 64, bytes(32 * 1024)), "must have at most 32768 bytes"),
        (png(513, 64), "must have at most 512 x 512 pixels, and has 513 x 64"),
        (png(64, 0), "must have at most 512 x 512 pixels, and has 64 x 0"),
    ],
)
def test_another_file_is_refused_at_the_start(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "lambang.png"
    file.write_bytes(content)
    with pytest.raises(InvalidSettings, match=reason) as refused:
        load_settings(office_arms=str(file))
    assert "SIMPUL_OFFICE_ARMS" in str(refused.value)


def test_a_missing_file_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"SIMPUL_OFFICE_ARMS.*cannot be read"):
        load_settings(office_arms=str(tmp_path / "none.png"))


def test_a_small_png_image_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "lambang.png"
    file.write_bytes(png(512, 512))
    assert load_settings(office_arms=str(file)).office_arms == file
