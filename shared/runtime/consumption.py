"""Consumption: a batch of the log is folded in memory, saved with expected versions, and only then is the position let go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic_core import from_json

from shared.clock import Clock
from shared.contracts.envelope import Event, from_bytes
from shared.contracts.registry import UnknownFact, Unreadable
from shared.eventlog.port import Record
from shared.runtime.execution import AfterSave
from shared.runtime.folding import Draft, Folding
from shared.runtime.measures import DEAD_LETTERS, EVENTS
from shared.storage.port import DeadLetter, OutboxEntry, Saved, StateStore, StoreUnavailable, Write

logger = logging.getLogger(__name__)

State = TypeVar("State")

REPLAY_AFTER = (0.2, 1.0, 5.0, 15.0)
"""Seconds after which a newly parked request is tried again by itself; then it waits for a person."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A record that concerns this service, read if it could be."""

    record: Record
    event: Event | None
    trouble: str = ""


class Consumer(Generic[State]):
    """Folds what other services publish into one service's documents."""

    def __init__(
        self,
        folding: Folding[State],
        store: StateStore,
        clock: Clock,
        publish: Callable[[Sequence[OutboxEntry]], None],
        after_save: AfterSave = lambda writes: None,
        replay_after: Sequence[float] = REPLAY_AFTER,
    ):
        self.folding, self.store, self.clock = folding, store, clock
        self._publish, self._after_save = publish, after_save
        self._service, self._sources = folding.decider.service, folding.decider.sources
        self._replay_after = replay_after
        self._replays: dict[str, asyncio.Task[None]] = {}
        self._blocked: set[str] | None = None

    async def handle(self, records: Sequence[Record]) -> None:
        """Fold a batch durably. Raises StoreUnavailable; the same batch may then be handed over again."""
        by_request = self._by_request(records)
        if self._blocked is None:
            self._blocked = await self.store.parked_subjects()
        for subject in self._blocked & by_request.keys():
            if await self._park(by_request[subject], "menunggu kejadian sebelumnya", only_behind=True):
                del by_request[subject]
        while by_request:
            by_request = await self._fold(by_request)

    def _by_request(self, records: Sequence[Record]) -> dict[str, list[Heard]]:
        by_request: dict[str, list[Heard]] = {}
        for record in records:
            if (heard := self._listen(record)) is not None:
                by_request.setdefault(record.key, []).append(heard)
        return by_request

    def _listen(self, record: Record) -> Heard | None:
        try:
            event = read_cached(record.value)
        except Unreadable as error:
            source = source_of(record.value)
            return Heard(record, None, str(error)) if source is None or source in self._sources else None
        if event.source not in self._sources:
            return None
        if isinstance(event.fact, UnknownFact):
            EVENTS.labels(self._service, "unknown").inc()
        return Heard(record, event)

    async def _fold(self, by_request: dict[str, list[Heard]]) -> dict[str, list[Heard]]:
        """Fold what can be folded, park what cannot; what lost a race comes back, to be folded again."""
        stored = await self.store.load(list(by_request))
        writes: list[Write] = []
        troubles: dict[str, tuple[int, str]] = {}
        for subject, heard in by_request.items():
            draft = self.folding.open(subject, stored.get(subject))
            done, trouble = self._hear(draft, heard)
            if trouble:
                troubles[subject] = done, trouble
            if draft.seen != (stored[subject].seen if subject in stored else {}):
                writes.append(self.folding.close(draft))
        lost = await self._save(writes)
        for subject in troubles.keys() - lost:
            done, trouble = troubles[subject]
            await self._park(by_request[subject][done:], trouble)
        return {subject: heard for subject, heard in by_request.items() if subject in lost}

    def _hear(self, draft: Draft[State], heard: Iterable[Heard]) -> tuple[int, str]:
        """How many records were folded, and what was wrong with the one after them."""
        for index, one in enumerate(heard):
            if one.event is None:
                return index, one.trouble
            try:
                folded = self.folding.hear(draft, one.event, self.clock())
            except Exception as error:
                logger.exception("%s cannot fold %s of %s", self._service, one.event.type, draft.id)
                return index, f"{type(error).__name__}: {error}"
            EVENTS.labels(self._service, "folded" if folded else "repeated").inc()
        return -1, ""

    async def _save(self, writes: Sequence[Write]) -> set[str]:
        if not writes:
            return set()
        outcomes = await self.store.save(writes)
        saved = [write for write, outcome in zip(writes, outcomes, strict=True) if outcome is Saved.SAVED]
        self._publish([entry for write in saved for entry in write.outbox])
        self._after_save(saved)
        return {w.document.id for w, outcome in zip(writes, outcomes, strict=True) if outcome is not Saved.SAVED}

    async def _park(self, heard: Sequence[Heard], reason: str, *, only_behind: bool = False) -> bool:
        subject, now = heard[0].record.key, self.clock()
        letters = [
            DeadLetter(
                id=f"{self._service}:{one.record.position}",
                service=self._service,
                subject=subject,
                position=one.record.position,
                event=one.record.value,
                reason=reason if index == 0 else "menunggu kejadian sebelumnya",
                tries=1,
                parked_at=now,
            )
            for index, one in enumerate(heard)
        ]
        if not await self.store.park(letters, only_behind=only_behind):
            self._unblock(subject)
            return False
        DEAD_LETTERS.labels(self._service).inc(len(letters))
        logger.error("%s parked %d events of %s: %s", self._service, len(letters), subject, reason)
        self._blocked = (self._blocked or set()) | {subject}
        self._try_again_later(subject)
        return True

    def _unblock(self, subject: str) -> None:
        if self._blocked:
            self._blocked.discard(subject)

    def _try_again_later(self, subject: str) -> None:
        if subject not in self._replays:
            task = asyncio.create_task(self._replay_soon(subject))
            self._replays[subject] = task
            task.add_done_callback(lambda _: self._replays.pop(subject, None))

    async def _replay_soon(self, subject: str) -> None:
        for seconds in self._replay_after:
            await asyncio.sleep(seconds)
            try:
                if not await self.replay(subject):
                    return
            except StoreUnavailable as error:
                logger.warning("store unavailable while replaying: %s", error)

    async def replay(self, subject: str) -> list[DeadLetter]:
        """Fold a request's dead letters in order, and what waits behind them; those that still cannot be folded are returned."""
        tried: set[str] = set()
        while letters := await self.store.dead_letters(subject=subject):
            progress = False
            for letter in letters:
                trouble = await self._replay_one(letter)
                progress = progress or not trouble
                if trouble and not trouble.startswith("Gap"):
                    break
            if not progress and {letter.id for letter in letters} <= tried:
                return letters
            tried |= {letter.id for letter in letters}
        self._unblock(subject)
        return []

    async def _replay_one(self, letter: DeadLetter) -> str:
        """What is still wrong with a dead letter, "" if it was folded and is gone."""
        heard = self._listen(Record(letter.position, letter.subject, letter.event))
        while heard is not None:
            stored = await self.store.load([letter.subject])
            draft = self.folding.open(letter.subject, stored.get(letter.subject))
            _, trouble = self._hear(draft, [heard])
            if trouble:
                return trouble
            if not await self._save([self.folding.close(draft)]):
                break
        await self.store.settle(letter.id, discarded=False)
        return ""

    async def discard(self, letter: DeadLetter) -> None:
        """Give an event up: it counts as seen, changes nothing, and is remembered so that no fold meets it again.

        What waited behind it is folded at once.
        """
        await self.store.settle(letter.id, discarded=True)
        if (place := place_of(letter.event)) is not None:
            await self._skip(letter.subject, *place)
        await self.replay(letter.subject)

    async def _skip(self, subject: str, source: str, sequence: int) -> None:
        while True:
            stored = await self.store.load([subject])
            draft = self.folding.open(subject, stored.get(subject))
            if sequence != draft.seen.get(source, 0) + 1:
                return
            self.folding.skip(draft, source, sequence)
            if not await self._save([self.folding.close(draft)]):
                return

    async def stop(self) -> None:
        """End the replays that are waiting."""
        for task in list(self._replays.values()):
            task.cancel()
        await asyncio.gather(*self._replays.values(), return_exceptions=True)


_CACHED_EVENTS = 4_000
_read: dict[bytes, Event] = {}


def read_cached(raw: bytes) -> Event:
    """As from_bytes; in one process all services read the same record, so the last ones are kept."""
    event = _read.get(raw)
    if event is None:
        event = from_bytes(raw)
        if len(_read) >= _CACHED_EVENTS:
            _read.clear()
        _read[raw] = event
    return event


def source_of(raw: bytes) -> str | None:
    """Who published these bytes, None if even that cannot be read."""
    place = place_of(raw)
    return place[0] if place else None


def place_of(raw: bytes) -> tuple[str, int] | None:
    """The source and sequence in an envelope whose fact may be unreadable."""
    try:
        attributes = from_json(raw)
        return str(attributes["source"]), int(attributes["sequence"])
    except (ValueError, KeyError, TypeError):
        return None
