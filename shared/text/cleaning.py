"""Cleans text that was pasted into forms: invisible marks are removed unless they carry meaning."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\u02d7\u2e3a\u2e3b\ufe58\ufe63\uff0d"
"""Hyphens, dashes and minus signs other than the ASCII one."""
SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
LINE_BREAKS = "\v\f\x85\u2028\u2029"
"""Line breaks of word processors and old systems, other than CR and LF."""
QUOTES = "'\"`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u02bb\u02bc\u2032"

NUMBER_LABELS = frozenset({"NIP", "NI", "PPPK", "NIPPPK", "NRP", "NO", "NOMOR", "PEGAWAI", "ASN", "BARU"})
PHONE_LABELS = frozenset(
    {"TEL", "TELP", "TELEPON", "TELEPHONE", "TLP", "TLPN", "HP", "WA", "WHATSAPP", "HANDPHONE", "PHONE", "MOBILE"}
    | {"NO", "NOMOR", "KANTOR", "CP", "KONTAK"}
)

_ZWNJ, _ZWJ, _TAGS_END, _FLAG = "\u200c", "\u200d", "\U000e007f", "\U0001f3f4"
_MEANINGLESS = dict.fromkeys(
    map(
        ord,
        "\u00ad\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069"
        "\u206a\u206b\u206c\u206d\u206e\u206f\u3164\ufeff\uffa0\ufff9\ufffa\ufffb\U000e0001",
    )
)
_NONCHARACTERS = dict.fromkeys(
    [*range(0xFDD0, 0xFDF0), *(plane << 16 | end for plane in range(17) for end in (0xFFFE, 0xFFFF))]
)
_DROPPED = {**_MEANINGLESS, **_NONCHARACTERS}
_MAX_TAG_SEQUENCE = 16
_TAGS = frozenset(map(chr, range(0xE0020, 0xE0080)))
_VARIATIONS = frozenset(map(chr, range(0xFE00, 0xFE10)))
_IDEOGRAPH_VARIATIONS = frozenset(map(chr, range(0xE0100, 0xE01F0)))
_CONTEXTUAL_MARKS = _TAGS | _VARIATIONS | _IDEOGRAPH_VARIATIONS | {_ZWJ, _ZWNJ}
"""Invisible marks that carry meaning only after certain characters."""
_NUMBER_TRANSLATION = {
    **{ord(dash): "-" for dash in DASHES},
    **{ord(space): " " for space in (*SPACES, *LINE_BREAKS, "\t")},
}
_LINE_TRANSLATION = {ord(mark): " " for mark in (*SPACES, *LINE_BREAKS, "\t")} | {ord("\u2011"): "-"}
_PARAGRAPH_TRANSLATION = {ord(mark): "\n" for mark in (*LINE_BREAKS, "\r")} | {
    ord("\u00a0"): " ",
    ord("\u2007"): " ",
    ord("\u202f"): " ",
    ord("\u2011"): "-",
}


class ControlCharacter(ValueError):
    """The text contains a control character."""


def clean_line(text: str) -> str:
    """Clean a single line: tabs, unusual spaces and pasted line separators become one space.

    Raises ControlCharacter, also for CR and LF, which in a single line are an attempt to forge a header.
    """
    cleaned = remove_invisible(text).strip().translate(_LINE_TRANSLATION)
    _reject_controls(cleaned, "")
    return " ".join(cleaned.split())


def clean_paragraphs(text: str) -> str:
    """Clean text of several lines, and end them with LF. Raises ControlCharacter."""
    cleaned = remove_invisible(text.replace("\r\n", "\n")).translate(_PARAGRAPH_TRANSLATION)
    _reject_controls(cleaned, "\n\t")
    return cleaned.strip()


def parse_number(text: str) -> int | None:
    """Return a whole number of at most nine digits, None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def clean_number(text: str, labels: Collection[str] = NUMBER_LABELS) -> str:
    """Clean a number: plain hyphens and spaces, without a label, quotes or the apostrophe of a spreadsheet around it."""
    plain = _strip_quotes(remove_invisible(text).translate(_NUMBER_TRANSLATION))
    return _strip_quotes(_strip_label(plain, labels))


def clean_phone(text: str) -> str:
    """Clean a phone number like `clean_number`, with single spaces; the caller validates it."""
    return " ".join(clean_number(text, PHONE_LABELS).split())


def clean_email(text: str) -> str:
    """Clean an email address of invisible marks and of what a copied link adds; spaces within stay, and are invalid."""
    plain = remove_invisible(text).translate({ord(space): " " for space in SPACES}).strip()
    if plain.startswith("<") and plain.endswith(">"):
        plain = plain[1:-1].strip()
    return plain[len("mailto:") :].strip() if plain[:7].lower() == "mailto:" else plain


def remove_invisible(text: str) -> str:
    """Normalize to NFC and remove invisible marks, except those that joined emoji and some scripts need."""
    if text.isascii():
        return text
    # Composed before contextual marks are examined, too, because they depend on the character before them.
    text = unicodedata.normalize("NFC", text.translate(_DROPPED))
    return text if _CONTEXTUAL_MARKS.isdisjoint(text) else unicodedata.normalize("NFC", _remove_meaningless(text))


def _remove_meaningless(text: str) -> str:
    result: list[str] = []
    index = 0
    while index < len(text):
        mark = text[index]
        tags = _tag_sequence(text, index, result) if mark in _TAGS else ""
        if tags or (mark not in _TAGS and (mark not in _CONTEXTUAL_MARKS or _is_meaningful(text, index, result))):
            result.append(tags or mark)
        index += len(tags) or 1
    return "".join(result)


def _reject_controls(text: str, allowed: str) -> None:
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in allowed for letter in text):
        raise ControlCharacter("the text has a control character")


def _tag_sequence(text: str, index: int, result: list[str]) -> str:
    """Return the tag sequence that turns a black flag into a regional one, such as Scotland's, or ""."""
    end = text.find(_TAGS_END, index, index + _MAX_TAG_SEQUENCE) + 1
    tags = text[index:end]
    follows_flag = bool(result) and result[-1] == _FLAG
    return tags if follows_flag and len(tags) > 1 and _TAGS.issuperset(tags) else ""


def _is_meaningful(text: str, index: int, result: list[str]) -> bool:
    mark, before = text[index], result[-1][-1] if result else ""
    if mark in (_ZWJ, _ZWNJ):
        after = text[index + 1 : index + 2]
        joins = mark == _ZWJ and _is_symbol(before) and _is_symbol(after) and after not in _CONTEXTUAL_MARKS
        return joins or _has_joined_forms(before)
    return _accepts_variation(before) if mark in _VARIATIONS else _is_ideograph(before)


def _has_joined_forms(before: str) -> bool:
    """Return whether a joiner after this letter is visible, as in Arabic and the scripts of India."""
    if not before or unicodedata.category(before)[0] not in "LM":
        return False
    return "\u0590" <= before <= "\u1cff" or "\ua800" <= before <= "\uab2f" or before >= "\U00010a00"


def _is_symbol(mark: str) -> bool:
    """Return whether the character can be part of an emoji; those newer than Python's tables are unassigned code points."""
    if not mark:
        return False
    category = unicodedata.category(mark)
    unknown = category == "Cn" and mark >= "\U0001f000"
    return unknown or category in ("So", "Sk", "Sm", "Me") or mark in ("\ufe0f", _TAGS_END)


def _accepts_variation(before: str) -> bool:
    if not before or before.isspace() or before in _CONTEXTUAL_MARKS:
        return False
    return not (before.isalpha() and before < "\u1000")


def _is_ideograph(before: str) -> bool:
    return "\u3400" <= before <= "\u9fff" or "\U00020000" <= before < "\U000e0000"


def _strip_quotes(text: str) -> str:
    return text.strip(f" ={QUOTES}\n\r")


def _strip_label(text: str, labels: Collection[str]) -> str:
    """Remove everything before the first digit, plus sign or parenthesis if it consists of labels."""
    start = next((index for index, sign in enumerate(text) if sign in "+(" or sign.isdigit()), len(text))
    label_words = "".join(letter if letter.isalpha() else " " for letter in text[:start]).upper().split()
    return text[start:] if label_words and set(label_words) <= set(labels) else text
