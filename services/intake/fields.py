"""What the applicant's forms take: fields and files, and how each must be written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, BeforeValidator, Field, create_model, field_validator

from services.intake.employee_number import normalised
from services.intake.form import MOST_REQUIREMENTS
from shared.calendar import today
from shared.clock import Clock
from shared.contracts.facts import DocumentKind, Scope
from shared.identity.addresses import valid_address
from shared.runtime.decider import Refusal
from shared.web.bodies import Day, Fields
from shared.web.uploads import FileRule

REFUSED_NUMBERS: Mapping[str, str] = {
    "employee_number_missing": "Wajib diisi.",
    "employee_number_not_digits": "Nomor Pegawai hanya memuat angka 0 sampai 9.",
    "employee_number_old": "Ini NIP lama dengan 9 angka, yang diganti pada tahun 2007. Tulis Nomor Pegawai dengan 18 angka.",
    "employee_number_length": "Nomor Pegawai terdiri atas {expected} angka. Sekarang {count}.",
}
PHONE = re.compile(r"\+?[0-9](?:[ -]?[0-9]){7,}")
LONGEST_PHONE = 20


def _employee_number(written: str) -> str:
    try:
        return normalised(written)
    except Refusal as refusal:
        raise ValueError(REFUSED_NUMBERS[refusal.code].format(**refusal.facts)) from refusal


def _email(written: str) -> str:
    if why := valid_address(written):
        raise ValueError(why)
    return written


def _phone(written: str) -> str:
    if written and not (len(written) <= LONGEST_PHONE and PHONE.fullmatch(written)):
        raise ValueError("Tulis nomor telepon dengan 8 sampai 20 angka, misalnya 0812 3456 7890.")
    return written


def _one_line(written: Any) -> Any:
    return _visible(written, "") if isinstance(written, str) else written


def _paragraphs(written: Any) -> Any:
    return _visible(written, "\n\t") if isinstance(written, str) else written


def _visible(written: str, allowed: str) -> str:
    """Without marks that nobody sees but that turn text around; a control character is no mistake of the hand."""
    for letter in written.strip():
        if letter not in allowed and unicodedata.category(letter) in ("Cc", "Zl", "Zp"):
            raise ValueError("Isian ini memuat ganti baris atau karakter kendali yang tidak diterima.")
    return "".join(letter for letter in written if unicodedata.category(letter) not in ("Cf", "Cs", "Co", "Cn"))


Name = Annotated[str, Field(min_length=2, max_length=200), BeforeValidator(_one_line)]
Description = Annotated[str, Field(min_length=20, max_length=5000), BeforeValidator(_paragraphs)]
LetterNumber = Annotated[str, Field(min_length=1, max_length=100), BeforeValidator(_one_line)]
EmployeeNumber = Annotated[str, Field(max_length=100), AfterValidator(_employee_number)]
Email = Annotated[str, AfterValidator(_email)]
Phone = Annotated[str, AfterValidator(_phone)]
DocumentId = Annotated[str, Field(max_length=100)]


class Application(Fields):
    """A new request."""

    name: Name
    employee_number: EmployeeNumber
    unit: Name
    position: Name
    description: Description
    scope: Scope
    email: Email
    phone: Phone = ""
    letter_number: LetterNumber
    letter_date: Day


class Changes(Fields):
    """What of a returned request is to be otherwise."""

    name: Name | None = None
    employee_number: EmployeeNumber | None = None
    unit: Name | None = None
    position: Name | None = None
    description: Description | None = None
    scope: Scope | None = None
    email: Email | None = None
    phone: Phone | None = None
    letter_number: LetterNumber | None = None
    letter_date: Day | None = None
    replaces: Annotated[tuple[DocumentId, ...], Field(max_length=1 + MOST_REQUIREMENTS)] = ()


APPLICATION_FILES = {"letter": FileRule(1, 1), "requirements": FileRule(1, MOST_REQUIREMENTS)}
CHANGES_FILES = {"letter": FileRule(0, 1), "requirements": FileRule(0, MOST_REQUIREMENTS)}
KINDS = {"letter": DocumentKind.LETTER, "requirements": DocumentKind.REQUIREMENT}

Form = TypeVar("Form", Application, Changes)


def dated(model: type[Form], clock: Clock) -> type[Form]:
    """The same form, told what day it is: no letter is dated later."""

    def not_to_come(letter_date: date | None) -> date | None:
        if letter_date is not None and letter_date > today(clock()):
            raise ValueError("Tanggal surat tidak boleh melewati hari ini.")
        return letter_date

    validators = cast(dict[str, Any], {"not_to_come": field_validator("letter_date")(not_to_come)})
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, __validators__=validators)
