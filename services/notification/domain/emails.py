"""The kinds of emails and their parameters.

Parameters are stored with the message under their field names, so fields are only added with a default. `kind` is the name of
an email in the ledger and in `templates/indonesian.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, get_args

from pydantic import StrictBool, StrictInt, TypeAdapter


@dataclass(frozen=True, slots=True)
class MissingItem:
    """A checklist item that has to be completed, and what an officer noted on it."""

    item: str
    note: str


@dataclass(frozen=True, slots=True)
class ReceivedEmail:
    kind: ClassVar = "received"
    round: StrictInt


@dataclass(frozen=True, slots=True)
class VerifiedEmail:
    kind: ClassVar = "verified"


@dataclass(frozen=True, slots=True)
class ReturnedEmail:
    kind: ClassVar = "returned"
    items: tuple[MissingItem, ...]
    respond_by: date


@dataclass(frozen=True, slots=True)
class ReturnReminderEmail:
    kind: ClassVar = "reminder_return"
    respond_by: date


@dataclass(frozen=True, slots=True)
class ExpiredEmail:
    kind: ClassVar = "expired"


@dataclass(frozen=True, slots=True)
class RejectedEmail:
    kind: ClassVar = "rejected"
    reason: str


@dataclass(frozen=True, slots=True)
class AssignedEmail:
    kind: ClassVar = "assigned"
    lead: str
    target_date: date
    lead_username: str


@dataclass(frozen=True, slots=True)
class ReassignedEmail:
    kind: ClassVar = "reassigned"
    lead: str
    target_date: date
    reason: str
    lead_username: str


@dataclass(frozen=True, slots=True)
class StartedEmail:
    kind: ClassVar = "started"
    lead: str


@dataclass(frozen=True, slots=True)
class ProgressEmail:
    kind: ClassVar = "progress"
    note: str
    percent: StrictInt | None


@dataclass(frozen=True, slots=True)
class PausedEmail:
    kind: ClassVar = "paused"
    question: str
    answer_by: date


@dataclass(frozen=True, slots=True)
class AnswerReminderEmail:
    kind: ClassVar = "reminder_answer"
    answer_by: date
    question: str


@dataclass(frozen=True, slots=True)
class ResumedEmail:
    kind: ClassVar = "resumed"
    target_date: date
    note: str


@dataclass(frozen=True, slots=True)
class DeliveredEmail:
    kind: ClassVar = "delivered"
    summary: str
    confirm_by: date
    documents: StrictInt


@dataclass(frozen=True, slots=True)
class ConfirmReminderEmail:
    kind: ClassVar = "reminder_confirm"
    confirm_by: date


@dataclass(frozen=True, slots=True)
class ContestedEmail:
    """`reason` is not mailed: it is not proven that the address belongs to the applicant."""

    kind: ClassVar = "contested"
    reason: str


@dataclass(frozen=True, slots=True)
class CompletedEmail:
    kind: ClassVar = "completed"
    automatic: StrictBool
    survey_until: date


@dataclass(frozen=True, slots=True)
class WithdrawnEmail:
    """`reason` is not mailed: it is not proven that the address belongs to the applicant."""

    kind: ClassVar = "withdrawn"
    reason: str


@dataclass(frozen=True, slots=True)
class LinkEmail:
    kind: ClassVar = "link"


@dataclass(frozen=True, slots=True)
class StaffSubmittedEmail:
    kind: ClassVar = "staff_submitted"
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class StaffResubmittedEmail:
    kind: ClassVar = "staff_resubmitted"
    unit: str
    round: StrictInt


@dataclass(frozen=True, slots=True)
class StaffVerifiedEmail:
    kind: ClassVar = "staff_verified"
    by: str


@dataclass(frozen=True, slots=True)
class StaffRecommendedEmail:
    kind: ClassVar = "staff_recommended"
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class StaffAssignedEmail:
    kind: ClassVar = "staff_assigned"
    lead: str
    target_date: date
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class StaffReassignedNewEmail:
    kind: ClassVar = "staff_reassigned_new"
    lead: str
    target_date: date
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class StaffReassignedOldEmail:
    kind: ClassVar = "staff_reassigned_old"
    lead: str
    target_date: date
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class StaffWithdrawnEmail:
    kind: ClassVar = "staff_withdrawn"
    reason: str


@dataclass(frozen=True, slots=True)
class StaffRejectedEmail:
    kind: ClassVar = "staff_rejected"
    reason: str


@dataclass(frozen=True, slots=True)
class StaffAnsweredEmail:
    kind: ClassVar = "staff_answered"
    answer: str


@dataclass(frozen=True, slots=True)
class StaffContestedEmail:
    kind: ClassVar = "staff_contested"
    reason: str


ReminderEmail = ReturnReminderEmail | ConfirmReminderEmail | AnswerReminderEmail
ApplicantEmail = (
    ReceivedEmail
    | VerifiedEmail
    | ReturnedEmail
    | ExpiredEmail
    | RejectedEmail
    | AssignedEmail
    | ReassignedEmail
    | StartedEmail
    | ProgressEmail
    | PausedEmail
    | ResumedEmail
    | DeliveredEmail
    | ContestedEmail
    | CompletedEmail
    | WithdrawnEmail
    | LinkEmail
    | ReminderEmail
)
StaffEmail = (
    StaffSubmittedEmail
    | StaffResubmittedEmail
    | StaffVerifiedEmail
    | StaffRecommendedEmail
    | StaffAssignedEmail
    | StaffReassignedNewEmail
    | StaffReassignedOldEmail
    | StaffWithdrawnEmail
    | StaffRejectedEmail
    | StaffAnsweredEmail
    | StaffContestedEmail
)
Parameters = ApplicantEmail | StaffEmail

PARAMETERS_BY_KIND: Mapping[str, type[Parameters]] = {
    parameters.kind: parameters for parameters in get_args(Parameters)
}
_ADAPTERS = {kind: TypeAdapter[Parameters](parameters) for kind, parameters in PARAMETERS_BY_KIND.items()}


def parse_parameters(kind: str, values: object) -> Parameters:
    """Return the parameters of stored values, or the same object if they are parsed already.

    Raises ValueError for an unknown kind, ValidationError for a value that is missing or of another type.
    """
    if kind not in _ADAPTERS:
        raise ValueError(f"unknown kind of email: {kind!r}")
    return _ADAPTERS[kind].validate_python(values)
