"""Rebuild the states of a service from position 0 of the log, beside the live ones; compare them, and swap them in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Generic, TypeVar

from shared.contracts.envelope import Event, decode_event
from shared.contracts.registry import FACTS, UnreadableEvent
from shared.eventlog.port import EventLog, LogRecord
from shared.runtime.decider import Decider
from shared.runtime.decider_runner import DeciderRunner, WorkingCopy, rebase
from shared.runtime.event_decoding import SkippedEvent, decode_for, peek_position
from shared.storage.port import COLUMNS_VERSION, RecordQuery, SaveOutcome, Scalar, StateRecord, StateStore, Write

State = TypeVar("State")

Progress = Callable[[int], None]
Seen = Mapping[str, int]
MAX_COMPARE_ATTEMPTS = 20
COMPARE_INTERVAL_SECONDS = 0.25
WRITE_BATCH_SIZE = 500
OUTDATED_PAGE_SIZE = 200
FOLDED_IN_A_ROW = 50
"""Events that are folded before other tasks run, because a service folds old records again while it answers requests."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A top-level field of a state as it is stored and as it follows from the log, both as text."""

    field: str
    stored: str
    folded: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that is "missing", or "different" from the log in some fields."""

    id: str
    kind: str
    changes: tuple[FieldChange, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(change.field for change in self.changes)


@dataclass(slots=True)
class RebuildReport:
    """The result of a fold of the whole log.

    `gaps` and `unreadable` name positions in the log, `behind` requests with events that are still on their way.
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


def outdated_versions(decider: Decider[Any]) -> tuple[Scalar, ...]:
    """Return the values of COLUMNS_VERSION below the current one; () for a service without that column."""
    version = decider.columns(decider.initial()).get(COLUMNS_VERSION)
    return (None, *range(1, version)) if isinstance(version, int) else ()


async def outdated_ids(decider: Decider[Any], store: StateStore, batch_size: int) -> AsyncIterator[list[str]]:
    """Yield the ids of the records that were saved by older rules in batches."""
    ids: list[str] = []
    for version in outdated_versions(decider):
        query = RecordQuery("id", where={COLUMNS_VERSION: version}, limit=OUTDATED_PAGE_SIZE)
        while True:
            page = await store.find(query)
            ids += [record.id for record in page.records]
            if len(ids) >= batch_size:
                yield ids
                ids = []
            if not page.has_next:
                break
            query = replace(query, after=page.keys[-1])
    if ids:
        yield ids


class Rebuild(Generic[State]):
    """The states of one service, folded from the log into memory; a few KB per request."""

    def __init__(
        self,
        decider: Decider[State],
        store: StateStore,
        log: EventLog,
        progress: Progress = lambda _count: None,
        bounds: Mapping[str, Seen] | None = None,
        subjects: Container[str] | None = None,
    ) -> None:
        """`bounds` limits how far the events of some requests are folded, by source; `subjects` are those folded, None for all."""
        self.runner = DeciderRunner(decider)
        self.report = RebuildReport(decider.service)
        self._decider, self._store, self._log, self._progress = decider, store, log, progress
        self._sources = decider.sources | {decider.service}
        self._types = decider.types | {fact.type() for fact in FACTS if fact.owner == decider.service}
        self._bounds, self._subjects = bounds or {}, subjects
        self.working_copies: dict[str, WorkingCopy[State]] = {}
        self._pending: dict[tuple[str, str], dict[int, tuple[str, Event | None]]] = {}
        """By request and source, the events that cannot be folded yet, by sequence, with their positions."""
        self._discarded: set[bytes] = set()
        self._outdated: set[str] = set()
        self._position = ""

    async def compare(self) -> RebuildReport:
        """Fold to the end of the log and compare with the store, waiting a little for events on their way.

        Records of an older version have another state until the next start folds them again; they are not reported. What no
        event says, such as the delivery of emails, is that of the stored record.
        """
        async for ids in outdated_ids(self.runner.decider, self._store, WRITE_BATCH_SIZE):
            self._outdated.update(ids)
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
        """Fold to the end of the log, into `working_copies`."""
        await self._fold_to_end()
        self.report.gaps, self.report.documents = self._find_gaps(), len(self.working_copies)
        return self.report

    async def swap(self) -> RebuildReport:
        """Replace each differing record by the folded one, unless it has changed meanwhile."""
        ids = [difference.id for difference in self.report.differences if difference.id in self.working_copies]
        for start in range(0, len(ids), WRITE_BATCH_SIZE):
            await self._swap_batch(ids[start : start + WRITE_BATCH_SIZE])
        return self.report

    async def replace_with_same_events(self, ids: Sequence[str]) -> list[str]:
        """Replace the records among these that hold exactly the folded events; return the ids of the others."""
        stored = await self._store.load(ids)
        equal = [one for one in ids if one in stored and self._holds_same_events(one, stored[one].seen)]
        outcomes = await self._store.save([self._write(one, stored.get(one)) for one in equal])
        saved = {one for one, outcome in zip(equal, outcomes, strict=True) if outcome is SaveOutcome.SAVED}
        return [one for one in ids if one not in saved]

    def _holds_same_events(self, request_id: str, seen: Seen) -> bool:
        working_copy = self.working_copies.get(request_id)
        return working_copy is not None and dict(seen) == working_copy.seen

    async def _swap_batch(self, ids: Sequence[str]) -> None:
        stored = await self._store.load(ids)
        ahead = [one for one in ids if one in stored and _is_ahead(stored[one].seen, self.working_copies[one].seen)]
        writes = [self._write(one, stored.get(one)) for one in ids if one not in ahead]
        outcomes = await self._store.save(writes)
        lost = [
            write.record.id for write, outcome in zip(writes, outcomes, strict=True) if outcome is not SaveOutcome.SAVED
        ]
        self.report.swapped += len(writes) - len(lost)
        self.report.behind += [*ahead, *lost]

    def _write(self, request_id: str, stored: StateRecord | None) -> Write:
        rebased = rebase(self.working_copies[request_id], stored.version if stored else 0)
        rebased.commands = stored.commands if stored else ()
        rebased.state = self._carry_over(rebased.state, stored)
        return self.runner.close(rebased, migrated=True)

    def _carry_over(self, folded: State, stored: StateRecord | None) -> State:
        return self._decider.carry_over(folded, self.runner.state(stored) if stored else None, False)

    async def _fold_to_end(self) -> None:
        self._discarded = {letter.event for letter in await self._store.dead_letters(states=("discarded",))}
        if (end := await self._log.end()) == self._position:
            return
        async for batch in self._log.read(self._position, end):
            for count, record in enumerate(batch, start=1):
                self._fold_record(record)
                if count % FOLDED_IN_A_ROW == 0:
                    await asyncio.sleep(0)
            self.report.events += len(batch)
            self._progress(len(batch))
        self._position = end

    def _fold_record(self, record: LogRecord) -> None:
        if self._subjects is not None and record.key not in self._subjects:
            return
        if record.value in self._discarded:
            if (position := peek_position(record.value)) is not None:
                self._fold_in_order(record, *position, None)
            return
        try:
            event = decode_for(record.value, self._types, decode_event)
        except UnreadableEvent as error:
            self.report.unreadable.append(f"{record.position}: {error}")
            return
        self._fold_in_order(record, event.source, event.sequence, None if isinstance(event, SkippedEvent) else event)

    def _fold_in_order(self, record: LogRecord, source: str, sequence: int, event: Event | None) -> None:
        """Fold an event, or skip one if it is None, after all earlier ones of its source, as the consumer does."""
        if source not in self._sources or sequence > self._bound(record.key, source):
            return
        working_copy = self._working_copy(record.key)
        pending = self._pending.setdefault((record.key, source), {})
        if sequence > working_copy.seen.get(source, 0):
            pending.setdefault(sequence, (record.position, event))
        while (following := pending.get(working_copy.seen.get(source, 0) + 1)) is not None:
            if not self._fold_next(working_copy, source, *following):
                break
            del pending[working_copy.seen[source]]

    def _fold_next(self, working_copy: WorkingCopy[State], source: str, position: str, event: Event | None) -> bool:
        if event is None:
            self.runner.skip(working_copy, source, working_copy.seen.get(source, 0) + 1)
            return True
        try:
            return self.runner.fold(working_copy, event)
        except Exception as error:
            finding = f"{position}: {type(error).__name__}: {error}"
            if finding not in self.report.unreadable:
                self.report.unreadable.append(finding)
            return False

    def _find_gaps(self) -> list[str]:
        """Describe where the events of a source continue without the next one."""
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
            self.working_copies[request_id] = self.runner.open(request_id, None)
        return self.working_copies[request_id]

    async def _compare_all(self) -> None:
        known: set[str] = set()
        after = ""
        while ids := await self._store.all_ids(after):
            for request_id, record in (await self._store.load(ids)).items():
                self._compare_record(request_id, record)
            known.update(ids)
            after = ids[-1]
        missing = self.working_copies.keys() - known
        undelivered = set[str]() if self._decider.is_state_in_log else await self._undelivered(missing)
        self.report.behind += sorted(undelivered)
        self.report.differences += [Difference(request_id, "missing") for request_id in missing - undelivered]

    async def _undelivered(self, missing: Set[str]) -> set[str]:
        """Return those of which the service has not received any event: it will fold them itself, and send their emails."""
        service, beginnings = self.report.service, set[tuple[str, str]]()
        if missing:
            async for batch in self._log.read(await self._log.position(service)):
                for record in batch:
                    if record.key in missing and (position := peek_position(record.value)) and position[1] == 1:
                        beginnings.add((record.key, position[0]))

        def is_undelivered(request_id: str) -> bool:
            seen = self.working_copies[request_id].seen
            return service not in seen and all((request_id, source) in beginnings for source in seen)

        return set(filter(is_undelivered, missing))

    def _compare_record(self, request_id: str, record: StateRecord) -> None:
        working_copy = self.working_copies.get(request_id)
        if (
            working_copy is None
            or _is_ahead(record.seen, working_copy.seen)
            or _is_ahead(working_copy.seen, record.seen)
        ):
            self.report.behind.append(request_id)
        elif request_id not in self._outdated:
            live, folded = self.runner.state(record), self._carry_over(working_copy.state, record)
            if live != folded:
                changes = _field_changes(live, folded)
                self.report.differences.append(Difference(request_id, "different", changes))


def _is_ahead(one: Seen, other: Seen) -> bool:
    return any(sequence > other.get(source, 0) for source, sequence in one.items())


def _field_changes(stored: Any, folded: Any) -> tuple[FieldChange, ...]:
    if not is_dataclass(stored):
        return ()
    pairs = ((f.name, getattr(stored, f.name), getattr(folded, f.name)) for f in fields(stored))
    return tuple(FieldChange(name, repr(one), repr(other)) for name, one, other in pairs if one != other)
