"""Request bodies and forms of applicants: fields, files and their validation."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo

from services.intake.domain.commands import SURVEY_ELEMENTS, SURVEY_SCORES
from services.intake.domain.employee_number import normalize_employee_number
from services.intake.domain.form import MAX_REQUIREMENTS
from services.intake.domain.form import Form as RequestForm
from services.intake.domain.phone import is_phone
from shared.contracts.facts import DocumentKind, Scope
from shared.contracts.lifecycle import Status
from shared.mail.address_validation import EMAIL_SCHEMA, validate_email_address
from shared.runtime.decider import Refusal
from shared.text.cleaning import ControlCharacter, clean_line
from shared.text.web_addresses import contains_web_address
from shared.web.api.commands import CommandResponse, OptionalText, Text
from shared.web.api.serializers import (
    ChecklistItemResponse,
    DocumentResponse,
    TimelineEntryResponse,
    WarningResponse,
)
from shared.web.api.validation import InputModel, IsoDate, RequestBody
from shared.web.forms.text_fields import CLEAN_EMAIL, CLEAN_LINE, CLEAN_NUMBER, CLEAN_PARAGRAPHS, CLEAN_PHONE
from shared.web.forms.uploads import FileRule
from shared.web.views.words import load_words

texts = load_words("services.intake")
"""The Indonesian texts of intake's pages."""
TODAY = "today"
"""Key of the current date in a validation context."""
EARLIEST_LETTER_DATE = date(2000, 1, 1)
"""Earlier dates are typing errors, such as the year 26 or a date of birth."""


def _validate_employee_number(text: str) -> str:
    try:
        return normalize_employee_number(text)
    except Refusal as refusal:
        raise ValueError(str(texts.wrong[refusal.code]).format(**refusal.params)) from refusal


def _validate_email(text: str) -> str:
    if error := validate_email_address(text):
        raise ValueError(error)
    return text


def _validate_phone(text: str) -> str:
    if text and not is_phone(text):
        raise ValueError(texts.wrong.phone)
    return text


def _validate_letter_date(day: date, info: ValidationInfo) -> date:
    if day < EARLIEST_LETTER_DATE:
        raise ValueError(texts.wrong.letter_date_too_old)
    if info.context and day > date.fromisoformat(info.context[TODAY]):
        raise ValueError(texts.wrong.letter_date)
    return day


def _reject_web_address(text: str, info: ValidationInfo) -> str:
    """Refuse web addresses in texts that are emailed on behalf of anonymous callers, except a stored value sent again."""
    is_previous_value = info.context is not None and text == info.context.get(info.field_name)
    if not is_previous_value and contains_web_address(text):
        raise ValueError(texts.wrong.web_address)
    return text


Name = Annotated[str, Field(min_length=2, max_length=200), CLEAN_LINE, AfterValidator(_reject_web_address)]
Description = Annotated[str, Field(min_length=20, max_length=5000), CLEAN_PARAGRAPHS]
LetterNumber = Annotated[str, Field(min_length=1, max_length=100), CLEAN_LINE]
LetterDate = Annotated[IsoDate, AfterValidator(_validate_letter_date)]
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
    """The changes to a returned request; a missing field stays unchanged."""

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


def validation_context(today: date, stored: RequestForm | None = None) -> dict[str, str]:
    """Return the validation context of a form: the current date, and the stored names that may be sent again unchanged."""
    context = {TODAY: today.isoformat()}
    if stored is not None:
        for name in ("name", "unit", "position"):
            with suppress(ControlCharacter):  # such a value is refused by the field itself
                context[name] = clean_line(getattr(stored.applicant, name))
    return context


SUBMISSION_FILES = {"letter": FileRule(1, 1), "requirements": FileRule(1, MAX_REQUIREMENTS)}
RESUBMISSION_FILES = {"letter": FileRule(0, 1), "requirements": FileRule(0, MAX_REQUIREMENTS)}
DOCUMENT_KINDS = {"letter": DocumentKind.LETTER, "requirements": DocumentKind.REQUIREMENT}


class ReasonBody(RequestBody):
    reason: Text


class AnswerBody(RequestBody):
    text: Text


class ContactBody(RequestBody):
    """The email address and phone that are to replace the current ones; an empty phone removes it."""

    email: Email
    phone: Phone = ""


class ContactConfirmationBody(RequestBody):
    """The number of a change of contact, and the code that its new address was mailed."""

    change: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    code: Annotated[str, Field(max_length=100), CLEAN_LINE]


class TrackingLinkBody(RequestBody):
    """The email address of a request."""

    email: Email


SurveyScore = Annotated[int, Field(ge=SURVEY_SCORES.start, lt=SURVEY_SCORES.stop, strict=True)]


class SurveyBody(RequestBody):
    """Elements U1 to U9 of the satisfaction survey, each from 1 to 4."""

    answers: Annotated[tuple[SurveyScore, ...], Field(min_length=SURVEY_ELEMENTS, max_length=SURVEY_ELEMENTS)]
    comment: OptionalText = ""


class SubmissionReceipt(CommandResponse):
    """The registered request; `tracking_token` gives access to it from now on."""

    tracking_token: str
    warnings: list[WarningResponse]


class UnitResponse(BaseModel):
    """A work unit that the form offers."""

    code: str
    name: str
    abbreviation: str
    active: bool


class UnitListResponse(BaseModel):
    items: list[UnitResponse]


class OpenItemResponse(ChecklistItemResponse):
    """What the applicant is to complete, with the officer's note."""

    note: str


class DeadlinesResponse(BaseModel):
    """The last days for what the applicant may do now; only those that apply are present."""

    respond_by: date | None = None
    answer_by: date | None = None
    confirm_by: date | None = None
    survey_until: date | None = None


class TrackedRequestResponse(BaseModel):
    """A request as its applicant sees it; the employee number is masked.

    The fields of the form are absent once they are no longer stored. `contact_unconfirmed` is true while a new email
    address or phone waits for its confirmation.
    """

    id: str
    version: int
    number: str
    status: Status
    status_label: str
    round: int
    submitted_at: datetime | None
    lead: str | None
    percent: int | None
    target_date: date | None
    overdue: bool
    name: str | None = None
    employee_number: str | None = None
    unit: str | None = None
    position: str | None = None
    description: str | None = None
    scope: Scope | None = None
    scope_label: str | None = None
    letter_number: str | None = None
    letter_date: date | None = None
    warnings: list[WarningResponse] | None = None
    timeline: list[TimelineEntryResponse]
    documents: list[DocumentResponse]
    open_items: list[OpenItemResponse]
    question: str | None
    summary: str | None
    record_number: str | None
    deadlines: DeadlinesResponse
    survey_open: bool
    contact_unconfirmed: bool
