"""Invariants of a simulated system at rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from services.notification.domain.reminders import last_day
from services.notification.domain.state import State
from shared.calendar import end_of_day
from shared.contracts.envelope import Event, decode_event
from shared.contracts.notification import RemindersDropped
from shared.eventlog.port import EventLog
from shared.runtime.rebuild import Rebuild
from shared.storage.port import StateStore
from tests.faults.simulation.fault_schedule import NO_FAULTS, FaultSchedule, SimulatedProcess
from tests.faults.simulation.simulated_system import DECIDERS, SKEWS, SimulatedSystem
from tests.faults.simulation.unreliable_storage import MemoryLog, MemoryStore

STEPS = {
    "RequestSubmitted": "submission",
    "RequestResubmitted": "submission",
    "RequestReturned": "verdict",
    "RequestVerified": "verdict",
    "LeadAssigned": "lead",
    "WorkStarted": "start",
    "WorkCompleted": "delivery",
    "HandoverConfirmed": "taking over",
    "HandoverContested": "taking over",
    "WorkPaused": "question",
    "ApplicantAnswered": "answer",
    "WorkResumed": "resumption",
    "RequestWithdrawn": "withdrawal",
    "RequestRejected": "rejection",
    "SurveyAnswered": "survey",
}


async def find_violations(system: SimulatedSystem) -> list[str]:
    """Return the violated invariants in sentences."""
    events = [decode_event(record.value) for record in system.tape.records]
    once = list({event.id: event for event in events}.values())
    return [
        *system.backwards,
        *_sequences(once),
        *_times(once),
        *_decisions(once),
        *_answers(system, once),
        *_mail(system, once),
        *_deliveries(events),
        *_agreement(system),
        *[line async for line in _folds(system)],
    ]


def _sequences(events: list[Event]) -> Iterator[str]:
    """First deliveries are numbered 1, 2, 3 ... per source and request."""
    last: Counter[tuple[str, str]] = Counter()
    for event in events:
        place = event.source, event.subject
        if event.sequence != last[place] + 1:
            yield f"{event.source} published {event.sequence} after {last[place]}"
        last[place] = event.sequence


def _times(events: list[Event]) -> Iterator[str]:
    last: dict[tuple[str, str], Event] = {}
    by_id = {event.id: event for event in events}
    for event in events:
        before = last.get((event.source, event.subject))
        cause = by_id.get(event.causationid)
        if (before and event.time <= before.time) or (cause and event.time <= cause.time):
            yield f"time runs backwards at {event.type}"
        last[event.source, event.subject] = event


def _decisions(events: list[Event]) -> Iterator[str]:
    """At most one decision per step; each round, pause and delivery is a separate step."""
    taken: Counter[tuple[str, str, int]] = Counter()
    for event in events:
        if step := STEPS.get(event.type):
            fact: Any = event.fact
            count = getattr(fact, "round", 0) or getattr(fact, "pause", 0) or getattr(fact, "delivery", 0)
            taken[event.subject, step, count] += 1
    for (_, step, count), times in taken.items():
        if times > 1:
            yield f"{times} decisions about {step} {count}"


def _answers(system: SimulatedSystem, events: list[Event]) -> Iterator[str]:
    """Acknowledged commands are in the log, and refused commands are not."""
    caused = {event.causationid for event in events}
    for recorded in system.answers:
        if recorded.answer is not None and recorded.key not in caused:
            yield f"{recorded.service} acknowledged a command and the log has no event of it"
        if recorded.refusal and recorded.key in caused:
            yield f"{recorded.service} refused ({recorded.refusal}) a command that is in the log"


def _mail(system: SimulatedSystem, events: list[Event]) -> Iterator[str]:
    """Each email is delivered; a duplicate requires a crash or a lost answer.

    A reminder that a crash interrupted may have been dropped before it was sent again.
    """
    dropped = {
        message for event in events if isinstance(event.fact, RemindersDropped) for message in event.fact.kept or ()
    }
    runner = system.runtimes["notification"].executor.runner
    trouble = system.crashes["notification"] + system.fate.lost_answers["notification"]
    owed: set[str] = set()
    for record in system.disks["notification"].records.values():
        owed |= {message.id for message in runner.state(record).messages}
        yield from _late_reminders(system, runner.state(record))
    for message in owed:
        copies, excuses = system.mail_server.taken[message], trouble + system.mail_server.silences[message]
        if (copies < 1 and message not in dropped) or copies > 1 + excuses:
            yield f"a letter was handed over {copies} times, with {excuses} excuses"
    if extra := system.mail_server.taken.keys() - owed:
        yield f"{len(extra)} unexpected emails were sent"


def _deliveries(events: list[Event]) -> Iterator[str]:
    """The delivery of emails is not in the log."""
    types = {event.type for event in events if event.source == "notification"}
    if extra := types - {"ReminderFellDue", "RemindersDropped", "ResendRequested"}:
        yield f"notification published {sorted(extra)}"


def _late_reminders(system: SimulatedSystem, state: State) -> Iterator[str]:
    """No reminder is sent after a deadline decided the matter, with clocks hours apart."""
    for message in state.messages:
        if (day := last_day(message.values)) is not None:
            over = end_of_day(day) + 2 * max(SKEWS)
            if any(at > over for at in system.mail_server.taken_at[message.id]):
                yield "a reminder was sent after the day on which time decides"


def _agreement(system: SimulatedSystem) -> Iterator[str]:
    for request in system.requests:
        statuses = {}
        for name, disk in system.disks.items():
            runner = system.runtimes[name].executor.runner
            if request in disk.records:
                statuses[name] = runner.state(disk.records[request]).course.status.value
        if len(statuses) != len(DECIDERS) or len(set(statuses.values())) != 1:
            yield f"the services disagree: {statuses}"


async def _folds(system: SimulatedSystem) -> AsyncIterator[str]:
    """Every state is the fold of the log, and no email of a record that was lost is sent again."""
    calm = FaultSchedule(0)
    calm.odds = NO_FAULTS
    for name, decider in DECIDERS.items():
        process = SimulatedProcess(name, calm)
        store = cast(StateStore, MemoryStore(system.disks[name], process))
        rebuild = Rebuild(decider, store, cast(EventLog, MemoryLog(system.tape, process)))
        report = await rebuild.compare()
        if not report.clean:
            yield f"{name} is not the fold of the log: {report}"
        for working_copy in rebuild.working_copies.values() if name == "notification" else ():
            if any(message.due for message in decider.carry_over(working_copy.state, None, False).messages):
                yield "a fold without the stored record sends emails"
