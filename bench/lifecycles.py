"""Whole lifecycles made by the services' own decisions, as the events that they would publish, e-mails and all."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.assignment import domain as assignment
from services.intake import domain as intake
from services.notification import domain as notification
from services.verification import domain as verification
from shared.calendar import official_calendar
from shared.contracts.envelope import Event, to_bytes
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
from shared.runtime.folding import Cause, Draft, Folding

ABREAST = 50
SPACE = uuid.UUID("5f2b7c1e-8a44-4d0b-9c57-2f6f3f0d9a11")
BEGUN = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
STEP = timedelta(minutes=7)
OFFICER, HEAD = Staff(username="petugas", name="Rosmina Gotowara"), Staff(username="kepala", name="Yohanis Bulidara")
LEAD = Staff(username="teknis", name="Ridwan Subaimora")
GOOD = tuple(Verdict(item=item, ok=True) for item in ChecklistItem)
NOTE = "Surat belum ditandatangani pejabat yang berwenang."
BAD = tuple(Verdict(item=item, ok=item is not ChecklistItem.LETTER, note=NOTE) for item in ChecklistItem)

Step = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it lies in the log."""

    key: str
    value: bytes


def deciders() -> dict[str, Decider[Any]]:
    calendar = official_calendar()
    hearts = (
        intake.decider(intake.Rules()),
        verification.decider(verification.Rules(calendar)),
        assignment.decider(assignment.Rules(calendar)),
        notification.decider(),
    )
    return {heart.service: heart for heart in hearts}


class Office:
    """All four services around one request, each hearing at once what another published."""

    def __init__(self, hearts: Mapping[str, Decider[Any]], number: int) -> None:
        self.request = str(uuid.uuid5(SPACE, str(number)))
        self.foldings = {name: Folding(heart) for name, heart in hearts.items()}
        self.drafts: dict[str, Draft[Any]] = {
            name: folding.open(self.request, None) for name, folding in self.foldings.items()
        }
        self.events: list[Event] = []
        self.now = BEGUN + number * timedelta(seconds=20)

    def do(self, service: str, command: Any) -> None:
        """Obey a command, tell everybody, and send the e-mails that follow."""
        self.now += STEP
        self._publish(self._obeyed(service, command))
        self._publish(self._obeyed("notification", notification.StartSending()))
        in_hand = [m.id for m in self.drafts["notification"].state.messages if m.status == "sending"]
        outcomes = tuple(MessageOutcome(message=message, status="sent") for message in in_hand)
        self._publish(self._obeyed("notification", notification.EndSending(outcomes)))

    def _obeyed(self, service: str, command: Any) -> list[Event]:
        cause = str(uuid.uuid5(SPACE, f"{self.request}:{len(self.events)}"))
        return self.foldings[service].obey(self.drafts[service], command, self.now, Cause(cause, self.request, cause))

    def _publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self.events.append(event)
            for name, folding in self.foldings.items():
                if name != event.source and event.source in folding.decider.sources:
                    fresh = len(self.drafts[name].fresh)
                    folding.hear(self.drafts[name], event, self.now)
                    self._publish(self.drafts[name].fresh[fresh:])


def document(request: str, name: str, kind: DocumentKind, round: int = 1) -> DocumentRef:
    known = str(uuid.uuid5(SPACE, f"{request}:{name}"))
    content = paper(known)
    return DocumentRef(
        id=known,
        kind=kind,
        name=name,
        size=len(content),
        media_type="application/pdf",
        sha256=hashlib.sha256(content).hexdigest(),
        key=known,
        round=round,
    )


def paper(key: str) -> bytes:
    """What the document under this key holds, 8 KB, each its own."""
    return f"%PDF-1.4\n% {key}\n".encode() * 160


def story(request: str, number: int) -> list[Step]:
    """What happens to the request with this number: mostly the happy way, every fifth otherwise."""
    begun = [submission(request, number)]
    otherwise = number // 5 % 5 if number % 5 == 0 else -1
    match otherwise:
        case 0:
            again = intake.ResubmitRequest(documents=(document(request, "surat-2.pdf", DocumentKind.LETTER, 2),))
            sent_back = [("verification", verification.ReturnRequest(OFFICER, BAD)), ("intake", again)]
            return [*begun, *sent_back, *_worked(), *_handed_over(1)]
        case 1:
            paused = [("assignment", assignment.PauseWork(LEAD, "Mohon alamat server uji."))]
            answered = [("intake", intake.AnswerQuestion("Server uji siap."))]
            return [*begun, *_worked(), *paused, *answered, *_handed_over(1)]
        case 2:
            delivered = _handed_over(1)[:1]
            contested = [("intake", intake.ContestHandover("Hasil uji belum lengkap."))]
            return [*begun, *_worked(), *delivered, *contested, *_handed_over(2)]
        case 3:
            advice = verification.RecommendRejection(OFFICER, "Di luar lingkup layanan.")
            rejection = assignment.RejectRequest(HEAD, "Mohon maaf, di luar lingkup layanan.")
            return [*begun, ("verification", advice), ("assignment", rejection)]
        case 4:
            return [*begun, *_worked(), ("intake", intake.WithdrawRequest("Kebutuhan telah terpenuhi."))]
        case _:
            return [*begun, *_worked(), *_handed_over(1)]


def submission(request: str, number: int) -> Step:
    applicant = Applicant(
        name="Rahmat Contohara",
        employee_number="198502142010011001",
        unit="Dinas Sosial",
        position="Analis Sistem Informasi",
        email="rahmat.contohara@pemohon.example",
    )
    papers = (
        document(request, "surat.pdf", DocumentKind.LETTER),
        document(request, "persyaratan.pdf", DocumentKind.REQUIREMENT),
    )
    command = intake.SubmitRequest(
        number=f"INT-2026-{number + 1:06d}",
        applicant=applicant,
        description="Kami memohon pertukaran data penerima bantuan dengan dasbor pimpinan.",
        scope=Scope.DATA,
        letter=Letter(number="045.2/117/2026", date=date(2026, 2, 20)),
        documents=papers,
    )
    return "intake", command


def _worked() -> list[Step]:
    appointed = assignment.AssignLead(HEAD, LEAD, Complexity.MEDIUM, date(2026, 12, 1))
    return [
        ("verification", verification.VerifyRequest(OFFICER, GOOD)),
        ("assignment", appointed),
        ("assignment", assignment.StartWork(LEAD)),
        ("assignment", assignment.NoteProgress(LEAD, "Sambungan dipasang dan diuji.", 50)),
    ]


def _handed_over(delivery: int) -> list[Step]:
    return [("deliver", delivery), ("intake", intake.ConfirmHandover()), ("intake", SURVEY)]


SURVEY = intake.AnswerSurvey((3, 3, 3, 4, 3, 3, 4, 3, 3))


def told(hearts: Mapping[str, Decider[Any]], number: int) -> Iterator[Line]:
    """The events of one request."""
    office = Office(hearts, number)
    for service, command in story(office.request, number):
        if service == "deliver":
            service, command = "assignment", delivery(office, command)
        office.do(service, command)
    return (Line(office.request, to_bytes(event)) for event in office.events)


def delivery(office: Office, count: int) -> assignment.CompleteWork:
    record = assignment.next_record_number(office.drafts["assignment"].state)
    papers = (
        document(office.request, f"hasil-{count}.pdf", DocumentKind.RESULT),
        document(office.request, f"bast-{count}.pdf", DocumentKind.HANDOVER_RECORD),
    )
    return assignment.CompleteWork(LEAD, "Integrasi telah dipasang dan diuji.", papers, record)


def log_of(hearts: Mapping[str, Decider[Any]], events: int) -> list[Line]:
    """At least that many events, the lifecycles interleaved as many requests at a time would lay them down."""
    lines: list[Line] = []
    number = 0
    while len(lines) < events:
        waiting = [told(hearts, number + index) for index in range(ABREAST)]
        number += ABREAST
        while waiting:
            turn = [(each, next(each, None)) for each in waiting]
            lines += [line for _, line in turn if line]
            waiting = [each for each, line in turn if line]
    return lines
