"""One request handled by the deciders of all four services in memory, for generated documentation and for benchmarks."""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.assignment.decider import decider as assignment_decider
from services.assignment.domain import commands as assignment
from services.assignment.domain.decisions import next_record_number
from services.intake.decider import decider as intake_decider
from services.intake.domain import commands as intake
from services.intake.domain.decisions import Rules as IntakeRules
from services.notification.decider import decider as notification_decider
from services.notification.domain import commands as notification
from services.notification.domain.delivery import claimed_messages
from services.verification.decider import decider as verification_decider
from shared.calendar import official_calendar
from shared.contracts.envelope import Event
from shared.contracts.facts import (
    Applicant,
    ChecklistItem,
    DocumentKind,
    DocumentRef,
    Letter,
    Scope,
    Staff,
    Verdict,
)
from shared.contracts.notification import MessageOutcome
from shared.contracts.stages import StageRules
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import Cause, DeciderRunner, WorkingCopy

NAMESPACE = uuid.UUID("5f2b7c1e-8a44-4d0b-9c57-2f6f3f0d9a11")
START_TIME = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
STEP_DURATION = timedelta(minutes=7)
OFFICER, HEAD = Staff(username="petugas", name="Rosmina Gotowara"), Staff(username="kepala", name="Yohanis Bulidara")
LEAD = Staff(username="teknis", name="Ridwan Subaimora")
PASSED_VERDICTS = tuple(Verdict(item=item, ok=True) for item in ChecklistItem)
NOTE = "Surat belum ditandatangani pejabat yang berwenang."
FAILED_VERDICTS = tuple(Verdict(item=item, ok=item is not ChecklistItem.LETTER, note=NOTE) for item in ChecklistItem)
SURVEY = intake.AnswerSurvey((3, 3, 3, 4, 3, 3, 4, 3, 3))


def build_deciders() -> dict[str, Decider[Any]]:
    """The deciders of all services under the default rules, by service."""
    calendar = official_calendar()
    deciders = (
        intake_decider(IntakeRules()),
        verification_decider(lambda: StageRules(calendar)),
        assignment_decider(lambda: StageRules(calendar)),
        notification_decider(),
    )
    return {decider.service: decider for decider in deciders}


class LifecycleSimulator:
    """All four services around one request; each applies an event as soon as another has published it."""

    def __init__(self, deciders: Mapping[str, Decider[Any]], number: int, start: datetime | None = None) -> None:
        self.request = str(uuid.uuid5(NAMESPACE, str(number)))
        self.runners = {name: DeciderRunner(decider) for name, decider in deciders.items()}
        self.working_copies: dict[str, WorkingCopy[Any]] = {
            name: runner.open(self.request, None) for name, runner in self.runners.items()
        }
        self.events: list[Event] = []
        self.now = start or START_TIME + number * timedelta(seconds=20)

    def copy(self) -> LifecycleSimulator:
        """An independent simulator in the same state."""
        other = copy.copy(self)
        other.working_copies = copy.deepcopy(self.working_copies)
        other.events = list(self.events)
        return other

    def run(self, steps: Sequence[Step]) -> None:
        """Handle the commands one after another; one that depends on the state is given as a function of the simulator."""
        for service, command in steps:
            self.handle(service, command(self) if callable(command) else command)

    def handle(self, service: str, command: Any) -> None:
        """Handle a command a few minutes later, then send the emails that follow from it. Raises Refusal."""
        self.now += STEP_DURATION
        self.execute(service, command)
        self.send_emails()

    def wait_until(self, time: datetime) -> None:
        """Let everything happen that falls due until then: deadlines pass and reminders are sent."""
        while (upcoming := self._next_timer()) and upcoming[0] <= time:
            due, service = upcoming
            self.now = max(self.now, due)
            for command in self.runners[service].decider.on_due(self.working_copies[service].state)[:1]:
                self.execute(service, command)
            self.send_emails()
        self.now = max(self.now, time)

    def _next_timer(self) -> tuple[datetime, str] | None:
        timers = (
            (runner.decider.due_at(self.working_copies[name].state), name) for name, runner in self.runners.items()
        )
        return min(((due, name) for due, name in timers if due), default=None)

    def send_emails(self) -> None:
        """Record that the emails that are due were sent; nothing is handed to a mail server."""
        self.execute("notification", notification.DropReminders())
        runner, working_copy = self.runners["notification"], self.working_copies["notification"]
        runner.record(working_copy, notification.StartSending(self.request), self.now)
        sending = claimed_messages(working_copy.state, self.request)
        outcomes = tuple(MessageOutcome(message=message.id, status="sent") for message in sending)
        runner.record(working_copy, notification.EndSending(self.request, outcomes), self.now)

    def execute(self, service: str, command: Any) -> None:
        """Handle a command and let every service apply the events. Raises Refusal."""
        cause = str(uuid.uuid5(NAMESPACE, f"{self.request}:{len(self.events)}"))
        runner, working_copy = self.runners[service], self.working_copies[service]
        self._publish(runner.handle(working_copy, command, self.now, Cause(cause, self.request, cause)))

    def _publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self.events.append(event)
            for name, runner in self.runners.items():
                if name != event.source and event.source in runner.decider.sources:
                    published = len(self.working_copies[name].new_events)
                    runner.apply(self.working_copies[name], event, self.now)
                    self._publish(self.working_copies[name].new_events[published:])


Step = tuple[str, Any | Callable[[LifecycleSimulator], Any]]
"""A service and a command, or a function that makes the command from the simulator."""


def document(request: str, name: str, kind: DocumentKind, round_number: int = 1) -> DocumentRef:
    """A stored document with the content of `pdf_content`."""
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
        round=round_number,
    )


def pdf_content(key: str) -> bytes:
    """8 KB of content that differs for every key."""
    return f"%PDF-1.4\n% {key}\n".encode() * 160


def submit_request(request: str, number: int) -> intake.SubmitRequest:
    """A complete form with a letter and one requirement."""
    return intake.SubmitRequest(
        number=f"INT-2026-{number + 1:06d}",
        applicant=Applicant(
            name="Rahmat Contohara",
            employee_number="198502142010011001",
            unit="Dinas Sosial",
            position="Analis Sistem Informasi",
            email="rahmat.contohara@pemohon.example",
        ),
        description="Kami memohon pertukaran data penerima bantuan dengan dasbor pimpinan.",
        scope=Scope.DATA,
        letter=Letter(number="045.2/117/2026", date=date(2026, 2, 20)),
        documents=(
            document(request, "surat.pdf", DocumentKind.LETTER),
            document(request, "persyaratan.pdf", DocumentKind.REQUIREMENT),
        ),
    )


def complete_work(simulator: LifecycleSimulator, count: int = 1) -> assignment.CompleteWork:
    """The handover of the delivery with this number."""
    record_number = next_record_number(simulator.working_copies["assignment"].state)
    documents = (
        document(simulator.request, f"hasil-{count}.pdf", DocumentKind.RESULT),
        document(simulator.request, f"bast-{count}.pdf", DocumentKind.HANDOVER_RECORD),
    )
    return assignment.CompleteWork(LEAD, "Integrasi telah dipasang dan diuji.", documents, record_number)
