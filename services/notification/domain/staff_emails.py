"""The emails to staff and their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from pydantic import StrictInt

from services.notification.domain.applicant_emails import StrictFields


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
