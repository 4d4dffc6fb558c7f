"""The kinds of emails and their parameters.

Parameters are stored with the message under their field names, so fields are only added with a default. `kind` is the name of
an email in the ledger and in `templates/indonesian.toml`. Emails that another version of Simpul stored, during a rolling upgrade
or before a rollback, may not fit these classes: they are an `UnknownEmail`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, get_args

from pydantic import ConfigDict, StrictBool, StrictInt, TypeAdapter, ValidationError, model_serializer


class StrictFields:
    """Base of parameters; values with other keys are refused, because the next save would lose them."""

    __slots__ = ()
    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class MissingItem(StrictFields):
    """A checklist item that has to be completed, and what an officer noted on it."""

    item: str
    note: str


@dataclass(frozen=True, slots=True)
class ReceivedEmail(StrictFields):
    kind: ClassVar = "received"
    round: StrictInt


@dataclass(frozen=True, slots=True)
class CorrectedEmail(StrictFields):
    kind: ClassVar = "corrected"


@dataclass(frozen=True, slots=True)
class ContactConfirmationEmail(StrictFields):
    """To the new address: `change` is the number of the requested contact."""

    kind: ClassVar = "contact_confirmation"
    change: StrictInt


@dataclass(frozen=True, slots=True)
class ContactNoticeEmail(StrictFields):
    """To the address that is still in effect; the new one is not named."""

    kind: ClassVar = "contact_notice"


@dataclass(frozen=True, slots=True)
class ContactChangedEmail(StrictFields):
    kind: ClassVar = "contact_changed"


@dataclass(frozen=True, slots=True)
class VerifiedEmail(StrictFields):
    kind: ClassVar = "verified"


@dataclass(frozen=True, slots=True)
class ReturnedEmail(StrictFields):
    kind: ClassVar = "returned"
    items: tuple[MissingItem, ...]
    respond_by: date


@dataclass(frozen=True, slots=True)
class ReturnReminderEmail(StrictFields):
    kind: ClassVar = "reminder_return"
    respond_by: date


@dataclass(frozen=True, slots=True)
class ExpiredEmail(StrictFields):
    kind: ClassVar = "expired"


@dataclass(frozen=True, slots=True)
class RejectedEmail(StrictFields):
    kind: ClassVar = "rejected"
    reason: str


@dataclass(frozen=True, slots=True)
class AssignedEmail(StrictFields):
    kind: ClassVar = "assigned"
    lead: str
    target_date: date
    lead_username: str


@dataclass(frozen=True, slots=True)
class ReassignedEmail(StrictFields):
    kind: ClassVar = "reassigned"
    lead: str
    target_date: date
    reason: str
    lead_username: str


@dataclass(frozen=True, slots=True)
class TargetChangedEmail(StrictFields):
    kind: ClassVar = "target_changed"
    target_date: date
    previous: date
    reason: str


@dataclass(frozen=True, slots=True)
class StartedEmail(StrictFields):
    kind: ClassVar = "started"
    lead: str


@dataclass(frozen=True, slots=True)
class ProgressEmail(StrictFields):
    kind: ClassVar = "progress"
    note: str
    percent: StrictInt | None


@dataclass(frozen=True, slots=True)
class PausedEmail(StrictFields):
    kind: ClassVar = "paused"
    question: str
    answer_by: date


@dataclass(frozen=True, slots=True)
class AnswerReminderEmail(StrictFields):
    kind: ClassVar = "reminder_answer"
    answer_by: date
    question: str


@dataclass(frozen=True, slots=True)
class OverdueEmail(StrictFields):
    """The office waits for the applicant; `due` is the last day on which that was in time."""

    kind: ClassVar = "overdue"
    due: date


@dataclass(frozen=True, slots=True)
class ResumedEmail(StrictFields):
    kind: ClassVar = "resumed"
    target_date: date
    note: str


@dataclass(frozen=True, slots=True)
class DeliveredEmail(StrictFields):
    kind: ClassVar = "delivered"
    summary: str
    confirm_by: date
    documents: StrictInt


@dataclass(frozen=True, slots=True)
class ConfirmReminderEmail(StrictFields):
    kind: ClassVar = "reminder_confirm"
    confirm_by: date


@dataclass(frozen=True, slots=True)
class ContestedEmail(StrictFields):
    """`reason` is not mailed: it is not proven that the address belongs to the applicant."""

    kind: ClassVar = "contested"
    reason: str


@dataclass(frozen=True, slots=True)
class CompletedEmail(StrictFields):
    kind: ClassVar = "completed"
    automatic: StrictBool
    survey_until: date


@dataclass(frozen=True, slots=True)
class WithdrawnEmail(StrictFields):
    """`reason` is not mailed: it is not proven that the address belongs to the applicant."""

    kind: ClassVar = "withdrawn"
    reason: str


@dataclass(frozen=True, slots=True)
class LinkEmail(StrictFields):
    kind: ClassVar = "link"


@dataclass(frozen=True, slots=True)
class StaffSubmittedEmail(StrictFields):
    kind: ClassVar = "staff_submitted"
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class StaffResubmittedEmail(StrictFields):
    kind: ClassVar = "staff_resubmitted"
    unit: str
    round: StrictInt


@dataclass(frozen=True, slots=True)
class StaffVerifiedEmail(StrictFields):
    kind: ClassVar = "staff_verified"
    by: str


@dataclass(frozen=True, slots=True)
class StaffRecommendedEmail(StrictFields):
    kind: ClassVar = "staff_recommended"
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class StaffAssignedEmail(StrictFields):
    kind: ClassVar = "staff_assigned"
    lead: str
    target_date: date
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class StaffReassignedNewEmail(StrictFields):
    kind: ClassVar = "staff_reassigned_new"
    lead: str
    target_date: date
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class StaffReassignedOldEmail(StrictFields):
    kind: ClassVar = "staff_reassigned_old"
    lead: str
    target_date: date
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class StaffTargetChangedEmail(StrictFields):
    kind: ClassVar = "staff_target_changed"
    target_date: date
    previous: date
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class StaffOverdueEmail(StrictFields):
    """`others` are further overdue requests of the recipient."""

    kind: ClassVar = "staff_overdue"
    stage: str
    due: date
    overdue_days: StrictInt
    others: StrictInt
    by: str


@dataclass(frozen=True, slots=True)
class StaffWithdrawnEmail(StrictFields):
    kind: ClassVar = "staff_withdrawn"
    reason: str


@dataclass(frozen=True, slots=True)
class StaffRejectedEmail(StrictFields):
    kind: ClassVar = "staff_rejected"
    reason: str


@dataclass(frozen=True, slots=True)
class StaffAnsweredEmail(StrictFields):
    kind: ClassVar = "staff_answered"
    answer: str


@dataclass(frozen=True, slots=True)
class StaffContestedEmail(StrictFields):
    kind: ClassVar = "staff_contested"
    reason: str


@dataclass(frozen=True, slots=True)
class UnknownEmail:
    """An email of a kind or with values that this version does not know; it is stored unchanged and cannot be rendered.

    `problem` says what does not fit.
    """

    kind: str
    values: object
    problem: str = field(compare=False)

    @model_serializer
    def _to_stored_values(self) -> object:
        return self.values


ReminderEmail = ReturnReminderEmail | ConfirmReminderEmail | AnswerReminderEmail
ApplicantEmail = (
    ReceivedEmail
    | CorrectedEmail
    | ContactConfirmationEmail
    | ContactNoticeEmail
    | ContactChangedEmail
    | VerifiedEmail
    | ReturnedEmail
    | ExpiredEmail
    | RejectedEmail
    | AssignedEmail
    | ReassignedEmail
    | TargetChangedEmail
    | StartedEmail
    | ProgressEmail
    | PausedEmail
    | OverdueEmail
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
    | StaffTargetChangedEmail
    | StaffOverdueEmail
    | StaffWithdrawnEmail
    | StaffRejectedEmail
    | StaffAnsweredEmail
    | StaffContestedEmail
)
KnownEmail = ApplicantEmail | StaffEmail
Parameters = KnownEmail | UnknownEmail

PARAMETERS_BY_KIND: Mapping[str, type[KnownEmail]] = {
    parameters.kind: parameters for parameters in get_args(KnownEmail)
}
_ADAPTERS = {kind: TypeAdapter[KnownEmail](parameters) for kind, parameters in PARAMETERS_BY_KIND.items()}


def parse_parameters(kind: str, values: object) -> Parameters:
    """Return the parameters of stored values, or the same object if they are parsed already.

    An unknown kind, and values that are missing, unknown or of another type, make an UnknownEmail: only this email fails then,
    and not the whole record.
    """
    if isinstance(values, UnknownEmail):
        return values
    if kind not in _ADAPTERS:
        return UnknownEmail(kind, values, f"unknown kind of email: {kind!r}")
    try:
        return _ADAPTERS[kind].validate_python(values)
    except ValidationError as error:
        return UnknownEmail(kind, values, _describe(kind, error))


def _describe(kind: str, error: ValidationError) -> str:
    """Name the keys that do not fit, without their values, which may be personal data."""
    problems = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
    return f"{kind}: {'; '.join(problems)}"
