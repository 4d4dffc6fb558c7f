"""Four in-memory services on one log: each folds its own events at once and others' when consumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from services.assignment.decider import decider as assignment_decider
from services.assignment.domain import commands as assignment
from services.assignment.domain.decisions import next_record_number
from services.assignment.domain.state import State as AssignmentState
from services.intake.decider import decider as intake_decider
from services.intake.domain import commands as intake
from services.intake.domain.decisions import Rules as IntakeRules
from services.intake.domain.state import State as IntakeState
from services.notification.decider import decider as notification_decider
from services.notification.domain import commands as notification
from services.notification.domain.delivery import claimed_messages
from services.notification.domain.state import State as NotificationState
from services.verification.decider import decider as verification_decider
from services.verification.domain import commands as verification
from services.verification.domain.state import State as VerificationState
from shared.calendar import today
from shared.contracts.envelope import Event
from shared.contracts.facts import ChecklistItem, Complexity, DocumentKind
from shared.contracts.notification import MessageOutcome
from shared.contracts.stages import StageRules
from shared.runtime.decider import Decider, Refusal
from shared.runtime.decider_runner import Cause, DeciderRunner, WorkingCopy
from tests.support.domain.given_when_then import NOON, REQUEST
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

SERVICES: Mapping[str, Decider[Any]] = {
    "intake": intake_decider(IntakeRules()),
    "verification": verification_decider(lambda: StageRules(CALENDAR)),
    "assignment": assignment_decider(lambda: StageRules(CALENDAR)),
    "notification": notification_decider(),
}


def applicant_commands(state: IntakeState, now: datetime) -> list[Any]:
    anew = (NEW_LETTER, document_ref(f"data-{state.course.round}", DocumentKind.REQUIREMENT))
    return [
        SUBMIT,
        intake.ResubmitRequest(documents=anew, description=f"Putaran {state.course.round}", scope=None),
        intake.AnswerQuestion("10.0.0.1"),
        intake.ContestHandover("Hasil uji belum ada."),
        intake.ConfirmHandover(),
        intake.AnswerSurvey((3, 3, 3, 4, 3, 3, 4, 3, 3)),
        intake.WithdrawRequest("Sudah tidak diperlukan."),
    ]


def officer_commands(state: VerificationState, now: datetime) -> list[Any]:
    return [
        verification.VerifyRequest(NURLAILA, ALL_OK, state.warnings),
        verification.ReturnRequest(NURLAILA, returned_for(ChecklistItem.LETTER).verdicts),
        verification.RecommendRejection(NURLAILA, "Di luar lingkup."),
    ]


def head_and_lead_commands(state: AssignmentState, now: datetime) -> list[Any]:
    lead = state.lead or DEWI
    target = CALENDAR.add_working_days(today(now), 20)
    number = next_record_number(state)
    return [
        assignment.AssignLead(HASAN, DEWI, Complexity.LOW, target),
        assignment.StartWork(lead),
        assignment.CompleteWork(lead, "Selesai.", (RESULT, RECORD), number),
        assignment.PauseWork(lead, "Alamat server uji?"),
        assignment.ResumeWork(lead, "Dijawab lewat telepon."),
        assignment.NoteProgress(lead, "Uji sambungan.", 40),
        assignment.ReassignLead(HASAN, RONAL if lead == DEWI else DEWI, "Pembagian tugas.", target),
        assignment.RejectRequest(HASAN, "Di luar lingkup."),
    ]


def dispatcher_commands(state: NotificationState, now: datetime) -> list[Any]:
    outcomes = tuple(MessageOutcome(message=message.id, status="sent") for message in claimed_messages(state, CLAIM))
    deliveries = [notification.EndSending(CLAIM, outcomes), notification.StartSending(CLAIM)]
    return [*deliveries, notification.DropReminders()]


COMMANDS: Mapping[str, Callable[[Any, datetime], list[Any]]] = {
    "intake": applicant_commands,
    "verification": officer_commands,
    "assignment": head_and_lead_commands,
    "notification": dispatcher_commands,
}
CLAIM = "00000000-0000-4000-8000-0000000000c1"
RARE = (intake.WithdrawRequest, assignment.RejectRequest)
"""Commands that end a request early are rare, or few requests would get far."""


@dataclass
class SimulatedService:
    """One service: its record, its outbox and its position in the log."""

    runner: DeciderRunner[Any]
    working_copy: WorkingCopy[Any]
    outbox: list[Event] = field(default_factory=list)
    position: int = 0
    sources: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.sources = self.decider.sources

    @property
    def decider(self) -> Decider[Any]:
        return self.runner.decider

    @property
    def status(self) -> str:
        return str(self.working_copy.state.course.status)

    def publish_new_events(self) -> None:
        self.outbox += self.working_copy.new_events
        self.working_copy.new_events = []


class ServiceNetwork:
    """The services with these deciders; the caller chooses every step by small numbers."""

    def __init__(self, deciders: Mapping[str, Decider[Any]] = SERVICES) -> None:
        self.services = {name: self._service(decider) for name, decider in deciders.items()}
        self.log: list[Event] = []
        self.now = NOON
        self._commands = 0

    def _service(self, decider: Decider[Any]) -> SimulatedService:
        runner = DeciderRunner(decider)
        return SimulatedService(runner, runner.open(REQUEST, None))

    def step(self, service: SimulatedService, act: int, choice: int) -> None:
        """Take one step: 0 is a command, 1 publish, 2 and 3 consume; a high `choice` skips time or repeats."""
        match act:
            case 0:
                self.now += timedelta(days=6) if choice == 15 else timedelta(minutes=11)
                self._command(service, choice)
            case 1:
                self._publish(service, repeat=choice > 12)
            case _:
                self._consume(service, repeat=max(0, choice - 12))

    def _command(self, service: SimulatedService, choice: int) -> None:
        """Execute one of the commands that are accepted now, including due ones."""
        state, decider = service.working_copy.state, service.decider
        due = decider.due_at(state)
        commands = COMMANDS[decider.service](state, self.now)
        commands += decider.on_due(state) if due and due <= self.now else []
        wanted = [command for command in commands if isinstance(command, RARE) == (choice == 14)]
        able = [command for command in wanted if self._would_accept(service, command)]
        if not able:
            return
        command = able[choice % len(able)]
        if isinstance(command, notification.DeliveryCommand):
            service.runner.record(service.working_copy, command, self.now)
            return
        self._commands += 1
        cause = str(uuid5(UUID(REQUEST), f"command {self._commands}"))
        service.runner.handle(service.working_copy, command, self.now, Cause(cause, cause, cause))
        service.publish_new_events()

    def _would_accept(self, service: SimulatedService, command: Any) -> bool:
        decider, state = service.decider, service.working_copy.state
        if isinstance(command, notification.DeliveryCommand):
            return bool(decider.record(state, command, self.now) != state)
        try:
            return bool(decider.decide(state, command, self.now))
        except Refusal:
            return False

    def _publish(self, service: SimulatedService, *, repeat: bool = False) -> None:
        """Append the next event of the outbox, twice if the first result was lost."""
        if service.outbox:
            event = service.outbox.pop(0)
            self.log += [event] * (2 if repeat else 1)

    def _consume(self, service: SimulatedService, repeat: int = 0) -> None:
        """Consume one event, after going back a few like a consumer after a rebalance."""
        service.position = max(0, service.position - repeat)
        for event in self.log[service.position : service.position + repeat + 1]:
            service.position += 1
            if event.source in service.sources:
                service.runner.apply(service.working_copy, event, self.now)
                service.publish_new_events()

    def settle(self) -> None:
        """Publish and consume until nothing is left."""
        while any(one.outbox or one.position < len(self.log) for one in self.services.values()):
            for one in self.services.values():
                self._publish(one)
                self._consume(one)

    def find_violations(self) -> list[str]:
        """Return services that disagree, or whose state is not the fold of the log."""
        wrong = []
        statuses = {name: one.status for name, one in self.services.items()}
        if len(set(statuses.values())) > 1:
            wrong.append(f"the services disagree: {statuses}")
        for name, one in self.services.items():
            again = one.runner.open(REQUEST, None)
            for event in self.log:
                if event.source in one.sources | {name}:
                    one.runner.fold(again, event)
            again.state = one.decider.carry_over(again.state, one.working_copy.state, False)
            if (again.state, again.seen) != (one.working_copy.state, one.working_copy.seen):
                wrong.append(f"{name} is not the fold of the log")
            if one.runner.close(again).record.body != one.runner.close(one.working_copy).record.body:
                wrong.append(f"{name} is stored in other bytes than the fold of the log")
        return wrong
