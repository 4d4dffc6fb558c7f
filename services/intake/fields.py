"""What the applicant's forms take: fields and files, and how each must be written."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, Field, ValidationInfo, create_model, field_validator

from services.intake.domain import ELEMENTS, MARKS
from services.intake.employee_number import normalised
from services.intake.form import MOST_REQUIREMENTS
from services.intake.form import Form as StoredForm
from services.intake.phone import is_phone
from shared.calendar import today
from shared.clock import Clock
from shared.contracts.facts import DocumentKind, Scope
from shared.identity.addresses import EMAIL_SCHEMA, valid_address
from shared.runtime.decider import Refusal
from shared.text_cleaning import ControlCharacter, clean_line
from shared.web.bodies import Body, Day, Fields
from shared.web.commands import OptionalText, Text
from shared.web.text_fields import EMAIL, LINE, NUMBER, PARAGRAPHS, PHONE
from shared.web.uploads import FileRule
from shared.web.words import read_words
from shared.web_addresses import contains_web_address

words = read_words("services.intake")
"""Everything that intake's pages say."""
EARLIEST_LETTER = date(2000, 1, 1)
"""Older ones are slips of the hand: the year 26, or a date of birth."""


def _employee_number(written: str) -> str:
    try:
        return normalised(written)
    except Refusal as refusal:
        raise ValueError(str(words.wrong[refusal.code]).format(**refusal.facts)) from refusal


def _email(written: str) -> str:
    if why := valid_address(written):
        raise ValueError(why)
    return written


def _phone(written: str) -> str:
    if written and not is_phone(written):
        raise ValueError(words.wrong.phone)
    return written


def _not_too_old(day: date) -> date:
    if day < EARLIEST_LETTER:
        raise ValueError(words.wrong.letter_date_too_old)
    return day


def _without_web_address(written: str, info: ValidationInfo) -> str:
    """For what is mailed to whoever the form names: anybody may fill it in. What the context says is stored may be repeated."""
    repeated = info.context is not None and written == info.context.get(info.field_name)
    if not repeated and contains_web_address(written):
        raise ValueError(words.wrong.web_address)
    return written


Name = Annotated[str, Field(min_length=2, max_length=200), LINE, AfterValidator(_without_web_address)]
Description = Annotated[str, Field(min_length=20, max_length=5000), PARAGRAPHS]
LetterNumber = Annotated[str, Field(min_length=1, max_length=100), LINE]
LetterDate = Annotated[Day, AfterValidator(_not_too_old)]
EmployeeNumber = Annotated[str, Field(max_length=100), NUMBER, AfterValidator(_employee_number)]
Email = Annotated[str, EMAIL, AfterValidator(_email), Field(json_schema_extra=EMAIL_SCHEMA)]
Phone = Annotated[str, PHONE, AfterValidator(_phone)]
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
    letter_date: LetterDate


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
    letter_date: LetterDate | None = None
    replaces: Annotated[tuple[DocumentId, ...], Field(max_length=1 + MOST_REQUIREMENTS)] = ()


def repeatable_lines(form: StoredForm | None) -> dict[str, str]:
    """The names of a request that its applicant may send again as they are, whatever was accepted when they came."""
    lines: dict[str, str] = {}
    if form is None:
        return lines
    for name in ("name", "unit", "position"):
        with suppress(ControlCharacter):  # which is refused whenever it is sent
            lines[name] = clean_line(getattr(form.applicant, name))
    return lines


APPLICATION_FILES = {"letter": FileRule(1, 1), "requirements": FileRule(1, MOST_REQUIREMENTS)}
CHANGES_FILES = {"letter": FileRule(0, 1), "requirements": FileRule(0, MOST_REQUIREMENTS)}
KINDS = {"letter": DocumentKind.LETTER, "requirements": DocumentKind.REQUIREMENT}

Form = TypeVar("Form", Application, Changes)


def dated(model: type[Form], clock: Clock) -> type[Form]:
    """The same form, told what day it is: no letter is dated later."""

    def not_to_come(letter_date: date | None) -> date | None:
        if letter_date is not None and letter_date > today(clock()):
            raise ValueError(words.wrong.letter_date)
        return letter_date

    validators = cast(dict[str, Any], {"not_to_come": field_validator("letter_date")(not_to_come)})
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, __validators__=validators)


class Reason(Body):
    reason: Text


class Reply(Body):
    text: Text


class Nothing(Body):
    """No fields: the call says all."""


class LostLink(Body):
    """The address that a request was sent with."""

    email: Email


Mark = Annotated[int, Field(ge=MARKS.start, lt=MARKS.stop)]


class Survey(Body):
    """Elements U1 to U9 of the satisfaction survey, each from 1 to 4."""

    answers: Annotated[tuple[Mark, ...], Field(min_length=ELEMENTS, max_length=ELEMENTS)]
    comment: OptionalText = ""
