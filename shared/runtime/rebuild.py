"""Fold-again: every document of a service from position 0 of the log, beside the live ones; compared, and then swapped in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Generic, TypeVar

from shared.contracts.envelope import Event, decode_event
from shared.contracts.registry import FACTS, UnreadableEvent
from shared.eventlog.port import EventLog, LogRecord
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import DeciderRunner, WorkingCopy, rebase
from shared.runtime.event_decoding import SkippedEvent, decode_for, peek_source_and_sequence
from shared.storage.port import SaveOutcome, StateRecord, StateStore, Write

State = TypeVar("State")

Progress = Callable[[int], None]
Seen = Mapping[str, int]
MAX_COMPARE_ATTEMPTS = 20
COMPARE_INTERVAL_SECONDS = 0.25
WRITE_BATCH_SIZE = 500
"""Documents that are written together."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A top-level field of a state: what is stored, and what the log says, both as text to look at."""

    field: str
    stored: str
    folded: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that is "different" from what the log says, and in which fields; or "missing"."""

    id: str
    kind: str
    changes: tuple[FieldChange, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(change.field for change in self.changes)


@dataclass(slots=True)
class RebuildReport:
    """What a fold of the whole log found.

    `holes` and `unreadable` name the places in the log, `behind` the requests of which something is still on its way.
    """

    service: str
    events: int = 0
    documents: int = 0
    differences: list[Difference] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    swapped: int = 0

    @property
    def clean(self) -> bool:
        return not (self.differences or self.gaps or self.unreadable or self.behind)


class Rebuild(Generic[State]):
    """One service's states folded from the log into memory, a few KB a request."""

    def __init__(
        self,
        decider: Decider[State],
        store: StateStore,
        log: EventLog,
        progress: Progress = lambda count: None,
        bounds: Mapping[str, Seen] | None = None,
    ) -> None:
        """`bounds` are requests of which no more is folded than this."""
        self.folding = DeciderRunner(decider)
        self.report = RebuildReport(decider.service)
        self._store, self._log, self._progress = store, log, progress
        self._sources = decider.sources | {decider.service}
        self._types = decider.types | {fact.type() for fact in FACTS if fact.owner == decider.service}
        self._bounds = bounds or {}
        self.working_copies: dict[str, WorkingCopy[State]] = {}
        self._pending: dict[tuple[str, str], dict[int, tuple[str, Event | None]]] = {}
        """Of each request and source, the events by sequence that cannot be folded yet."""
        self._discarded: set[bytes] = set()
        self._position = ""

    async def compare(self) -> RebuildReport:
        """Fold to the log's end and compare with what is stored, waiting a little for what is on its way."""
        for _ in range(MAX_COMPARE_ATTEMPTS):
            await self._fold_to_end()
            self.report.differences, self.report.behind, self.report.gaps = [], [], self._find_gaps()
            await self._compare_all()
            if not self.report.behind:
                break
            await asyncio.sleep(COMPARE_INTERVAL_SECONDS)
        self.report.documents = len(self.working_copies)
        return self.report

    async def fold(self) -> RebuildReport:
        """Fold to the log's end, into `drafts`."""
        await self._fold_to_end()
        self.report.gaps, self.report.documents = self._find_gaps(), len(self.working_copies)
        return self.report

    async def swap(self) -> RebuildReport:
        """Put the folded state of each differing document in place of the live one, unless that has moved on meanwhile."""
        ids = [difference.id for difference in self.report.differences if difference.id in self.working_copies]
        for start in range(0, len(ids), WRITE_BATCH_SIZE):
            await self._swap(ids[start : start + WRITE_BATCH_SIZE])
        return self.report

    async def _swap(self, ids: Sequence[str]) -> None:
        stored = await self._store.load(ids)
        ahead = [one for one in ids if one in stored and _ahead(stored[one].seen, self.working_copies[one].seen)]
        writes = [self._write(one, stored.get(one)) for one in ids if one not in ahead]
        saved = await self._store.save(writes)
        lost = [write.document.id for write, one in zip(writes, saved, strict=True) if one is not SaveOutcome.SAVED]
        self.report.swapped += len(writes) - len(lost)
        self.report.behind += [*ahead, *lost]

    def _write(self, request_id: str, stored: StateRecord | None) -> Write:
        again = rebase(self.working_copies[request_id], stored.version if stored else 0)
        again.commands = stored.commands if stored else ()
        return self.folding.close(again)

    async def _fold_to_end(self) -> None:
        dead_letters = await self._store.dead_letters(states=("discarded",))
        self._discarded = {dead_letter.event for dead_letter in dead_letters}
        if (end := await self._log.end()) == self._position:
            return
        async for batch in self._log.read(self._position, end):
            for record in batch:
                self._fold(record)
            self.report.events += len(batch)
            self._progress(len(batch))
        self._position = end

    def _fold(self, record: LogRecord) -> None:
        if record.value in self._discarded:
            if (place := peek_source_and_sequence(record.value)) is not None:
                self._fold_in_order(record, *place, None)
            return
        try:
            event = decode_for(record.value, self._types, decode_event)
        except UnreadableEvent as error:
            self.report.unreadable.append(f"{record.position}: {error}")
            return
        self._fold_in_order(record, event.source, event.sequence, None if isinstance(event, SkippedEvent) else event)

    def _fold_in_order(self, record: LogRecord, source: str, sequence: int, event: Event | None) -> None:
        """Fold an event, or pass a discarded one by, once all before it from its source was; as services do."""
        if source not in self._sources or sequence > self._bound(record.key, source):
            return
        working_copy, pending = self._working_copy(record.key), self._pending.setdefault((record.key, source), {})
        if sequence > working_copy.seen.get(source, 0):
            pending.setdefault(sequence, (record.position, event))
        while (held := pending.get(working_copy.seen.get(source, 0) + 1)) is not None and self._fold_next(
            working_copy, source, *held
        ):
            del pending[working_copy.seen[source]]

    def _fold_next(self, working_copy: WorkingCopy[State], source: str, position: str, event: Event | None) -> bool:
        if event is None:
            self.folding.skip(working_copy, source, working_copy.seen.get(source, 0) + 1)
            return True
        try:
            return self.folding.fold(working_copy, event)
        except Exception as error:
            place = f"{position}: {type(error).__name__}: {error}"
            if place not in self.report.unreadable:
                self.report.unreadable.append(place)
            return False

    def _find_gaps(self) -> list[str]:
        """Where a source's events go on without the one that is next."""
        gaps = []
        for (request_id, source), pending in self._pending.items():
            seen = self.working_copies[request_id].seen.get(source, 0)
            if pending and seen + 1 not in pending:
                first = min(pending)
                gaps.append(f"{pending[first][0]}: {request_id}: {source}: {first} after {seen}")
        return gaps

    def _bound(self, request_id: str, source: str) -> float:
        return self._bounds[request_id].get(source, 0) if request_id in self._bounds else math.inf

    def _working_copy(self, request_id: str) -> WorkingCopy[State]:
        if request_id not in self.working_copies:
            self.working_copies[request_id] = self.folding.open(request_id, None)
        return self.working_copies[request_id]

    async def _compare_all(self) -> None:
        known: set[str] = set()
        after = ""
        while ids := await self._store.all_ids(after):
            stored = await self._store.load(ids)
            for request_id, document in stored.items():
                self._compare(request_id, document)
            known.update(ids)
            after = ids[-1]
        for request_id in self.working_copies.keys() - known:
            self.report.differences.append(Difference(request_id, "missing"))

    def _compare(self, request_id: str, document: StateRecord) -> None:
        working_copy = self.working_copies.get(request_id)
        if working_copy is None or _ahead(document.seen, working_copy.seen) or _ahead(working_copy.seen, document.seen):
            self.report.behind.append(request_id)
        elif (live := self.folding.state(document)) != working_copy.state:
            self.report.differences.append(Difference(request_id, "different", _differing(live, working_copy.state)))


def _ahead(one: Any, other: Any) -> bool:
    return any(sequence > other.get(source, 0) for source, sequence in one.items())


def _differing(stored: Any, folded: Any) -> tuple[FieldChange, ...]:
    if not is_dataclass(stored):
        return ()
    pairs = ((f.name, getattr(stored, f.name), getattr(folded, f.name)) for f in fields(stored))
    return tuple(FieldChange(name, repr(one), repr(other)) for name, one, other in pairs if one != other)
