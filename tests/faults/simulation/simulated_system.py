"""The real runtime of all four services on unreliable storage, with simulated users."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid5

from services.assignment.decider import decider as assignment_decider
from services.intake.decider import decider as intake_decider
from services.intake.domain.decisions import Rules as IntakeRules
from services.notification.decider import decider as notification_decider
from services.notification.email_composer import EmailComposer, EmailSettings, Recipient
from services.notification.email_dispatcher import EmailDispatcher
from services.verification.decider import decider as verification_decider
from shared.clock import Clock
from shared.contracts.assignment import LeadAssigned
from shared.contracts.envelope import Event
from shared.contracts.facts import Fact
from shared.contracts.intake import RequestWithdrawn
from shared.contracts.registry import UnknownFact
from shared.contracts.stages import StageRules
from shared.contracts.verification import RequestReturned, RequestVerified
from shared.eventlog.port import EventLog
from shared.mail.port import Email, Outcome
from shared.office_contact import NO_CONTACT
from shared.runtime.decider import Decider, Refusal
from shared.runtime.event_decoding import decode_cached
from shared.runtime.executor import CommandKey, CommandResult
from shared.runtime.service_runtime import ServiceRuntime
from shared.runtime.timers import Timers
from shared.runtime.write_conflicts import conflict_backoff
from shared.storage.port import StateStore, StoreUnavailable
from tests.faults.simulation.actors import ROLES, SimulatedRole, submission
from tests.faults.simulation.fault_schedule import NO_FAULTS, FaultSchedule, SimulatedProcess
from tests.faults.simulation.unreliable_storage import MemoryLog, MemoryStore, ServiceStorage, SharedLog
from tests.support.domain.given_when_then import NOON, REQUEST
from tests.support.domain.request_events import CALENDAR

DECIDERS: dict[str, Decider[Any]] = {
    "intake": intake_decider(IntakeRules()),
    "verification": verification_decider(lambda: StageRules(CALENDAR)),
    "assignment": assignment_decider(lambda: StageRules(CALENDAR)),
    "notification": notification_decider(),
}
SKEWS = (timedelta(), timedelta(), timedelta(hours=1), timedelta(hours=-1))
WATCH_EVERY = 5.0
EMAIL_SETTINGS = EmailSettings(
    "Simpul <simpul@simpul.example>", "https://simpul.example", "", NO_CONTACT, lambda: CALENDAR
)
BUGS = (
    ("notification", LeadAssigned),
    ("notification", RequestReturned),
    ("assignment", RequestVerified),
    ("assignment", RequestWithdrawn),
    ("verification", RequestWithdrawn),
    ("intake", RequestVerified),
)
"""A service, and a fact of another service that it cannot fold or read until its program is replaced."""


def decode_as_newer(fact: type[Fact], raw: bytes) -> Event:
    """Read events like a program version that predates the present version of this fact."""
    event = decode_cached(raw)
    return replace(event, fact=UnknownFact(name=event.type)) if isinstance(event.fact, fact) else event


def fail_on(decider: Decider[Any], over: type[Fact], state: Any, event: Event) -> Any:
    """Evolve as the decider does, but for one kind of fact."""
    if isinstance(event.fact, over):
        raise ValueError("poison")
    return decider.evolve(state, event)


Mutate = Callable[[ServiceRuntime[Any]], None]


@dataclass(frozen=True)
class RecordedAnswer:
    """A command and its answer."""

    service: str
    request: str
    key: str
    answer: CommandResult | None
    refusal: str = ""


class SimulatedMailServer:
    """A mail server that may lose its answer after accepting a message."""

    def __init__(self, fate: FaultSchedule, clock: Clock) -> None:
        self.fate, self.clock = fate, clock
        self.taken: Counter[str] = Counter()
        self.taken_at: dict[str, list[datetime]] = defaultdict(list)
        self.silences: Counter[str] = Counter()

    def at(self, process: SimulatedProcess) -> MailServerConnection:
        return MailServerConnection(self, process)

    def take(self, email: Email) -> Outcome:
        luck = self.fate.random.random() if self.fate.odds is not NO_FAULTS else 1.0
        if luck < 0.1:
            return Outcome("temporary", "Kotak surat penuh.")
        self.taken[email.message_id] += 1
        self.taken_at[email.message_id].append(self.clock())
        if luck < 0.2:
            self.silences[email.message_id] += 1
            return Outcome("unknown", "Tidak ada jawaban.")
        return Outcome("sent")


class MailServerConnection:
    def __init__(self, mail_server: SimulatedMailServer, process: SimulatedProcess) -> None:
        self.mail_server, self.process = mail_server, process

    async def send(self, email: Email) -> Outcome:
        await self.process.step()
        outcome = self.mail_server.take(email)
        await self.process.step()
        return outcome

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass


class Staff:
    async def accounts_with_role(self, role: str) -> Sequence[Recipient]:
        return [Recipient(role, f"{role}@simpul.example")]

    async def person(self, username: str) -> Recipient | None:
        return Recipient(username, f"{username}@simpul.example")

    async def recipients_for(self, username: str) -> Sequence[Recipient]:
        return [Recipient(username, f"{username}@simpul.example")]


@dataclass
class SimulatedSystem:
    """A system whose storage and log persist while its processes crash and restart."""

    seed: int
    mutate: Mutate = lambda runtime: None
    answers: list[RecordedAnswer] = field(default_factory=list)
    crashes: Counter[str] = field(default_factory=Counter)
    jumped: timedelta = timedelta()
    bug: tuple[str, type[Fact]] | None = None
    backwards: list[str] = field(default_factory=list)
    """Requests whose cached version was older than one already returned."""

    def __post_init__(self) -> None:
        self.fate = FaultSchedule(self.seed)
        self.tape = SharedLog()
        self.disks = {name: ServiceStorage(decider.indexed_columns) for name, decider in DECIDERS.items()}
        self.mail_server = SimulatedMailServer(self.fate, self.clock)
        self.processes: dict[str, SimulatedProcess] = {}
        self.graves: list[SimulatedProcess] = []
        """All processes, since garbage collection of a dead one would resume its coroutines."""
        self.runtimes: dict[str, ServiceRuntime[Any]] = {}
        self.answered: dict[tuple[SimulatedProcess, str], int] = {}
        """The last version that a process returned, by request."""
        self.bug = self.fate.random.choice(BUGS) if self.fate.occurs(0.3) else None
        self.outdated = self.bug is not None and self.fate.random.random() < 0.5
        count = 2 if self.fate.occurs(0.25) else 1
        self.requests = [str(uuid5(UUID(REQUEST), f"{self.seed}:{number}")) for number in range(count)]

    def clock(self) -> datetime:
        return NOON + self.jumped + timedelta(seconds=asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Run with faults, then without until the system is at rest."""
        keepers = [asyncio.create_task(self._keep_alive(name)) for name in DECIDERS]
        sleep = asyncio.create_task(self._sleep_for_weeks())
        await asyncio.gather(*(self._use(number, request) for number, request in enumerate(self.requests)))
        await sleep
        self.fate.stop_faults()
        if self.bug is not None:
            repaired, self.bug = self.bug[0], None
            self.processes[repaired].die()
        await self._settle()
        for keeper in keepers:
            keeper.cancel()

    async def _sleep_for_weeks(self) -> None:
        """Sometimes stop everything until reminders and deadlines are overdue together."""
        random = self.fate.random
        await asyncio.sleep(random.random() * 15)
        if random.random() < 0.3:
            self.jumped += timedelta(days=random.choice((9, 16, 40)))

    async def _keep_alive(self, name: str) -> None:
        while True:
            process = self.processes[name] = SimulatedProcess(name, self.fate)
            self.graves.append(process)
            runtime = self.runtimes[name] = self._runtime(name, process)
            try:
                starting = asyncio.create_task(self._start(name, process, runtime))
                died = asyncio.create_task(process.died.wait())
                await asyncio.wait({starting, died}, return_when=asyncio.FIRST_COMPLETED)
                if not starting.done() or starting.exception() is None:
                    await died
            finally:
                process.die()
            self.crashes[name] += 1
            await asyncio.sleep(self.fate.random.random() * 2)

    def _runtime(self, name: str, process: SimulatedProcess) -> ServiceRuntime[Any]:
        skew = self.fate.random.choice(SKEWS)
        store = cast(StateStore, MemoryStore(self.disks[name], process))
        log = cast(EventLog, MemoryLog(self.tape, process))
        decider = DECIDERS[name]
        concerned = self.bug is not None and self.bug[0] == name
        if self.bug is not None and concerned and not self.outdated:
            decider = replace(decider, evolve=partial(fail_on, decider, self.bug[1]))
        runtime = ServiceRuntime(decider, store, log, lambda: self.clock() + skew, conflict_backoff(self.fate.random))
        if self.bug is not None and concerned and self.outdated:
            runtime.event_folder.reader.decode = partial(decode_as_newer, self.bug[1])
        return runtime

    async def _start(self, name: str, process: SimulatedProcess, runtime: ServiceRuntime[Any]) -> None:
        if name == "notification":
            composer = EmailComposer(
                Staff(),
                EMAIL_SETTINGS,
                lambda request, number: f"https://simpul.example/lacak/{number}",
                lambda request, number, change: f"https://simpul.example/lacak/{number}/kontak/{change}",
            )
            dispatcher = EmailDispatcher(
                runtime.executor,
                self.mail_server.at(process),
                composer,
                lambda: str(UUID(int=self.fate.random.getrandbits(128))),
            )
            runtime.set_due_handler(dispatcher.process_due)
            self.mutate(runtime)
            await dispatcher.recover_in_flight()
        else:
            self.mutate(runtime)
        runtime.timers = Timers(runtime.store, runtime.clock, runtime.timers._process_due, WATCH_EVERY)
        runtime.start()

    async def _use(self, number: int, request: str) -> None:
        await self._send_command("intake", request, submission(f"INT-2026-{number + 1:06d}"), patient=True)
        people = [(role, person) for role in ROLES for person in range(role.people)]
        await asyncio.gather(*(self._run_role(role, request) for role, _ in people))

    async def _run_role(self, role: SimulatedRole, request: str) -> None:
        random = self.fate.random
        for _ in range(random.randint(4, 10)):
            await asyncio.sleep(random.random() * 2)
            record = self.disks[role.service].records.get(request)
            if record is None:
                continue
            self._watch_memory(role.service, request)
            state = self.runtimes[role.service].executor.runner.state(record)
            choices = role.choices.get(state.course.status.value, ())
            if role.rare and random.random() < 0.01:
                await self._send_command(role.service, request, role.rare(state))
            elif choices:
                await self._send_command(role.service, request, random.choice(choices)(state))

    async def _send_command(self, service: str, request: str, command: Any, *, patient: bool = False) -> None:
        """Send a command with one idempotency key until it is answered or the attempts are used up."""
        random = self.fate.random
        key = CommandKey(str(uuid5(UUID(request), f"command {random.random()}")), digest=type(command).__name__)
        again = random.random() < 0.1
        while patient or random.random() < 0.95:
            recorded = await self._try(service, request, command, key)
            if recorded is not None:
                self.answers.append(recorded)
                # A refused command may be accepted at another time, so only accepted ones are repeated.
                if recorded.refusal or not again:
                    return
                again = False
            await asyncio.sleep(0.1 + random.random())

    async def _try(self, service: str, request: str, command: Any, key: CommandKey) -> RecordedAnswer | None:
        process = self.processes[service]
        call = asyncio.create_task(self.runtimes[service].executor.execute(request, command, key))
        died = asyncio.create_task(process.died.wait())
        await asyncio.wait({call, died}, return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        if not call.done():
            return None
        try:
            answer = call.result()
            self.answered[process, request] = max(answer.version, self.answered.get((process, request), 0))
            return RecordedAnswer(service, request, key.id, answer)
        except Refusal as refusal:
            return RecordedAnswer(service, request, key.id, None, refusal.code)
        except StoreUnavailable:
            return None

    def _watch_memory(self, service: str, request: str) -> None:
        recent = self.runtimes[service].executor._cache.get_cached(request)
        answered = self.answered.get((self.processes[service], request), 0)
        if recent is not None and recent.version < answered:
            self.backwards.append(f"{service} went back from version {answered} to {recent.version}")

    async def _settle(self) -> None:
        """Wait until nothing is left to publish, consume or send. Raises TimeoutError."""
        async with asyncio.timeout(600):
            while True:
                await asyncio.sleep(1.0)
                if self._is_settled():
                    due = list(self.disks["notification"].due.values())
                    if not due or min(due) > self.clock() + timedelta(days=1):
                        return
                    self.jumped += max(timedelta(), min(due) - self.clock()) + timedelta(hours=1)
                    await asyncio.sleep(WATCH_EVERY)

    def _is_settled(self) -> bool:
        end = len(self.tape.records)
        return all(
            not disk.outbox
            and not disk.dead_letters_of(None, ("parked",))
            and self.tape.positions.get(name, 0) >= end
            and not self.processes[name].died.is_set()
            for name, disk in self.disks.items()
        )
