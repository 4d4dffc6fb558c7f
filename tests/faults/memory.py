"""A state store and an event log in memory, reached over a way on which everything can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from shared.eventlog.port import Handle, LogUnavailable, Record
from shared.storage.port import (
    Column,
    DeadLetter,
    Document,
    Find,
    Found,
    OutboxEntry,
    Saved,
    Scalar,
    StoreUnavailable,
    Write,
)
from tests.faults.fate import Process

Result = TypeVar("Result")


@dataclass
class Disk:
    """What outlives the processes of one service."""

    indexed: tuple[Column, ...]
    documents: dict[str, Document] = field(default_factory=dict)
    columns: dict[str, Mapping[str, Scalar]] = field(default_factory=dict)
    due: dict[str, datetime] = field(default_factory=dict)
    outbox: dict[str, OutboxEntry] = field(default_factory=dict)
    letters: dict[str, DeadLetter] = field(default_factory=dict)

    def save(self, write: Write) -> Saved:
        document = write.document
        stored = self.documents.get(document.id)
        if (stored.version if stored else 0) != document.version - 1:
            return Saved.CONFLICT
        if self._taken(write):
            return Saved.TAKEN
        # As from a disk, what comes back must not share anything that can change.
        self.documents[document.id] = replace(document, seen=dict(document.seen))
        self.columns[document.id] = dict(write.columns)
        self.due.pop(document.id, None)
        if write.due_at is not None:
            self.due[document.id] = write.due_at
        self.outbox.update({entry.event_id: entry for entry in write.outbox})
        return Saved.SAVED

    def _taken(self, write: Write) -> bool:
        unique = [column.name for column in self.indexed if column.unique]
        others = [columns for key, columns in self.columns.items() if key != write.document.id]
        return any(other[name] == write.columns[name] for other in others for name in unique)

    def letters_of(self, subject: str | None, states: Sequence[str]) -> list[DeadLetter]:
        return [one for one in self.letters.values() if one.state in states and subject in (None, one.subject)]

    def first_parked(self, reason: str) -> list[DeadLetter]:
        first: dict[str, DeadLetter] = {}
        for letter in self.letters_of(None, ("parked",)):
            first.setdefault(letter.subject, letter)
        return [letter for letter in first.values() if letter.reason == reason]

    def park(self, letters: Sequence[DeadLetter], only_behind: bool) -> bool:
        if only_behind and not self.letters_of(letters[0].subject, ("parked",)):
            return False
        for letter in letters:
            self.letters.setdefault(letter.id, letter)
        return True

    def settle(self, letter_id: str, discarded: bool) -> None:
        letter = self.letters.get(letter_id)
        if letter is None or letter.state != "parked":
            return
        if discarded:
            self.letters[letter_id] = replace(letter, state="discarded")
        else:
            del self.letters[letter_id]

    def tried(self, letter_id: str, reason: str) -> None:
        if letter := self.letters.get(letter_id):
            self.letters[letter_id] = replace(letter, reason=reason, tries=letter.tries + 1)

    def forget(self, event_ids: Sequence[str]) -> None:
        for event_id in event_ids:
            self.outbox.pop(event_id, None)


class MemoryStore:
    """As much of a StateStore as the runtime uses, for one life of its process."""

    def __init__(self, disk: Disk, process: Process):
        self.disk, self.process = disk, process

    async def prepare(self) -> None:
        pass

    async def load(self, ids: Sequence[str]) -> dict[str, Document]:
        documents = self.disk.documents
        return await self._call(lambda: {key: documents[key] for key in ids if key in documents})

    async def save(self, writes: Sequence[Write]) -> list[Saved]:
        return await self._call(lambda: [self.disk.save(write) for write in writes])

    async def find(self, find: Find) -> Found:
        wanted = find.where.items()
        ids = [key for key, columns in self.disk.columns.items() if wanted <= columns.items()][: find.limit]
        documents = await self.load(ids)
        return Found(tuple(documents.values()), (), False, False)

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        return sorted(key for key in self.disk.documents if key > after)[:limit]

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

    async def published(self, event_ids: Sequence[str]) -> None:
        await self._call(lambda: self.disk.forget(event_ids))

    async def park(self, letters: Sequence[DeadLetter], *, only_behind: bool = False) -> bool:
        return await self._call(lambda: self.disk.park(letters, only_behind))

    async def parked_subjects(self) -> set[str]:
        return {letter.subject for letter in await self.dead_letters()}

    async def count_parked(self) -> int:
        return len(await self.dead_letters())

    async def dead_letters(
        self, *, subject: str | None = None, states: Sequence[str] = ("parked",)
    ) -> list[DeadLetter]:
        return await self._call(lambda: self.disk.letters_of(subject, states))

    async def first_parked(self, reason: str) -> list[DeadLetter]:
        return await self._call(lambda: self.disk.first_parked(reason))

    async def settle(self, letter_id: str, *, discarded: bool) -> None:
        await self._call(lambda: self.disk.settle(letter_id, discarded))

    async def tried(self, letter_id: str, reason: str) -> None:
        await self._call(lambda: self.disk.tried(letter_id, reason))

    async def _call(self, effect: Callable[[], Result]) -> Result:
        return await self.process.call(effect, StoreUnavailable)


@dataclass
class Tape:
    """The log itself, and how far each group has read it."""

    records: list[Record] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        for key, value in records:
            self.records.append(Record(str(len(self.records) + 1), key, value))
        self.grown.set()
        self.grown = asyncio.Event()


class MemoryLog:
    """An EventLog for one life of a process. Deliveries are repeated, and a wave may be taken in part."""

    def __init__(self, tape: Tape, process: Process):
        self.tape, self.process = tape, process
        self.commits_first = False

    async def prepare(self) -> None:
        pass

    async def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        fate = self.process.fate
        if fate.strikes(fate.odds.unavailable):
            taken = [place for place, _ in enumerate(records) if fate.random.random() < 0.5]
            await self.process.call(lambda: self.tape.append([records[place] for place in taken]), LogUnavailable)
            raise LogUnavailable("not all of them", taken)
        await self.process.call(lambda: self.tape.append(records), LogUnavailable)

    async def consume(self, group: str, handle: Handle, *, max_records: int = 500) -> None:
        while True:
            await self.process.step()
            start = self.tape.positions.get(group, 0)
            if start >= len(self.tape.records):
                await self.tape.grown.wait()
                continue
            try:
                await self._hand_over(group, handle, start)
            except Exception:
                await asyncio.sleep(0.2)

    async def _hand_over(self, group: str, handle: Handle, start: int) -> None:
        fate = self.process.fate
        if fate.strikes(fate.odds.repeat):
            start = max(0, start - fate.random.randint(1, 5))
        stop = start + fate.random.randint(1, 6)
        batch = self.tape.records[start:stop]
        if self.commits_first:
            self.tape.positions[group] = start + len(batch)
        await self.process.step()
        await handle(batch)
        await self.process.step()
        self.tape.positions[group] = start + len(batch)

    async def read(self, after: str = "", upto: str = "") -> AsyncIterator[Sequence[Record]]:
        records = self.tape.records[int(after or 0) : int(upto) if upto else None]
        if records:
            yield records

    async def end(self) -> str:
        return self.tape.records[-1].position if self.tape.records else ""

    async def lag(self, group: str) -> int:
        return await self.process.call(
            lambda: len(self.tape.records) - self.tape.positions.get(group, 0), LogUnavailable
        )

    async def newest(self, count: int) -> Sequence[Record]:
        return self.tape.records[-count:] if count else []

    async def of_key(self, key: str) -> Sequence[Record]:
        return [record for record in self.tape.records if record.key == key]
