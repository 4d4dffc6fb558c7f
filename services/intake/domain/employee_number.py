"""Nomor Pegawai, the 18-digit number of a civil servant (PNS or PPPK): normalization and plausibility warnings."""

from __future__ import annotations

from datetime import date

from shared.runtime.decider import Refusal
from shared.text.cleaning import clean_number

DIGIT_COUNT = 18
OLD_DIGIT_COUNT = 9
"""The NIP of civil servants before 2007."""

MIN_APPOINTMENT_AGE, MAX_APPOINTMENT_AGE = 16, 60
ASCII_DIGITS = frozenset("0123456789")
SEPARATORS = frozenset(".-")
"""Separators between digits besides white space."""


def normalize_employee_number(text: str) -> str:
    """Return the 18 digits without separators. Only ASCII digits are accepted.

    Raises:
        Refusal: employee_number_missing, employee_number_not_digits, employee_number_old, employee_number_length (count,
            expected).
    """
    number = "".join(
        character for character in clean_number(text) if not (character.isspace() or character in SEPARATORS)
    )
    if not number:
        raise Refusal("employee_number_missing")
    if not ASCII_DIGITS.issuperset(number):
        raise Refusal("employee_number_not_digits")
    if len(number) == OLD_DIGIT_COUNT:
        raise Refusal("employee_number_old")
    if len(number) != DIGIT_COUNT:
        raise Refusal("employee_number_length", count=len(number), expected=DIGIT_COUNT)
    return number


def employee_number_warnings(number: str, day: date) -> tuple[str, ...]:
    """Return the warning codes of a normalized number on that day, in a fixed order."""
    birth_date, appointed = number[:8], int(number[8:12])
    checks = {
        "birth_date": not _is_past_date(birth_date, day),
        "month_or_contract": not _is_month_or_contract(int(number[12:14])),
        "sex": number[14] not in "12",
        "serial": number[15:] == "000",
        "appointment_year": appointed > day.year,
        "age_at_appointment": not MIN_APPOINTMENT_AGE <= appointed - int(birth_date[:4]) <= MAX_APPOINTMENT_AGE,
    }
    return tuple(code for code, is_unusual in checks.items() if is_unusual)


def _is_past_date(digits: str, day: date) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) <= day
    except ValueError:
        return False


def _is_month_or_contract(digits: int) -> bool:
    return 1 <= digits <= 12 or 21 <= digits <= 29
