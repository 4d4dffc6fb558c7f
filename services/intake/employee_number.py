"""Nomor Pegawai, the 18 digits of a civil servant (PNS or PPPK): what is refused, and what is only odd."""

from __future__ import annotations

from datetime import date

from shared.runtime.decider import Refusal
from shared.text_cleaning import clean_number

DIGITS = 18
OLD_DIGITS = 9
"""The NIP of civil servants before 2007."""

YOUNGEST, OLDEST = 16, 60
ASCII_DIGITS = frozenset("0123456789")
SEPARATORS = frozenset(".-")
"""Besides white space, in a number that was cleaned."""


def normalised(written: str) -> str:
    """The 18 digits without what people write between and around them.

    Raises Refusal: employee_number_missing, employee_number_not_digits, employee_number_old,
    employee_number_length (count, expected). Digits of other scripts are not digits here.
    """
    number = "".join(sign for sign in clean_number(written) if not (sign.isspace() or sign in SEPARATORS))
    if not number:
        raise Refusal("employee_number_missing")
    if not ASCII_DIGITS.issuperset(number):
        raise Refusal("employee_number_not_digits")
    if len(number) == OLD_DIGITS:
        raise Refusal("employee_number_old")
    if len(number) != DIGITS:
        raise Refusal("employee_number_length", count=len(number), expected=DIGITS)
    return number


def warnings(number: str, day: date) -> tuple[str, ...]:
    """The codes of what is odd about a normalised number, seen on that day, always in the same order."""
    born, appointed = number[:8], int(number[8:12])
    odd = {
        "birth_date": not _has_been(born, day),
        "month_or_contract": not _month_or_contract(int(number[12:14])),
        "sex": number[14] not in "12",
        "serial": number[15:] == "000",
        "appointment_year": appointed > day.year,
        "age_at_appointment": not YOUNGEST <= appointed - int(born[:4]) <= OLDEST,
    }
    return tuple(code for code, is_odd in odd.items() if is_odd)


def _has_been(digits: str, day: date) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) <= day
    except ValueError:
        return False


def _month_or_contract(digits: int) -> bool:
    return 1 <= digits <= 12 or 21 <= digits <= 29
