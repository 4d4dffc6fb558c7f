"""Commands of the structural head and of leads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shared.contracts.facts import Complexity, DocumentRef, Staff


@dataclass(frozen=True, slots=True)
class RejectRequest:
    by: Staff
    reason: str


@dataclass(frozen=True, slots=True)
class AssignLead:
    """Assign a lead. The caller has checked that `lead` is an active member of the technical staff."""

    by: Staff
    lead: Staff
    complexity: Complexity
    target_date: date
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReassignLead:
    """Replace the lead; without a `target_date` the target stays.

    Of a lead who leaves, also what is delivered goes to another one, who answers an objection of the applicant.
    """

    by: Staff
    lead: Staff
    reason: str
    target_date: date | None = None
    lead_leaves: bool = False


@dataclass(frozen=True, slots=True)
class ChangeTarget:
    """Set another target for the work; the lead stays."""

    by: Staff
    target_date: date
    reason: str


@dataclass(frozen=True, slots=True)
class RemindResponsible:
    """Remind the one responsible for an overdue stage, who has so many `others` that are overdue too."""

    by: Staff
    others: int = 0


@dataclass(frozen=True, slots=True)
class StartWork:
    by: Staff


@dataclass(frozen=True, slots=True)
class NoteProgress:
    by: Staff
    note: str
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class PauseWork:
    by: Staff
    question: str


@dataclass(frozen=True, slots=True)
class ResumeWork:
    """Resume the work; `by` is None if the applicant's answer does so."""

    by: Staff | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CompleteWork:
    """Hand over; `documents` are the results and the handover record with `record_number`."""

    by: Staff
    summary: str
    documents: tuple[DocumentRef, ...]
    record_number: str


@dataclass(frozen=True, slots=True)
class AddNote:
    """Add a note among staff, at any time after the submission."""

    by: Staff
    text: str


Command = (
    RejectRequest
    | AssignLead
    | ReassignLead
    | ChangeTarget
    | RemindResponsible
    | StartWork
    | NoteProgress
    | PauseWork
    | ResumeWork
    | CompleteWork
    | AddNote
)
