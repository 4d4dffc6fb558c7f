"""The emails to applicants and their parameters, and the base of all parameters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from pydantic import ConfigDict, StrictBool, StrictInt


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
