"""The state machine of a request, found by giving every command to the deciders of all services in every status."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from services.assignment.domain import commands as assignment
from services.intake.domain import commands as intake
from services.verification.domain import commands as verification
from shared.contracts.facts import Complexity, DocumentKind, Staff
from shared.contracts.lifecycle import ENDED, Status
from shared.runtime.decider import Refusal
from simpul.generate.lifecycle_simulator import (
    FAILED_VERDICTS,
    HEAD,
    LEAD,
    OFFICER,
    PASSED_VERDICTS,
    SURVEY,
    LifecycleSimulator,
    build_deciders,
    complete_work,
    document,
    submit_request,
)

TEXT = "Contoh."
OTHER_LEAD = Staff(username="teknis-lain", name="Fitrawati Lolobatta")

Transitions = dict[tuple[Status, Status], list[str]]


def transitions() -> Transitions:
    """The commands that lead from one status to another, in the order in which they are found; `*` marks a timer's."""
    found: Transitions = {}
    queue = [LifecycleSimulator(build_deciders(), 0)]
    reached = {_status(queue[0])}
    while queue:
        simulator = queue.pop(0)
        for label, after in _successors(simulator):
            before, status = _status(simulator), _status(after)
            if status is not before:
                labels = found.setdefault((before, status), [])
                labels += [label] if label not in labels else []
            if status not in reached:
                reached.add(status)
                queue.append(after)
    return found


def render_state_machine() -> str:
    """The transitions as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    for (before, after), labels in transitions().items():
        start = "[*]" if before is Status.NEW else before.value
        lines.append(f"    {start} --> {after.value}: {', '.join(labels)}")
    lines += [f"    {status.value} --> [*]" for status in Status if status in ENDED]
    return "\n".join(lines)


def _status(simulator: LifecycleSimulator) -> Status:
    return Status(simulator.working_copies["intake"].state.status)


def _successors(simulator: LifecycleSimulator) -> Iterator[tuple[str, LifecycleSimulator]]:
    """What each command that is not refused makes of the request."""
    for service, command in _commands(simulator):
        if after := _after(simulator, service, command, simulator.now):
            yield type(command).__name__, after
    for service, runner in simulator.runners.items():
        state = simulator.working_copies[service].state
        if due_at := runner.decider.due_at(state):
            for command in runner.decider.on_due(state):
                if after := _after(simulator, service, command, max(due_at, simulator.now)):
                    yield f"{type(command).__name__} (timer)", after


def _after(simulator: LifecycleSimulator, service: str, command: Any, now: datetime) -> LifecycleSimulator | None:
    after = simulator.copy()
    after.now = now
    try:
        after.execute(service, command)
    except Refusal:
        return None
    return after


def _commands(simulator: LifecycleSimulator) -> Iterator[tuple[str, Any]]:
    """One command of each kind by which a person can change the status."""
    request, round_number = simulator.request, simulator.working_copies["intake"].state.course.round + 1
    letter = document(request, f"surat-{round_number}.pdf", DocumentKind.LETTER, round_number)
    yield from (
        ("intake", command)
        for command in (
            submit_request(request, 0),
            intake.ResubmitRequest(documents=(letter,)),
            intake.WithdrawRequest(TEXT),
            intake.AnswerQuestion(TEXT),
            intake.ConfirmHandover(),
            intake.ContestHandover(TEXT),
            SURVEY,
        )
    )
    yield from (
        ("verification", command)
        for command in (
            verification.VerifyRequest(OFFICER, PASSED_VERDICTS),
            verification.ReturnRequest(OFFICER, FAILED_VERDICTS),
            verification.RecommendRejection(OFFICER, TEXT),
        )
    )
    yield from (
        ("assignment", command)
        for command in (
            assignment.AssignLead(HEAD, LEAD, Complexity.LOW, date(2026, 12, 1)),
            assignment.ReassignLead(HEAD, OTHER_LEAD, TEXT),
            assignment.RejectRequest(HEAD, TEXT),
            assignment.StartWork(LEAD),
            assignment.NoteProgress(LEAD, TEXT, 50),
            assignment.PauseWork(LEAD, TEXT),
            assignment.ResumeWork(LEAD, TEXT),
            complete_work(simulator),
        )
    )
