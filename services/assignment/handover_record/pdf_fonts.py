"""Fonts of the handover record: Times for the characters that it has, an embedded font for all others."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from fpdf import FPDF
    from fpdf.fonts import TTFFont

ENCODING = "windows-1252"
FALLBACK_FAMILY = "SimpulSerif"
"""A font with the metrics of Times (fonts/README.md), so that lines in either font break the same."""
FOLDER = Path(__file__).with_name("fonts")
FONT_FILES = {False: FOLDER / "SimpulSerif-Regular.ttf", True: FOLDER / "SimpulSerif-Bold.ttf"}

_UNDEFINED = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
_CODES = [code for code in (*range(32, 127), *range(128, 256)) if code not in _UNDEFINED | {0xA0, 0xAD}]
STANDARD_CHARACTERS = frozenset(bytes(_CODES).decode(ENCODING))
"""The characters of Times."""

_REPLACEMENTS = {
    "\u2011": "-",
    "\u2713": "\u221a",
    "\u2714": "\u221a",
    "\u2610": "[ ]",
    "\u2611": "[x]",
    "\u2612": "[x]",
    "\u21d2": "=>",
    "\u20b9": "INR",
    "\u20ba": "TRY",
    "\u20bd": "RUB",
    "\u20bf": "BTC",
    "\uf0b7": "\u2022",
    "\uf0a7": "\u25aa",
    "\uf0d8": "\u25ba",
    "\uf0e0": "\u2192",
    "\uf0fc": "\u221a",
}
"""Replacements for characters that neither font has; the last ones are bullets of word processors."""


def new_pdf(orientation: Literal["portrait", "landscape"] = "portrait") -> FPDF:
    """Return an empty document; the library is imported for the first one, which takes a fifth of the start of a process."""
    from fpdf import FPDF

    pdf = FPDF(orientation)
    pdf.core_fonts_encoding = ENCODING
    return pdf


def printable(text: str) -> str:
    """Return the text in characters of the fonts; line breaks stay.

    Other characters are replaced by equivalents, such as the letters of a ligature, or by their code point: `[U+65E5]`.
    Invisible ones are removed.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_printable_character, unicodedata.normalize("NFC", text)))


def is_standard(text: str) -> bool:
    """Return whether Times has every character of a printable text."""
    return STANDARD_CHARACTERS.issuperset(text)


def width_of(text: str, bold: bool, size: float) -> float:
    """Return the width in mm of one line of printable text."""
    widths = _standard_widths(bold)
    try:
        return sum(map(widths.__getitem__, text)) * size
    except KeyError:
        fallback = _fallback_widths(bold)
        return sum(widths[character] if character in widths else fallback[character] for character in text) * size


def add_fallback_font(pdf: FPDF, bold: bool) -> None:
    """Add the embedded font to a document unless it has it; only the glyphs that are used are embedded."""
    key = FALLBACK_FAMILY.lower() + ("B" if bold else "")
    if key not in pdf.fonts:
        pdf.add_font(FALLBACK_FAMILY, "B" if bold else "", FONT_FILES[bold])


@lru_cache(maxsize=4096)
def _printable_character(character: str) -> str:
    if character in STANDARD_CHARACTERS or character == "\n":
        return character
    if character.isspace():
        return " "
    if character in _fallback_widths(False):
        return character
    if character in _REPLACEMENTS:
        return _REPLACEMENTS[character]
    return _spell_out(character)


def _spell_out(character: str) -> str:
    """Return a substitute for a character that no font has."""
    category = unicodedata.category(character)
    if category in ("Cc", "Cf") or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return ""
    parts = unicodedata.normalize("NFKD", character)
    available = STANDARD_CHARACTERS | _fallback_widths(False).keys()
    return parts if parts != character and available.issuperset(parts) else f"[U+{ord(character):04X}]"


@cache
def _standard_widths(bold: bool) -> dict[str, float]:
    pdf = new_pdf()
    pdf.set_font("Times", "B" if bold else "", 100)
    return {character: pdf.get_string_width(character) / 100 for character in STANDARD_CHARACTERS}


@cache
def _fallback_widths(bold: bool) -> dict[str, float]:
    """Return the width of every character of the font in mm per point of size."""
    pdf = new_pdf()
    add_fallback_font(pdf, bold)
    pdf.set_font(FALLBACK_FAMILY, "B" if bold else "", 100)
    codes = cast("TTFFont", pdf.current_font).cmap
    return {chr(code): pdf.get_string_width(chr(code)) / 100 for code in codes}
