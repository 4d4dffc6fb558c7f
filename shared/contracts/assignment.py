"""Facts of assignment: what the structural head and the technical lead did."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from shared.contracts.facts import Complexity, DocumentRef, Fact, Staff


class AssignmentFact(Fact):
    owner: ClassVar[str] = "assignment"


class RequestRejected(AssignmentFact):
    reason: str
    by: Staff


class LeadAssigned(AssignmentFact):
    lead: Staff
    complexity: Complexity
    target_date: date
    note: str = ""
    by: Staff


class LeadReassigned(AssignmentFact):
    lead: Staff
    previous: Staff
    reason: str
    target_date: date
    by: Staff


class TargetChanged(AssignmentFact):
    target_date: date
    previous: date
    reason: str
    by: Staff


class ReminderRequested(AssignmentFact):
    """The structural head has the one responsible for an overdue stage reminded by email.

    `responsible` is `applicant`, `role:` with a role, or `staff:` with a username; `others` are the further overdue requests of
    the same one.
    """

    responsible: str
    stage: str
    due: date
    overdue_days: int
    others: int = 0
    by: Staff


class WorkStarted(AssignmentFact):
    by: Staff


class WorkProgressed(AssignmentFact):
    note: str
    percent: int | None = None
    by: Staff


class WorkPaused(AssignmentFact):
    """The lead waits for an answer of the applicant; pauses of a request are numbered 1, 2, 3 ..."""

    pause: int
    question: str
    answer_by: date
    by: Staff


class WorkResumed(AssignmentFact):
    """Work continues after the pause with this number, which moved the target date by `days` working days.

    `by` is None if the applicant's answer resumed it.
    """

    pause: int
    days: int
    target_date: date
    note: str = ""
    by: Staff | None = None


class WorkCompleted(AssignmentFact):
    """The results and the handover record (BAST) are delivered; deliveries of a request are numbered 1, 2, 3 ..."""

    delivery: int
    summary: str
    documents: tuple[DocumentRef, ...]
    record_number: str
    confirm_by: date
    remind_on: tuple[date, ...] = ()
    by: Staff


class WorkNoteAdded(AssignmentFact):
    """A note among staff, by the head or the lead; no service that applicants reach subscribes to it."""

    text: str
    by: Staff
