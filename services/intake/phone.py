"""Telephone numbers in the notations that people use: what can be one, and what cannot."""

from __future__ import annotations

from shared.text_cleaning import PHONE_LABELS

DIGITS = range(8, 21)
LONGEST = 40
MAX_EXTENSION_DIGITS = 6
EXTENSION_LABELS = frozenset({"EXT", "EXTENSION", "PES", "PESAWAT"})

_ASCII_DIGITS = frozenset("0123456789")
_BETWEEN_DIGITS = frozenset(" -./()")


def is_phone(cleaned: str) -> bool:
    """Whether a cleaned text is a number: 8 to 20 digits with spaces, hyphens, dots, slashes or parentheses between them.

    A plus sign may stand before them, and behind them an extension (`ext. 12`, `pes. 12`) or what the number is for (`(WA)`).
    Digits of other scripts are not digits here.
    """
    number, label, rest = _parted(cleaned)
    if len(cleaned) > LONGEST or not (not label or _is_extension(label, rest) or (label in PHONE_LABELS and not rest)):
        return False
    digits = number.lstrip("( ").removeprefix("+")
    begins = digits[:1] == "(" or digits[:1] in _ASCII_DIGITS
    return begins and _allowed(digits) and sum(sign in _ASCII_DIGITS for sign in digits) in DIGITS


def _allowed(digits: str) -> bool:
    return (_ASCII_DIGITS | _BETWEEN_DIGITS).issuperset(digits)


def _is_extension(label: str, digits: str) -> bool:
    return label in EXTENSION_LABELS and 0 < len(digits) <= MAX_EXTENSION_DIGITS and _ASCII_DIGITS.issuperset(digits)


def _parted(phone: str) -> tuple[str, str, str]:
    """The number, the word behind it in capitals, and what follows that; the latter two "" where there is no word."""
    start = next((place for place, sign in enumerate(phone) if sign.isalpha()), len(phone))
    end = next((place for place in range(start, len(phone)) if not phone[place].isalpha()), len(phone))
    return phone[:start].rstrip(" ,"), phone[start:end].upper(), phone[end:].strip(" .:()")
