"""A state store and an event log in memory behind unreliable calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from shared.contracts.facts import Fact
from shared.eventlog.port import BatchHandler, LogRecord, LogUnavailable
from shared.storage.port import (
    Column,
    DeadLetter,
    OutboxEntry,
    RecordPage,
    RecordQuery,
    SaveOutcome,
    Scalar,
    StateRecord,
    StoreUnavailable,
    Write,
)
from tests.faults.simulation.fault_schedule import SimulatedProcess

Result = TypeVar("Result")


@dataclass
class ServiceStorage:
    """The storage of one service, which survives its processes."""

    indexed_columns: tuple[Column, ...]
    records: dict[str, StateRecord] = field(default_factory=dict)
    columns: dict[str, Mapping[str, Scalar]] = field(default_factory=dict)
    due: dict[str, datetime] = field(default_factory=dict)
    outbox: dict[str, OutboxEntry] = field(default_factory=dict)
    dead_letters: dict[str, DeadLetter] = field(default_factory=dict)

    def save(self, write: Write) -> SaveOutcome:
        record = write.record
        stored = self.records.get(record.id)
        if (stored.version if stored else 0) != record.version - 1:
            return SaveOutcome.CONFLICT
        if self._violates_unique(write):
            return SaveOutcome.UNIQUE_VIOLATION
        # As from a disk, what comes back must not share anything that can change.
        self.records[record.id] = replace(record, seen=dict(record.seen))
        self.columns[record.id] = dict(write.columns)
        self.due.pop(record.id, None)
        if write.due_at is not None:
            self.due[record.id] = write.due_at
        self.outbox.update({entry.event_id: entry for entry in write.outbox})
        return SaveOutcome.SAVED

    def _violates_unique(self, write: Write) -> bool:
        unique = [column.name for column in self.indexed_columns if column.unique]
        others = [columns for key, columns in self.columns.items() if key != write.record.id]
        return any(other[name] == write.columns[name] for other in others for name in unique)

    def dead_letters_of(self, subject: str | None, states: Sequence[str]) -> list[DeadLetter]:
        return [one for one in self.dead_letters.values() if one.state in states and subject in (None, one.subject)]

    def first_parked(self, reason: str) -> list[DeadLetter]:
        first: dict[str, DeadLetter] = {}
        for dead_letter in self.dead_letters_of(None, ("parked",)):
            first.setdefault(dead_letter.subject, dead_letter)
        return [dead_letter for dead_letter in first.values() if dead_letter.reason == reason]

    def park(self, dead_letters: Sequence[DeadLetter], only_if_blocked: bool) -> bool:
        if only_if_blocked and not self.dead_letters_of(dead_letters[0].subject, ("parked",)):
            return False
        for dead_letter in dead_letters:
            self.dead_letters.setdefault(dead_letter.id, dead_letter)
        return True

    def resolve(self, dead_letter_id: str, discarded: bool) -> None:
        dead_letter = self.dead_letters.get(dead_letter_id)
        if dead_letter is None or dead_letter.state != "parked":
            return
        if discarded:
            self.dead_letters[dead_letter_id] = replace(dead_letter, state="discarded")
        else:
            del self.dead_letters[dead_letter_id]

    def record_attempt(self, dead_letter_id: str, reason: str) -> None:
        if dead_letter := self.dead_letters.get(dead_letter_id):
            self.dead_letters[dead_letter_id] = replace(dead_letter, reason=reason, tries=dead_letter.tries + 1)

    def forget(self, event_ids: Sequence[str]) -> None:
        for event_id in event_ids:
            self.outbox.pop(event_id, None)


class MemoryStore:
    """The part of a StateStore that the runtime uses, for one run of a process."""

    def __init__(self, disk: ServiceStorage, process: SimulatedProcess) -> None:
        self.disk, self.process = disk, process

    async def prepare(self) -> None:
        pass

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        records = self.disk.records
        return await self._call(lambda: {key: records[key] for key in ids if key in records})

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        return await self._call(lambda: [self.disk.save(write) for write in writes])

    async def find(self, find: RecordQuery) -> RecordPage:
        wanted = find.where.items()
        ids = [key for key, columns in self.disk.columns.items() if wanted <= columns.items()][: find.limit]
        records = await self.load(ids)
        return RecordPage(tuple(records.values()), (), False, False)

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        return sorted(key for key in self.disk.records if key > after)[:limit]

    async def forget_overwritten(self, since: datetime | None = None) -> None:
        """No other version of the program writes here."""

    async def due(self, now: datetime, limit: int) -> list[str]:
        return await self._call(lambda: [key for key, due in self.disk.due.items() if due <= now][:limit])

    async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
        def page() -> list[OutboxEntry]:
            entries = list(self.disk.outbox)
            start = entries.index(after[1]) + 1 if after and after[1] in entries else 0
            return list(self.disk.outbox.values())[start : start + limit]

        return await self._call(page)

    async def unpublished_of(self, subjects: Sequence[str]) -> list[OutboxEntry]:
        return await self._call(lambda: [one for one in self.disk.outbox.values() if one.subject in subjects])

    async def remove_published(self, event_ids: Sequence[str]) -> None:
        await self._call(lambda: self.disk.forget(event_ids))

    async def park(self, dead_letters: Sequence[DeadLetter], *, only_if_blocked: bool = False) -> bool:
        return await self._call(lambda: self.disk.park(dead_letters, only_if_blocked))

    async def parked_subjects(self) -> set[str]:
        return {dead_letter.subject for dead_letter in await self.dead_letters()}

    async def count_parked(self) -> int:
        return len(await self.dead_letters())

    async def dead_letters(
        self, *, subject: str | None = None, states: Sequence[str] = ("parked",)
    ) -> list[DeadLetter]:
        return await self._call(lambda: self.disk.dead_letters_of(subject, states))

    async def first_parked(self, reason: str) -> list[DeadLetter]:
        return await self._call(lambda: self.disk.first_parked(reason))

    async def resolve(self, dead_letter_id: str, *, discarded: bool) -> None:
        await self._call(lambda: self.disk.resolve(dead_letter_id, discarded))

    async def record_attempt(self, dead_letter_id: str, reason: str) -> None:
        await self._call(lambda: self.disk.record_attempt(dead_letter_id, reason))

    async def _call(self, effect: Callable[[], Result]) -> Result:
        return await self.process.call(effect, StoreUnavailable)


@dataclass
class SharedLog:
    """The log and the position of each consumer group."""

    records: list[LogRecord] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        for key, value in records:
            self.records.append(LogRecord(str(len(self.records) + 1), key, value))
        self.grown.set()
        self.grown = asyncio.Event()


class MemoryLog:
    """An EventLog for one run of a process; it repeats deliveries and may accept a batch in part."""

    def __init__(self, tape: SharedLog, process: SimulatedProcess) -> None:
        self.tape, self.process = tape, process
        self.commits_first = False

    async def prepare(self) -> None:
        pass

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        fate = self.process.fate
        if fate.occurs(fate.odds.unavailable):
            taken = [place for place, _ in enumerate(records) if fate.random.random() < 0.5]
            await self.process.call(lambda: self.tape.append([records[place] for place in taken]), LogUnavailable)
            raise LogUnavailable("not all of them", taken)
        await self.process.call(lambda: self.tape.append(records), LogUnavailable)

    async def consume(
        self, group: str, handler: BatchHandler, *, events: Collection[type[Fact]] = (), max_records: int = 500
    ) -> None:
        while True:
            await self.process.step()
            start = self.tape.positions.get(group, 0)
            if start >= len(self.tape.records):
                await self.tape.grown.wait()
                continue
            try:
                await self._deliver(group, handler, start)
            except Exception:
                await asyncio.sleep(0.2)

    async def _deliver(self, group: str, handler: BatchHandler, start: int) -> None:
        fate = self.process.fate
        if fate.occurs(fate.odds.repeat):
            start = max(0, start - fate.random.randint(1, 5))
        stop = start + fate.random.randint(1, 6)
        batch = self.tape.records[start:stop]
        if self.commits_first:
            self.tape.positions[group] = start + len(batch)
        await self.process.step()
        await handler(batch)
        await self.process.step()
        self.tape.positions[group] = start + len(batch)

    async def read(self, after: str = "", up_to: str = "") -> AsyncIterator[Sequence[LogRecord]]:
        records = self.tape.records[int(after or 0) : int(up_to) if up_to else None]
        if records:
            yield records

    async def end(self) -> str:
        return self.tape.records[-1].position if self.tape.records else ""

    async def position(self, group: str) -> str:
        return str(self.tape.positions.get(group, 0) or "")

    async def lag(self, group: str) -> int:
        return await self.process.call(
            lambda: len(self.tape.records) - self.tape.positions.get(group, 0), LogUnavailable
        )

    async def read_newest(self, count: int) -> Sequence[LogRecord]:
        return self.tape.records[-count:] if count else []

    async def read_key(self, key: str) -> Sequence[LogRecord]:
        return [record for record in self.tape.records if record.key == key]
