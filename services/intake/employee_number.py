"""Nomor Pegawai, the 18 digits of a civil servant (PNS or PPPK): what is refused, what is only odd, how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from shared.runtime.decider import Refusal

DIGITS = 18
OLD_DIGITS = 9
"""The NIP of civil servants before 2007."""

YOUNGEST, OLDEST = 16, 60
ASCII_DIGITS = frozenset("0123456789")
SEPARATORS = frozenset(".-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}")
"""Besides white space; word processors put the longer ones in by themselves."""

WARNINGS: Mapping[str, str] = {
    "birth_date": "Tanggal lahir pada Nomor Pegawai (angka ke-1 sampai ke-8) tidak ada di kalender.",
    "month_or_contract": "Angka ke-13 dan ke-14 Nomor Pegawai bukan bulan pengangkatan (01-12) maupun kode PPPK (21-29).",
    "sex": "Angka ke-15 Nomor Pegawai seharusnya 1 (laki-laki) atau 2 (perempuan).",
    "serial": "Nomor urut pada Nomor Pegawai (tiga angka terakhir) seharusnya bukan 000.",
    "appointment_year": "Tahun pengangkatan pada Nomor Pegawai (angka ke-9 sampai ke-12) belum tiba.",
    "age_at_appointment": f"Menurut Nomor Pegawai, umur saat pengangkatan di luar {YOUNGEST}-{OLDEST} tahun.",
}
"""What is odd, for the applicant who may have mistyped and the officer who must acknowledge it."""


def normalised(written: str) -> str:
    """The 18 digits without what people write between them.

    Raises Refusal: employee_number_missing, employee_number_not_digits, employee_number_old,
    employee_number_length (count, expected). Digits of other scripts are not digits here.
    """
    number = "".join(sign for sign in written if not (sign.isspace() or sign in SEPARATORS))
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
    """The codes of what is odd about a normalised number, seen on that day, in the order of WARNINGS."""
    born, appointed = number[:8], int(number[8:12])
    odd = {
        "birth_date": not _has_been(born, day),
        "month_or_contract": not _month_or_contract(int(number[12:14])),
        "sex": number[14] not in "12",
        "serial": number[15:] == "000",
        "appointment_year": appointed > day.year,
        "age_at_appointment": not YOUNGEST <= appointed - int(born[:4]) <= OLDEST,
    }
    return tuple(code for code in WARNINGS if odd[code])


def _has_been(digits: str, day: date) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) <= day
    except ValueError:
        return False


def _month_or_contract(digits: int) -> bool:
    return 1 <= digits <= 12 or 21 <= digits <= 29


def grouped(number: str) -> str:
    """8-6-1-3, as it is read: 19850214 201001 1 001."""
    return f"{number[:8]} {number[8:14]} {number[14:15]} {number[15:]}"


def masked(number: str) -> str:
    """For lists and logs, since the number tells birth date and sex: 198502** ****** * ***."""
    return grouped(number[:6] + "*" * (DIGITS - 6))
