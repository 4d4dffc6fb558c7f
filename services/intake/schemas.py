"""What the applicant's forms take: fields and files, and how each must be written."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, Field, ValidationInfo, create_model, field_validator

from services.intake.domain.commands import SURVEY_ELEMENTS, SURVEY_SCORES
from services.intake.domain.employee_number import normalize_employee_number
from services.intake.domain.form import MAX_REQUIREMENTS
from services.intake.domain.form import Form as RequestForm
from services.intake.domain.phone import is_phone
from shared.calendar import today
from shared.clock import Clock
from shared.contracts.facts import DocumentKind, Scope
from shared.mail.address_validation import EMAIL_SCHEMA, validate_email_address
from shared.runtime.decider import Refusal
from shared.text.cleaning import ControlCharacter, clean_line
from shared.text.web_addresses import contains_web_address
from shared.web.api.commands import OptionalText, Text
from shared.web.api.validation import InputModel, IsoDate, RequestBody
from shared.web.forms.text_fields import CLEAN_EMAIL, CLEAN_LINE, CLEAN_NUMBER, CLEAN_PARAGRAPHS, CLEAN_PHONE
from shared.web.forms.uploads import FileRule
from shared.web.views.words import load_words

words = load_words("services.intake")
"""Everything that intake's pages say."""
EARLIEST_LETTER_DATE = date(2000, 1, 1)
"""Older ones are slips of the hand: the year 26, or a date of birth."""


def _validate_employee_number(text: str) -> str:
    try:
        return normalize_employee_number(text)
    except Refusal as refusal:
        raise ValueError(str(words.wrong[refusal.code]).format(**refusal.facts)) from refusal


def _validate_email(text: str) -> str:
    if why := validate_email_address(text):
        raise ValueError(why)
    return text


def _validate_phone(text: str) -> str:
    if text and not is_phone(text):
        raise ValueError(words.wrong.phone)
    return text


def _reject_old_date(day: date) -> date:
    if day < EARLIEST_LETTER_DATE:
        raise ValueError(words.wrong.letter_date_too_old)
    return day


def _reject_web_address(text: str, info: ValidationInfo) -> str:
    """For what is mailed to whoever the form names: anybody may fill it in. What the context says is stored may be repeated."""
    is_previous_value = info.context is not None and text == info.context.get(info.field_name)
    if not is_previous_value and contains_web_address(text):
        raise ValueError(words.wrong.web_address)
    return text


Name = Annotated[str, Field(min_length=2, max_length=200), CLEAN_LINE, AfterValidator(_reject_web_address)]
Description = Annotated[str, Field(min_length=20, max_length=5000), CLEAN_PARAGRAPHS]
LetterNumber = Annotated[str, Field(min_length=1, max_length=100), CLEAN_LINE]
LetterDate = Annotated[IsoDate, AfterValidator(_reject_old_date)]
EmployeeNumber = Annotated[str, Field(max_length=100), CLEAN_NUMBER, AfterValidator(_validate_employee_number)]
Email = Annotated[str, CLEAN_EMAIL, AfterValidator(_validate_email), Field(json_schema_extra=EMAIL_SCHEMA)]
Phone = Annotated[str, CLEAN_PHONE, AfterValidator(_validate_phone)]
DocumentId = Annotated[str, Field(max_length=100)]


class SubmissionForm(InputModel):
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


class ResubmissionForm(InputModel):
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
    replaces: Annotated[tuple[DocumentId, ...], Field(max_length=1 + MAX_REQUIREMENTS)] = ()


def previously_accepted_names(form: RequestForm | None) -> dict[str, str]:
    """The names of a request that its applicant may send again as they are, whatever was accepted when they came."""
    lines: dict[str, str] = {}
    if form is None:
        return lines
    for name in ("name", "unit", "position"):
        with suppress(ControlCharacter):  # which is refused whenever it is sent
            lines[name] = clean_line(getattr(form.applicant, name))
    return lines


SUBMISSION_FILES = {"letter": FileRule(1, 1), "requirements": FileRule(1, MAX_REQUIREMENTS)}
RESUBMISSION_FILES = {"letter": FileRule(0, 1), "requirements": FileRule(0, MAX_REQUIREMENTS)}
DOCUMENT_KINDS = {"letter": DocumentKind.LETTER, "requirements": DocumentKind.REQUIREMENT}

Form = TypeVar("Form", SubmissionForm, ResubmissionForm)


def dated(model: type[Form], clock: Clock) -> type[Form]:
    """The same form, told what day it is: no letter is dated later."""

    def not_to_come(letter_date: date | None) -> date | None:
        if letter_date is not None and letter_date > today(clock()):
            raise ValueError(words.wrong.letter_date)
        return letter_date

    validators = cast(dict[str, Any], {"not_to_come": field_validator("letter_date")(not_to_come)})
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, __validators__=validators)


class ReasonBody(RequestBody):
    reason: Text


class AnswerBody(RequestBody):
    text: Text


class EmptyBody(RequestBody):
    """No fields: the call says all."""


class TrackingLinkBody(RequestBody):
    """The address that a request was sent with."""

    email: Email


SurveyScore = Annotated[int, Field(ge=SURVEY_SCORES.start, lt=SURVEY_SCORES.stop)]


class SurveyBody(RequestBody):
    """Elements U1 to U9 of the satisfaction survey, each from 1 to 4."""

    answers: Annotated[tuple[SurveyScore, ...], Field(min_length=SURVEY_ELEMENTS, max_length=SURVEY_ELEMENTS)]
    comment: OptionalText = ""
