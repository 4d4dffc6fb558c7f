"""Facts of intake: what the applicant did, and what expired."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from shared.contracts.facts import Applicant, DocumentRef, Fact, Letter, Scope


class IntakeFact(Fact):
    owner: ClassVar[str] = "intake"


class FormFact(IntakeFact):
    """The whole form, as it is after the fact."""

    applicant: Applicant
    description: str
    scope: Scope
    letter: Letter
    documents: tuple[DocumentRef, ...]
    warnings: tuple[str, ...] = ()


class RequestSubmitted(FormFact):
    """A new request with all that was submitted."""

    number: str


class RequestResubmitted(FormFact):
    """The request after the applicant completed it; `replaced` holds the ids of the documents that were replaced."""

    round: int
    replaced: tuple[str, ...] = ()


class RequestCorrected(FormFact):
    """The form after the applicant corrected it in this round, before anybody checked it; `replaced` as above."""

    round: int
    replaced: tuple[str, ...] = ()


class ContactChangeRequested(IntakeFact):
    """The applicant asked for this email address and phone; they take effect when the new address has confirmed them."""

    change: int
    applicant: Applicant


class ContactChanged(IntakeFact):
    """The new address confirmed the change of contact with this number."""

    change: int
    applicant: Applicant


class RequestExpired(IntakeFact):
    """The applicant did not complete the request in time."""

    round: int


class RequestWithdrawn(IntakeFact):
    reason: str


class ApplicantAnswered(IntakeFact):
    """The answer to the question of a pause, by its number."""

    pause: int
    text: str


class HandoverConfirmed(IntakeFact):
    """The delivery with this number was accepted, by the applicant or automatically after the deadline."""

    delivery: int
    automatic: bool
    survey_until: date


class HandoverContested(IntakeFact):
    delivery: int
    reason: str


class SurveyAnswered(IntakeFact):
    """Nine answers from 1 to 4: elements U1 to U9 of the satisfaction survey (Permenpan RB 14/2017)."""

    answers: tuple[int, ...]
    comment: str = ""


class TrackingLinkRequested(IntakeFact):
    """The tracking link was requested again, to the address of the applicant; it is unknown by whom."""
