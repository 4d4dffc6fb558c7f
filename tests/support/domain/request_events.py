"""Sample events of one request, one for each step, and the paths to every status."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from services.intake.decider import decider
from services.intake.domain.commands import SubmitRequest
from services.intake.domain.decisions import Rules
from services.intake.domain.state import State
from shared.calendar import WorkingCalendar
from shared.contracts import assignment as a
from shared.contracts import intake as i
from shared.contracts import verification as v
from shared.contracts.facts import (
    Applicant,
    ChecklistItem,
    Complexity,
    DocumentKind,
    DocumentRef,
    Fact,
    Letter,
    Scope,
    Staff,
    Verdict,
)
from shared.contracts.lifecycle import Status
from tests.support.domain.given_when_then import NOON

INTAKE = decider(Rules())

NURLAILA = Staff(username="nurlaila", name="Nurlaila Ibarat")
HASAN = Staff(username="hasan", name="Hasan Umpama")
DEWI = Staff(username="dewi", name="Dewi Andaian")
RONAL = Staff(username="ronal", name="Ronal Misal")

CALENDAR = WorkingCalendar({date(2026, 12, 1): "Hari libur rekaan"})


def document_ref(name: str, kind: DocumentKind, round_number: int = 1) -> DocumentRef:
    return DocumentRef(
        id=name,
        kind=kind,
        name=f"{name}.pdf",
        size=1024,
        media_type="application/pdf",
        sha256="ab" * 32,
        key=f"2026/{name}",
        round=round_number,
    )


LETTER = document_ref("surat", DocumentKind.LETTER)
DATASET = document_ref("kamus-data", DocumentKind.REQUIREMENT)
FLOW = document_ref("alur", DocumentKind.REQUIREMENT)
NEW_LETTER = document_ref("surat-baru", DocumentKind.LETTER)
NEW_DATASET = document_ref("kamus-data-baru", DocumentKind.REQUIREMENT)
RESULT = document_ref("laporan", DocumentKind.RESULT)
RECORD = document_ref("bast", DocumentKind.HANDOVER_RECORD)

APPLICANT = Applicant(
    name="Rahmat Contoh",
    employee_number="198502302010011001",
    unit="Dinas Perhubungan",
    position="Pranata Komputer",
    email="rahmat@dishub.example",
)
SUBMIT = SubmitRequest(
    number="INT-2026-000001",
    applicant=APPLICANT,
    description="Data trayek dihubungkan ke portal data.",
    scope=Scope.DATA,
    letter=Letter(number="500/1/DISHUB", date=date(2026, 11, 20)),
    documents=(LETTER, DATASET, FLOW),
    warnings=("birth_date",),
)

submitted = i.RequestSubmitted(
    number=SUBMIT.number,
    applicant=APPLICANT,
    description=SUBMIT.description,
    scope=SUBMIT.scope,
    letter=SUBMIT.letter,
    documents=SUBMIT.documents,
    warnings=SUBMIT.warnings,
)
ALL_OK = tuple(Verdict(item=item, ok=True) for item in ChecklistItem)


def returned_for(*items: ChecklistItem, round_number: int = 1) -> v.RequestReturned:
    verdicts = tuple(
        Verdict(item=item, ok=item not in items, note=f"{item.value}: mohon dilengkapi." if item in items else "")
        for item in ChecklistItem
    )
    return v.RequestReturned(round=round_number, verdicts=verdicts, respond_by=date(2026, 12, 7), by=NURLAILA)


returned = returned_for(ChecklistItem.LETTER)
resubmitted = i.RequestResubmitted(
    round=2,
    applicant=APPLICANT,
    description=SUBMIT.description,
    scope=SUBMIT.scope,
    letter=SUBMIT.letter,
    documents=(DATASET, FLOW, NEW_LETTER.model_copy(update={"round": 2})),
    replaced=("surat",),
    warnings=SUBMIT.warnings,
)
corrected = i.RequestCorrected(
    round=1,
    applicant=APPLICANT.model_copy(update={"position": "Arsiparis"}),
    description=SUBMIT.description,
    scope=SUBMIT.scope,
    letter=SUBMIT.letter,
    documents=SUBMIT.documents,
    warnings=SUBMIT.warnings,
)
verified = v.RequestVerified(round=1, verdicts=ALL_OK, acknowledged=("birth_date",), by=NURLAILA)
recommended = v.RejectionRecommended(round=1, reason="Di luar lingkup.", by=NURLAILA)
rejected = a.RequestRejected(reason="Di luar lingkup layanan.", by=HASAN)
assigned = a.LeadAssigned(
    lead=DEWI, complexity=Complexity.LOW, target_date=date(2026, 12, 14), note="Mohon didahulukan.", by=HASAN
)
started = a.WorkStarted(by=DEWI)
progressed = a.WorkProgressed(note="Uji sambungan berhasil.", percent=40, by=DEWI)
paused = a.WorkPaused(pause=1, question="Alamat server uji?", answer_by=date(2026, 11, 30), by=DEWI)
answered = i.ApplicantAnswered(pause=1, text="10.0.0.1")
resumed = a.WorkResumed(pause=1, days=2, target_date=date(2026, 12, 16))
completed = a.WorkCompleted(
    delivery=1,
    summary="Data tersinkron setiap malam.",
    documents=(RESULT, RECORD),
    record_number="BAST/1/2026",
    confirm_by=date(2026, 11, 30),
    by=DEWI,
)
contested = i.HandoverContested(delivery=1, reason="Hasil uji belum ada.")
confirmed = i.HandoverConfirmed(delivery=1, automatic=False, survey_until=date(2026, 12, 7))
surveyed = i.SurveyAnswered(answers=(3, 3, 3, 4, 3, 3, 4, 3, 3))
withdrawn = i.RequestWithdrawn(reason="Sudah tidak diperlukan.")
expired = i.RequestExpired(round=1)

VERIFIED = (submitted, verified)
ASSIGNED = (*VERIFIED, assigned)
IN_PROGRESS = (*ASSIGNED, started)
ON_HOLD = (*IN_PROGRESS, paused)
DELIVERED = (*IN_PROGRESS, completed)
COMPLETED = (*DELIVERED, confirmed)

PATHS: dict[Status, tuple[Fact, ...]] = {
    Status.NEW: (),
    Status.SUBMITTED: (submitted,),
    Status.RETURNED: (submitted, returned),
    Status.VERIFIED: VERIFIED,
    Status.ASSIGNED: ASSIGNED,
    Status.IN_PROGRESS: IN_PROGRESS,
    Status.ON_HOLD: ON_HOLD,
    Status.DELIVERED: DELIVERED,
    Status.COMPLETED: COMPLETED,
    Status.REJECTED: (submitted, rejected),
    Status.WITHDRAWN: (submitted, withdrawn),
    Status.EXPIRED: (submitted, returned, expired),
}


def decide_facts(state: State, command: Any, now: datetime = NOON) -> list[Fact]:
    return list(INTAKE.decide(state, command, now))
