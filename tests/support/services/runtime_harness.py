"""Services on SQLite with a manual clock and a log that can fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from services.intake.decider import decider as intake_decider
from services.intake.domain.decisions import Rules as IntakeRules
from services.notification.decider import decider as notification_decider
from services.verification.decider import decider as verification_decider
from services.verification.domain import commands as verification
from shared.calendar import WorkingCalendar
from shared.contracts.envelope import Event, decode_event, encode_event
from shared.contracts.facts import ChecklistItem, Fact, Verdict
from shared.contracts.stages import StageRules
from shared.eventlog.port import LogRecord, LogUnavailable
from shared.eventlog.sqlite.log import SqliteEventLog
from shared.runtime.decider import Decider
from shared.runtime.executor import CommandKey, CommandResult
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.domain.given_when_then import NOON, REQUEST, make_event
from tests.support.domain.request_events import ALL_OK, NURLAILA, SUBMIT, submitted

OTHER = "00000000-0000-4000-8000-000000000002"
INTAKE = intake_decider(IntakeRules())
VERIFICATION = verification_decider(lambda: StageRules(WorkingCalendar({})))
NOTIFICATION = notification_decider()

MANY = submitted.model_copy(update={"number": "INT-2026-000009"})
VERIFY = verification.VerifyRequest(NURLAILA, ALL_OK, SUBMIT.warnings)
RETURN = verification.ReturnRequest(
    NURLAILA, tuple(Verdict(item=item, ok=False, note="Mohon dilengkapi.") for item in ChecklistItem)
)


def key(number: int, digest: str = "same") -> CommandKey:
    return CommandKey(f"00000000-0000-4000-9000-{number:012d}", digest)


class Log(SqliteEventLog):
    """The real log, which fails while it is `down`, and once after an append if it `loses_next_answer`."""

    down = loses_next_answer = False

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        if self.down:
            raise LogUnavailable("down")
        await super().append(records)
        if self.loses_next_answer:
            self.loses_next_answer = False
            raise LogUnavailable("no answer")


class RuntimeHarness:
    def __init__(self, folder: Path) -> None:
        self.file = SqliteDatabase(folder / "simpul.db")
        self.log = Log(self.file)
        self.now = NOON
        self._running: list[ServiceRuntime[Any]] = []

    def clock(self) -> datetime:
        return self.now

    async def service(self, decider: Decider[Any], *, started: bool = False) -> ServiceRuntime[Any]:
        store = SqliteStateStore(self.file, decider.service, decider.indexed_columns, self.clock)
        runtime = ServiceRuntime(decider, store, self.log, self.clock)
        await runtime.prepare()
        runtime.dead_letters._replay_delays = (0.01, 0.01, 0.01, 0.01)
        if started:
            self.start(runtime)
        return runtime

    def start(self, runtime: ServiceRuntime[Any]) -> None:
        runtime.start()
        self._running.append(runtime)

    async def events(self, source: str = "") -> list[Event]:
        records = [record async for batch in self.log.read() for record in batch]
        return [event for event in map(decode_event, (r.value for r in records)) if source in ("", event.source)]

    async def close(self) -> None:
        for runtime in self._running:
            await runtime.stop()
        self.file.close()


@asynccontextmanager
async def runtime_harness(folder: Path) -> AsyncIterator[RuntimeHarness]:
    opened = RuntimeHarness(folder)
    try:
        yield opened
    finally:
        await opened.close()


async def submit(runtime: ServiceRuntime[Any], request: str = REQUEST, number: int = 1) -> CommandResult:
    command = replace(SUBMIT, number=f"INT-2026-{number:06d}")
    return await runtime.executor.execute(request, command, key(100 + number))


def record(position: int, fact: Fact, sequence: int = 1, subject: str = REQUEST) -> LogRecord:
    return LogRecord(str(position), subject, encode_event(make_event(fact, sequence, subject=subject)))


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 5.0) -> Any:
    """Return the condition's first true value; fail after a timeout."""
    async with asyncio.timeout(seconds):
        while not (met := await condition()):  # noqa: ASYNC110 - any state is waited for, not only one that tells
            await asyncio.sleep(0.01)
        return met


def poisoned(by: type[Fact]) -> Decider[Any]:
    """Return a verification decider that cannot fold one kind of fact."""

    def evolve(state: Any, event: Event) -> Any:
        if isinstance(event.fact, by):
            raise ValueError("poison")
        return VERIFICATION.evolve(state, event)

    return replace(VERIFICATION, evolve=evolve)


async def status(runtime: ServiceRuntime[Any], request: str = REQUEST) -> str:
    loaded = await runtime.executor.read(request)
    return loaded.state.status.value if loaded else ""
