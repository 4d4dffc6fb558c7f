"""Fold-again: every document of a service from position 0 of the log, beside the live ones; compared, and then swapped in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Generic, TypeVar

from shared.contracts.envelope import Event, from_bytes
from shared.contracts.registry import FACTS, Unreadable
from shared.eventlog.port import EventLog, Record
from shared.runtime.decider import Decider
from shared.runtime.folding import Draft, Folding, reopened
from shared.runtime.reading import Skipped, place_of, understood
from shared.storage.port import Document, Saved, StateStore, Write

State = TypeVar("State")

Progress = Callable[[int], None]
Seen = Mapping[str, int]
PATIENCE = 20
PAUSE = 0.25
AT_ONCE = 500
"""Documents that are written together."""


@dataclass(frozen=True, slots=True)
class Change:
    """A top-level field of a state: what is stored, and what the log says, both as text to look at."""

    field: str
    stored: str
    folded: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that is "different" from what the log says, and in which fields; or "missing"."""

    id: str
    kind: str
    changes: tuple[Change, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(change.field for change in self.changes)


@dataclass(slots=True)
class Report:
    """What a fold of the whole log found.

    `holes` and `unreadable` name the places in the log, `behind` the requests of which something is still on its way.
    """

    service: str
    events: int = 0
    documents: int = 0
    differences: list[Difference] = field(default_factory=list)
    holes: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    swapped: int = 0

    @property
    def clean(self) -> bool:
        return not (self.differences or self.holes or self.unreadable or self.behind)


class Refold(Generic[State]):
    """One service's states folded from the log into memory, a few KB a request."""

    def __init__(
        self,
        decider: Decider[State],
        store: StateStore,
        log: EventLog,
        progress: Progress = lambda count: None,
        bounds: Mapping[str, Seen] | None = None,
    ):
        """`bounds` are requests of which no more is folded than this."""
        self.folding = Folding(decider)
        self.report = Report(decider.service)
        self._store, self._log, self._progress = store, log, progress
        self._sources = decider.sources | {decider.service}
        self._types = decider.types | {fact.type() for fact in FACTS if fact.owner == decider.service}
        self._bounds = bounds or {}
        self.drafts: dict[str, Draft[State]] = {}
        self._lines: dict[tuple[str, str], dict[int, tuple[str, Event | None]]] = {}
        """Of each request and source, the events by sequence that cannot be folded yet."""
        self._discarded: set[bytes] = set()
        self._position = ""

    async def compare(self) -> Report:
        """Fold to the log's end and compare with what is stored, waiting a little for what is on its way."""
        for _ in range(PATIENCE):
            await self._fold_on()
            self.report.differences, self.report.behind, self.report.holes = [], [], self._holes()
            await self._compare_all()
            if not self.report.behind:
                break
            await asyncio.sleep(PAUSE)
        self.report.documents = len(self.drafts)
        return self.report

    async def fold(self) -> Report:
        """Fold to the log's end, into `drafts`."""
        await self._fold_on()
        self.report.holes, self.report.documents = self._holes(), len(self.drafts)
        return self.report

    async def swap(self) -> Report:
        """Put the folded state of each differing document in place of the live one, unless that has moved on meanwhile."""
        ids = [difference.id for difference in self.report.differences if difference.id in self.drafts]
        for start in range(0, len(ids), AT_ONCE):
            await self._swap(ids[start : start + AT_ONCE])
        return self.report

    async def _swap(self, ids: Sequence[str]) -> None:
        stored = await self._store.load(ids)
        ahead = [one for one in ids if one in stored and _ahead(stored[one].seen, self.drafts[one].seen)]
        writes = [self._write(one, stored.get(one)) for one in ids if one not in ahead]
        saved = await self._store.save(writes)
        lost = [write.document.id for write, one in zip(writes, saved, strict=True) if one is not Saved.SAVED]
        self.report.swapped += len(writes) - len(lost)
        self.report.behind += [*ahead, *lost]

    def _write(self, request_id: str, stored: Document | None) -> Write:
        again = reopened(self.drafts[request_id], stored.version if stored else 0)
        again.commands = stored.commands if stored else ()
        return self.folding.close(again)

    async def _fold_on(self) -> None:
        letters = await self._store.dead_letters(states=("discarded",))
        self._discarded = {letter.event for letter in letters}
        if (end := await self._log.end()) == self._position:
            return
        async for batch in self._log.read(self._position, end):
            for record in batch:
                self._fold(record)
            self.report.events += len(batch)
            self._progress(len(batch))
        self._position = end

    def _fold(self, record: Record) -> None:
        if record.value in self._discarded:
            if (place := place_of(record.value)) is not None:
                self._offer(record, *place, None)
            return
        try:
            event = understood(record.value, self._types, from_bytes)
        except Unreadable as error:
            self.report.unreadable.append(f"{record.position}: {error}")
            return
        self._offer(record, event.source, event.sequence, None if isinstance(event, Skipped) else event)

    def _offer(self, record: Record, source: str, sequence: int, event: Event | None) -> None:
        """Fold an event, or pass a discarded one by, once all before it from its source was; as services do."""
        if source not in self._sources or sequence > self._bound(record.key, source):
            return
        draft, line = self._draft(record.key), self._lines.setdefault((record.key, source), {})
        if sequence > draft.seen.get(source, 0):
            line.setdefault(sequence, (record.position, event))
        while (held := line.get(draft.seen.get(source, 0) + 1)) is not None and self._take(draft, source, *held):
            del line[draft.seen[source]]

    def _take(self, draft: Draft[State], source: str, position: str, event: Event | None) -> bool:
        if event is None:
            self.folding.skip(draft, source, draft.seen.get(source, 0) + 1)
            return True
        try:
            return self.folding.fold(draft, event)
        except Exception as error:
            place = f"{position}: {type(error).__name__}: {error}"
            if place not in self.report.unreadable:
                self.report.unreadable.append(place)
            return False

    def _holes(self) -> list[str]:
        """Where a source's events go on without the one that is next."""
        holes = []
        for (request_id, source), line in self._lines.items():
            seen = self.drafts[request_id].seen.get(source, 0)
            if line and seen + 1 not in line:
                first = min(line)
                holes.append(f"{line[first][0]}: {request_id}: {source}: {first} after {seen}")
        return holes

    def _bound(self, request_id: str, source: str) -> float:
        return self._bounds[request_id].get(source, 0) if request_id in self._bounds else math.inf

    def _draft(self, request_id: str) -> Draft[State]:
        if request_id not in self.drafts:
            self.drafts[request_id] = self.folding.open(request_id, None)
        return self.drafts[request_id]

    async def _compare_all(self) -> None:
        known: set[str] = set()
        after = ""
        while ids := await self._store.all_ids(after):
            stored = await self._store.load(ids)
            for request_id, document in stored.items():
                self._compare(request_id, document)
            known.update(ids)
            after = ids[-1]
        for request_id in self.drafts.keys() - known:
            self.report.differences.append(Difference(request_id, "missing"))

    def _compare(self, request_id: str, document: Document) -> None:
        draft = self.drafts.get(request_id)
        if draft is None or _ahead(document.seen, draft.seen) or _ahead(draft.seen, document.seen):
            self.report.behind.append(request_id)
        elif (live := self.folding.state(document)) != draft.state:
            self.report.differences.append(Difference(request_id, "different", _differing(live, draft.state)))


def _ahead(one: Any, other: Any) -> bool:
    return any(sequence > other.get(source, 0) for source, sequence in one.items())


def _differing(stored: Any, folded: Any) -> tuple[Change, ...]:
    if not is_dataclass(stored):
        return ()
    pairs = ((f.name, getattr(stored, f.name), getattr(folded, f.name)) for f in fields(stored))
    return tuple(Change(name, repr(one), repr(other)) for name, one, other in pairs if one != other)
