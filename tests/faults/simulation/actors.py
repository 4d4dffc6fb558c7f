"""Applicants, officers, heads and leads of the simulation with their commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from services.assignment.domain import commands as assignment
from services.assignment.domain.decisions import next_record_number
from services.intake.domain import commands as intake
from services.verification.domain import commands as verification
from shared.contracts.facts import ChecklistItem, Complexity, DocumentKind
from tests.support.domain.given_when_then import NOON
from tests.support.domain.request_events import (
    ALL_OK,
    CALENDAR,
    DEWI,
    HASAN,
    NEW_LETTER,
    NURLAILA,
    RECORD,
    RESULT,
    RONAL,
    SUBMIT,
    document_ref,
    returned_for,
)

TARGET = CALENDAR.add_working_days(NOON.date() + timedelta(days=1), 20)
WARNINGS = SUBMIT.warnings
NEW_FILES = (NEW_LETTER, document_ref("data-baru", DocumentKind.REQUIREMENT))

Choices = Mapping[str, Sequence[Callable[[Any], Any]]]


@dataclass(frozen=True)
class SimulatedRole:
    """Commands to one service by the status of a request; `rare` is possible in any status."""

    service: str
    people: int
    choices: Choices
    rare: Callable[[Any], Any] | None = None


def submission(number: str) -> intake.SubmitRequest:
    return replace(SUBMIT, number=number)


ROLES = (
    SimulatedRole(
        "intake",
        1,
        {
            "returned": [lambda s: intake.ResubmitRequest(documents=NEW_FILES, description="Lengkap.", scope=None)],
            "on_hold": [lambda s: intake.AnswerQuestion("10.0.0.1")],
            "delivered": [
                lambda s: intake.ConfirmHandover(),
                lambda s: intake.ConfirmHandover(),
                lambda s: intake.ContestHandover("Hasil uji belum ada."),
            ],
            "completed": [lambda s: intake.AnswerSurvey((3, 3, 3, 4, 3, 3, 4, 3, 3))],
        },
        lambda s: intake.WithdrawRequest("Sudah tidak diperlukan."),
    ),
    SimulatedRole(
        "verification",
        2,
        {
            "submitted": [
                lambda s: verification.VerifyRequest(NURLAILA, ALL_OK, WARNINGS),
                lambda s: verification.VerifyRequest(HASAN, ALL_OK, WARNINGS),
                lambda s: verification.ReturnRequest(NURLAILA, returned_for(ChecklistItem.LETTER).verdicts),
            ]
        },
    ),
    SimulatedRole(
        "assignment",
        2,
        {
            "verified": [
                lambda s: assignment.AssignLead(HASAN, DEWI, Complexity.LOW, TARGET),
                lambda s: assignment.AssignLead(HASAN, RONAL, Complexity.HIGH, TARGET),
            ],
            "assigned": [lambda s: assignment.StartWork(s.lead)],
            "in_progress": [
                lambda s: assignment.CompleteWork(s.lead, "Selesai.", (RESULT, RECORD), next_record_number(s)),
                lambda s: assignment.PauseWork(s.lead, "Alamat server uji?"),
                lambda s: assignment.NoteProgress(s.lead, "Uji sambungan.", 40),
            ],
        },
        lambda s: assignment.RejectRequest(HASAN, "Di luar lingkup."),
    ),
)
