"""Validation of telephone numbers in common notations."""

from __future__ import annotations

from shared.text.cleaning import PHONE_LABELS

DIGIT_COUNT = range(8, 21)
MAX_LENGTH = 40
MAX_EXTENSION_DIGITS = 6
EXTENSION_LABELS = frozenset({"EXT", "EXTENSION", "PES", "PESAWAT"})

_ASCII_DIGITS = frozenset("0123456789")
_BETWEEN_DIGITS = frozenset(" -./()")


def is_phone(cleaned: str) -> bool:
    """Whether a cleaned text is a number: 8 to 20 digits with spaces, hyphens, dots, slashes or parentheses between them.

    A leading plus sign and a trailing extension (`ext. 12`, `pes. 12`) or label (`(WA)`) are allowed. Only ASCII digits count.
    """
    number, label, rest = _split_label(cleaned)
    if len(cleaned) > MAX_LENGTH or not (
        not label or _is_extension(label, rest) or (label in PHONE_LABELS and not rest)
    ):
        return False
    digits = number.lstrip("( ").removeprefix("+")
    starts_valid = digits[:1] == "(" or digits[:1] in _ASCII_DIGITS
    return (
        starts_valid and _is_allowed(digits) and sum(character in _ASCII_DIGITS for character in digits) in DIGIT_COUNT
    )


def _is_allowed(digits: str) -> bool:
    return (_ASCII_DIGITS | _BETWEEN_DIGITS).issuperset(digits)


def _is_extension(label: str, digits: str) -> bool:
    return label in EXTENSION_LABELS and 0 < len(digits) <= MAX_EXTENSION_DIGITS and _ASCII_DIGITS.issuperset(digits)


def _split_label(phone: str) -> tuple[str, str, str]:
    """Split into the number, the upper-case word after it, and the rest; both are "" without a word."""
    start = next((index for index, character in enumerate(phone) if character.isalpha()), len(phone))
    end = next((index for index in range(start, len(phone)) if not phone[index].isalpha()), len(phone))
    return phone[:start].rstrip(" ,"), phone[start:end].upper(), phone[end:].strip(" .:()")
