"""Make the fonts of the handover record from Liberation Serif 2 (SIL Open Font License 1.1): `make fonts FROM=FOLDER`.

FOLDER contains LiberationSerif-Regular.ttf and LiberationSerif-Bold.ttf, as Debian's package fonts-liberation2 installs them. The
licence reserves the name Liberation for the original, so the subset has another name.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset

TARGET_FOLDER = Path(__file__).parents[1] / "services" / "assignment" / "handover_record" / "fonts"
FAMILY = "Simpul Serif"
RANGES = {
    "Latin: basic, supplement, extended A and B, IPA": (0x20, 0x2AF),
    "modifier letters and combining marks": (0x2B0, 0x36F),
    "Latin extended additional": (0x1E00, 0x1EFF),
    "punctuation, superscripts and subscripts, currency": (0x2000, 0x20CF),
    "letterlike symbols and number forms": (0x2100, 0x218F),
    "arrows and mathematical operators": (0x2190, 0x22FF),
    "box drawing, blocks, geometric shapes, symbols": (0x2500, 0x26FF),
    "ligatures": (0xFB00, 0xFB06),
}
INVISIBLE_CODE_POINTS = {
    *range(0x80, 0xA0),
    0xAD,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
}
KEPT_NAME_IDS = (0, 13, 14)
"""Copyright, licence, and URL of the licence."""


def main() -> None:
    for weight in ("Regular", "Bold"):
        options = subset.Options(
            layout_features=[], hinting=False, name_IDs=[*range(7), *KEPT_NAME_IDS], notdef_outline=True
        )
        font = subset.load_font(str(Path(sys.argv[1]) / f"LiberationSerif-{weight}.ttf"), options)
        subsetter = subset.Subsetter(options)
        codes = {code for first, last in RANGES.values() for code in range(first, last + 1)}
        subsetter.populate(unicodes=codes - INVISIBLE_CODE_POINTS)
        subsetter.subset(font)
        _rename(font["name"], weight)
        subset.save_font(font, str(TARGET_FOLDER / f"SimpulSerif-{weight}.ttf"), options)


def _rename(names: object, weight: str) -> None:
    plain = FAMILY.replace(" ", "")
    new = {1: FAMILY, 2: weight, 3: f"{plain}-{weight}", 4: f"{FAMILY} {weight}", 6: f"{plain}-{weight}"}
    for record in names.names:  # type: ignore[attr-defined]
        record.string = new.get(record.nameID, record.toUnicode())


if __name__ == "__main__":
    main()
