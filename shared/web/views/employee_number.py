"""Formats of employee numbers (Nomor Pegawai): in full where they are compared, masked everywhere else."""

from __future__ import annotations

DIGITS = 18
VISIBLE_DIGITS = 6
MASK_CHARACTER = "*"


def group_digits(number: str) -> str:
    """Group the digits 8-6-1-3, as in 19850214 201001 1 001."""
    return f"{number[:8]} {number[8:14]} {number[14:15]} {number[15:]}".strip()


def mask_employee_number(number: str) -> str:
    """Mask a number for lists and logs, because it contains birth date and sex: 198502** ****** * ***."""
    return group_digits(number[:VISIBLE_DIGITS] + MASK_CHARACTER * len(number[VISIBLE_DIGITS:]))


def number_kind(number: str) -> str:
    """Return the name of the number: NI PPPK if digits 13 and 14 mark a contract (2 and its count), otherwise NIP."""
    digits = "".join(filter(str.isdecimal, number))
    contract = len(digits) == DIGITS and digits[12] == "2" and digits[13] in "123456789"
    return "NI PPPK" if contract else "NIP"
