"""Commands of intake: of applicants, and of its own timers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shared.contracts.facts import Applicant, DocumentRef, Letter, Scope

SURVEY_ELEMENTS = 9
"""U1 to U9 of the satisfaction survey (Permenpan RB 14/2017)."""
SURVEY_SCORES = range(1, 5)


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """Submit a new request under a registration number; the documents are already stored."""

    number: str
    applicant: Applicant
    description: str
    scope: Scope
    letter: Letter
    documents: tuple[DocumentRef, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FormChanges:
    """Changes to the form: None leaves a field unchanged, `documents` are added or replace those in `replaces`.

    A new letter replaces the old one without being named. `warnings` are those of the new Nomor Pegawai.
    """

    name: str | None = None
    employee_number: str | None = None
    unit: str | None = None
    position: str | None = None
    email: str | None = None
    phone: str | None = None
    description: str | None = None
    scope: Scope | None = None
    letter_number: str | None = None
    letter_date: date | None = None
    documents: tuple[DocumentRef, ...] = ()
    replaces: tuple[str, ...] = ()
    warnings: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ResubmitRequest(FormChanges):
    """Complete a returned request."""


@dataclass(frozen=True, slots=True)
class CorrectRequest(FormChanges):
    """Correct a request that nobody has begun to check."""


@dataclass(frozen=True, slots=True)
class ChangeContact:
    """Ask for another email address or phone."""

    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class ConfirmContact:
    """Confirm the requested contact with this number from its email address."""

    change: int


@dataclass(frozen=True, slots=True)
class WithdrawRequest:
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerQuestion:
    """Answer the question of a pause; None is the current pause."""

    text: str
    pause: int | None = None


@dataclass(frozen=True, slots=True)
class ConfirmHandover:
    """Confirm a delivery; None is the current delivery."""

    delivery: int | None = None


@dataclass(frozen=True, slots=True)
class ContestHandover:
    """Object to a delivery; None is the current delivery."""

    reason: str
    delivery: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerSurvey:
    answers: tuple[int, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class MailLink:
    """Email the tracking link to the applicant again."""


@dataclass(frozen=True, slots=True)
class ExpireRequest:
    """Close a returned request that was not completed in time."""


@dataclass(frozen=True, slots=True)
class ConfirmBySilence:
    """Confirm a delivery automatically because the applicant did not respond in time."""


Command = (
    SubmitRequest
    | ResubmitRequest
    | CorrectRequest
    | ChangeContact
    | ConfirmContact
    | WithdrawRequest
    | AnswerQuestion
    | ConfirmHandover
    | ContestHandover
    | AnswerSurvey
    | MailLink
    | ExpireRequest
    | ConfirmBySilence
)
