"""How a Nomor Pegawai is written: whole where it must be compared, masked everywhere else."""

from __future__ import annotations

DIGITS = 18
VISIBLE_DIGITS = 6
MASK_CHARACTER = "*"


def group_digits(number: str) -> str:
    """8-6-1-3, as it is read: 19850214 201001 1 001."""
    return f"{number[:8]} {number[8:14]} {number[14:15]} {number[15:]}".strip()


def mask_employee_number(number: str) -> str:
    """For lists and logs, since the number tells birth date and sex: 198502** ****** * ***."""
    return group_digits(number[:VISIBLE_DIGITS] + MASK_CHARACTER * len(number[VISIBLE_DIGITS:]))


def number_kind(number: str) -> str:
    """What a number is called: NI PPPK if digits 13 and 14 are those of a contract, 2 and its count, else NIP."""
    digits = "".join(filter(str.isdecimal, number))
    contract = len(digits) == DIGITS and digits[12] == "2" and digits[13] in "123456789"
    return "NI PPPK" if contract else "NIP"
