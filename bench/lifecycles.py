"""Whole lifecycles made by the services' own decisions, as the events that they would publish, e-mails and all."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.assignment.domain import decisions as assignment
from services.intake.domain import decisions as intake
from services.notification.domain import decisions as notification
from services.verification.domain import decisions as verification
from shared.calendar import official_calendar
from shared.contracts.envelope import Event, encode_event
from shared.contracts.facts import (
    Applicant,
    ChecklistItem,
    Complexity,
    DocumentKind,
    DocumentRef,
    Letter,
    Scope,
    Staff,
    Verdict,
)
from shared.contracts.notification import MessageOutcome
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import Cause, DeciderRunner, WorkingCopy

CONCURRENT_REQUESTS = 50
NAMESPACE = uuid.UUID("5f2b7c1e-8a44-4d0b-9c57-2f6f3f0d9a11")
START_TIME = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
STEP_DURATION = timedelta(minutes=7)
OFFICER, HEAD = Staff(username="petugas", name="Rosmina Gotowara"), Staff(username="kepala", name="Yohanis Bulidara")
LEAD = Staff(username="teknis", name="Ridwan Subaimora")
PASSED_VERDICTS = tuple(Verdict(item=item, ok=True) for item in ChecklistItem)
NOTE = "Surat belum ditandatangani pejabat yang berwenang."
FAILED_VERDICTS = tuple(Verdict(item=item, ok=item is not ChecklistItem.LETTER, note=NOTE) for item in ChecklistItem)

Step = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One event as it lies in the log."""

    key: str
    value: bytes


def build_deciders() -> dict[str, Decider[Any]]:
    calendar = official_calendar()
    deciders = (
        intake.decider(intake.Rules()),
        verification.decider(verification.Rules(calendar)),
        assignment.decider(assignment.Rules(calendar)),
        notification.decider(),
    )
    return {decider.service: decider for decider in deciders}


class LifecycleSimulator:
    """All four services around one request, each hearing at once what another published."""

    def __init__(self, deciders: Mapping[str, Decider[Any]], number: int) -> None:
        self.request = str(uuid.uuid5(NAMESPACE, str(number)))
        self.foldings = {name: DeciderRunner(decider) for name, decider in deciders.items()}
        self.working_copies: dict[str, WorkingCopy[Any]] = {
            name: folding.open(self.request, None) for name, folding in self.foldings.items()
        }
        self.events: list[Event] = []
        self.now = START_TIME + number * timedelta(seconds=20)

    def handle(self, service: str, command: Any) -> None:
        """Obey a command, tell everybody, and send the e-mails that follow."""
        self.now += STEP_DURATION
        self._publish(self._execute(service, command))
        self._publish(self._execute("notification", notification.StartSending()))
        sending = [m.id for m in self.working_copies["notification"].state.messages if m.status == "sending"]
        outcomes = tuple(MessageOutcome(message=message, status="sent") for message in sending)
        self._publish(self._execute("notification", notification.EndSending(outcomes)))

    def _execute(self, service: str, command: Any) -> list[Event]:
        cause = str(uuid.uuid5(NAMESPACE, f"{self.request}:{len(self.events)}"))
        return self.foldings[service].handle(
            self.working_copies[service], command, self.now, Cause(cause, self.request, cause)
        )

    def _publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self.events.append(event)
            for name, folding in self.foldings.items():
                if name != event.source and event.source in folding.decider.sources:
                    fresh = len(self.working_copies[name].fresh)
                    folding.apply(self.working_copies[name], event, self.now)
                    self._publish(self.working_copies[name].fresh[fresh:])


def document(request: str, name: str, kind: DocumentKind, round: int = 1) -> DocumentRef:
    document_id = str(uuid.uuid5(NAMESPACE, f"{request}:{name}"))
    content = pdf_content(document_id)
    return DocumentRef(
        id=document_id,
        kind=kind,
        name=name,
        size=len(content),
        media_type="application/pdf",
        sha256=hashlib.sha256(content).hexdigest(),
        key=document_id,
        round=round,
    )


def pdf_content(key: str) -> bytes:
    """What the document under this key holds, 8 KB, each its own."""
    return f"%PDF-1.4\n% {key}\n".encode() * 160


def scenario(request: str, number: int) -> list[Step]:
    """What happens to the request with this number: mostly the happy way, every fifth otherwise."""
    submitted = [submission(request, number)]
    variant = number // 5 % 5 if number % 5 == 0 else -1
    match variant:
        case 0:
            again = intake.ResubmitRequest(documents=(document(request, "surat-2.pdf", DocumentKind.LETTER, 2),))
            sent_back = [("verification", verification.ReturnRequest(OFFICER, FAILED_VERDICTS)), ("intake", again)]
            return [*submitted, *sent_back, *_work_steps(), *_handover_steps(1)]
        case 1:
            paused = [("assignment", assignment.PauseWork(LEAD, "Mohon alamat server uji."))]
            answered = [("intake", intake.AnswerQuestion("Server uji siap."))]
            return [*submitted, *_work_steps(), *paused, *answered, *_handover_steps(1)]
        case 2:
            delivered = _handover_steps(1)[:1]
            contested = [("intake", intake.ContestHandover("Hasil uji belum lengkap."))]
            return [*submitted, *_work_steps(), *delivered, *contested, *_handover_steps(2)]
        case 3:
            advice = verification.RecommendRejection(OFFICER, "Di luar lingkup layanan.")
            rejection = assignment.RejectRequest(HEAD, "Mohon maaf, di luar lingkup layanan.")
            return [*submitted, ("verification", advice), ("assignment", rejection)]
        case 4:
            return [*submitted, *_work_steps(), ("intake", intake.WithdrawRequest("Kebutuhan telah terpenuhi."))]
        case _:
            return [*submitted, *_work_steps(), *_handover_steps(1)]


def submission(request: str, number: int) -> Step:
    applicant = Applicant(
        name="Rahmat Contohara",
        employee_number="198502142010011001",
        unit="Dinas Sosial",
        position="Analis Sistem Informasi",
        email="rahmat.contohara@pemohon.example",
    )
    documents = (
        document(request, "surat.pdf", DocumentKind.LETTER),
        document(request, "persyaratan.pdf", DocumentKind.REQUIREMENT),
    )
    command = intake.SubmitRequest(
        number=f"INT-2026-{number + 1:06d}",
        applicant=applicant,
        description="Kami memohon pertukaran data penerima bantuan dengan dasbor pimpinan.",
        scope=Scope.DATA,
        letter=Letter(number="045.2/117/2026", date=date(2026, 2, 20)),
        documents=documents,
    )
    return "intake", command


def _work_steps() -> list[Step]:
    assignment_command = assignment.AssignLead(HEAD, LEAD, Complexity.MEDIUM, date(2026, 12, 1))
    return [
        ("verification", verification.VerifyRequest(OFFICER, PASSED_VERDICTS)),
        ("assignment", assignment_command),
        ("assignment", assignment.StartWork(LEAD)),
        ("assignment", assignment.NoteProgress(LEAD, "Sambungan dipasang dan diuji.", 50)),
    ]


def _handover_steps(delivery: int) -> list[Step]:
    return [("deliver", delivery), ("intake", intake.ConfirmHandover()), ("intake", SURVEY)]


SURVEY = intake.AnswerSurvey((3, 3, 3, 4, 3, 3, 4, 3, 3))


def lifecycle_records(deciders: Mapping[str, Decider[Any]], number: int) -> Iterator[LogRecord]:
    """The events of one request."""
    simulator = LifecycleSimulator(deciders, number)
    for service, command in scenario(simulator.request, number):
        if service == "deliver":
            service, command = "assignment", delivery(simulator, command)
        simulator.handle(service, command)
    return (LogRecord(simulator.request, encode_event(event)) for event in simulator.events)


def delivery(simulator: LifecycleSimulator, count: int) -> assignment.CompleteWork:
    record = assignment.next_record_number(simulator.working_copies["assignment"].state)
    documents = (
        document(simulator.request, f"hasil-{count}.pdf", DocumentKind.RESULT),
        document(simulator.request, f"bast-{count}.pdf", DocumentKind.HANDOVER_RECORD),
    )
    return assignment.CompleteWork(LEAD, "Integrasi telah dipasang dan diuji.", documents, record)


def generate_log(deciders: Mapping[str, Decider[Any]], events: int) -> list[LogRecord]:
    """At least that many events, the lifecycles interleaved as many requests at a time would lay them down."""
    records: list[LogRecord] = []
    number = 0
    while len(records) < events:
        waiting = [lifecycle_records(deciders, number + index) for index in range(CONCURRENT_REQUESTS)]
        number += CONCURRENT_REQUESTS
        while waiting:
            turn = [(each, next(each, None)) for each in waiting]
            records += [record for _, record in turn if record]
            waiting = [each for each, record in turn if record]
    return records
