"""Consumption: a batch of the log is folded in memory, saved with expected versions, and only then is the position let go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from shared.clock import Clock
from shared.contracts.envelope import Event
from shared.contracts.registry import UnknownFact
from shared.eventlog.port import LogRecord
from shared.observability.tracing import span
from shared.runtime.backoff import MAX_ATTEMPTS, Backoff, TooManyConflicts
from shared.runtime.decider_runner import DeciderRunner, WorkingCopy
from shared.runtime.event_decoding import NEWER_VERSION_REASON, SkippedEvent, peek_source_and_sequence
from shared.runtime.executor import AfterSave
from shared.runtime.incoming_events import EventReader, IncomingEvent, is_duplicate
from shared.runtime.metrics import DEAD_LETTERS, EVENTS
from shared.runtime.state_cache import StateCache
from shared.storage.port import DeadLetter, OutboxEntry, SaveOutcome, StateRecord, StateStore, StoreUnavailable, Write

logger = logging.getLogger(__name__)

State = TypeVar("State")

REPLAY_DELAYS_SECONDS = (0.2, 1.0, 5.0, 15.0)
"""Seconds after which a newly parked request is tried again by itself; then it waits for a person."""

BLOCKED_REFRESH_SECONDS = 5.0
"""Seconds after which it is looked up again which requests have dead letters."""

BLOCKED_REASON = "menunggu kejadian sebelumnya"
UNIQUE_VIOLATION = "a unique column holds this value in another document"


class Consumer(Generic[State]):
    """Folds what other services publish into one service's documents."""

    def __init__(
        self,
        folding: DeciderRunner[State],
        store: StateStore,
        documents: StateCache,
        clock: Clock,
        publish: Callable[[Sequence[OutboxEntry]], None],
        after_save: AfterSave = lambda writes: None,
        replay_delays: Sequence[float] = REPLAY_DELAYS_SECONDS,
        backoff: Backoff | None = None,
    ) -> None:
        self.folding, self.store, self.clock = folding, store, clock
        self._cache, self._backoff = documents, backoff or Backoff()
        self._publish, self._after_save = publish, after_save
        self._service, self.incoming = folding.decider.service, EventReader(folding.decider)
        self._replay_delays = replay_delays
        self._replays: dict[str, asyncio.Task[None]] = {}
        self._blocked: set[str] | None = None
        self._blocked_read_at = 0.0
        self._newly_parked: set[str] = set()

    async def resume(self) -> None:
        """Try once more what an earlier process left parked: it may have ended before it did, or not have understood it."""
        self._blocked = await self.store.parked_subjects()
        for subject in self._blocked:
            self.schedule_replay(subject, self._replay_delays[:1])

    async def handle(self, records: Sequence[LogRecord]) -> None:
        """Fold a batch durably. Raises StoreUnavailable; the same batch may then be handed over again."""
        by_request = self._group_by_request(records)
        for subject in await self._blocked_requests() & by_request.keys():
            if await self._park(by_request[subject], BLOCKED_REASON, only_if_blocked=True):
                del by_request[subject]
        recent = {subject: found for subject in by_request if (found := self._cache.recent(subject)) is not None}
        by_request = await self._fold(by_request, recent)
        for number in range(MAX_ATTEMPTS):
            if not by_request:
                return
            await self._backoff.before(number)
            by_request = await self._fold(by_request, {})
        if by_request:
            raise TooManyConflicts

    async def _blocked_requests(self) -> set[str]:
        """The requests whose events must wait; looked up again now and then, because their events may have come to another
        process of this service before they came here.
        """
        now = asyncio.get_running_loop().time()
        if self._blocked is None or now - self._blocked_read_at > BLOCKED_REFRESH_SECONDS:
            self._blocked, self._blocked_read_at = await self.store.parked_subjects(), now
        return self._blocked

    def _group_by_request(self, records: Sequence[LogRecord]) -> dict[str, list[IncomingEvent]]:
        by_request: dict[str, list[IncomingEvent]] = {}
        for record in records:
            if (heard := self.incoming.listen(record)) is not None:
                by_request.setdefault(record.key, []).append(heard)
        return by_request

    async def _fold(
        self, by_request: dict[str, list[IncomingEvent]], recent: Mapping[str, StateRecord]
    ) -> dict[str, list[IncomingEvent]]:
        """Fold what can be folded, park what cannot; what lost a race comes back, to be folded again, and so does what cannot
        be folded into a recent document, which may not be the one that is stored.
        """
        stored = {**recent, **await self._cache.load([one for one in by_request if one not in recent])}
        writes: list[Write] = []
        failures: dict[str, tuple[int, str]] = {}
        for subject, heard in by_request.items():
            working_copy = self.folding.open(subject, stored.get(subject))
            done, failure = self._fold_events(working_copy, heard)
            if failure:
                failures[subject] = done, failure
            if working_copy.seen != (stored[subject].seen if subject in stored else {}):
                writes.append(self.folding.close(working_copy))
        failed = await self._save(writes)
        lost = {subject for subject, saved in failed.items() if saved is SaveOutcome.CONFLICT}
        lost |= failures.keys() & recent.keys()
        failures |= dict.fromkeys(failed.keys() - lost, (0, UNIQUE_VIOLATION))
        for subject in failures.keys() - lost:
            done, failure = failures[subject]
            await self._park(by_request[subject][done:], failure)
        return {subject: heard for subject, heard in by_request.items() if subject in lost}

    def _fold_events(self, working_copy: WorkingCopy[State], heard: Iterable[IncomingEvent]) -> tuple[int, str]:
        """How many records were folded, and what was wrong with the one after them."""
        for index, one in enumerate(heard):
            if one.event is None:
                if is_duplicate(working_copy, one.record):
                    continue
                return index, one.failure
            try:
                outcome = self._fold_event(working_copy, one.event)
            except Exception as error:
                logger.exception(
                    "%s cannot fold an event of %s", self._service, working_copy.id, extra={"subject": working_copy.id}
                )
                return index, f"{type(error).__name__}: {error}"
            EVENTS.labels(self._service, outcome).inc()
        return -1, ""

    def _fold_event(self, working_copy: WorkingCopy[State], event: Event | SkippedEvent) -> str:
        """The outcome in a word. What was told of here is part of the trace in which the event was saved."""
        if isinstance(event, SkippedEvent):
            return "unknown" if self.folding.skip(working_copy, event.source, event.sequence) else "repeated"
        facts = {"service": self._service, "subject": working_copy.id}
        with span(f"fold {event.type}", "consumer", event.traceparent, **facts) as traced:
            folded = self.folding.apply(working_copy, event, self.clock(), traced.traceparent)
            outcome = "repeated" if not folded else "unknown" if isinstance(event.fact, UnknownFact) else "folded"
            traced.note(outcome=outcome)
        return outcome

    async def _save(self, writes: Sequence[Write]) -> dict[str, SaveOutcome]:
        """What became of the writes that were not saved."""
        if not writes:
            return {}
        outcomes = list(zip(writes, await self._cache.save(writes), strict=True))
        saved = [write for write, outcome in outcomes if outcome is SaveOutcome.SAVED]
        self._publish([entry for write in saved for entry in write.outbox])
        self._after_save(saved)
        return {write.document.id: outcome for write, outcome in outcomes if outcome is not SaveOutcome.SAVED}

    async def _park(self, heard: Sequence[IncomingEvent], reason: str, *, only_if_blocked: bool = False) -> bool:
        subject, now = heard[0].record.key, self.clock()
        dead_letters = [
            DeadLetter(
                id=f"{self._service}:{one.record.position}",
                service=self._service,
                subject=subject,
                position=one.record.position,
                event=one.record.value,
                reason=reason if index == 0 else BLOCKED_REASON,
                tries=1,
                parked_at=now,
            )
            for index, one in enumerate(heard)
        ]
        if not await self.store.park(dead_letters, only_if_blocked=only_if_blocked):
            self._unblock(subject)
            return False
        DEAD_LETTERS.labels(self._service).inc(len(dead_letters))
        if reason == NEWER_VERSION_REASON:
            EVENTS.labels(self._service, "newer").inc()
        logger.error(
            "%s parked %d events of %s: %s",
            self._service,
            len(dead_letters),
            subject,
            reason,
            extra={"subject": subject},
        )
        self._blocked = (self._blocked or set()) | {subject}
        self._newly_parked.add(subject)
        self.schedule_replay(subject, self._replay_delays)
        return True

    def _unblock(self, subject: str) -> None:
        if self._blocked:
            self._blocked.discard(subject)

    def schedule_replay(self, subject: str, delays: Sequence[float] = REPLAY_DELAYS_SECONDS[:1]) -> None:
        """Replay a request in the background after each of these pauses, until nothing of it is parked."""
        if subject not in self._replays:
            task = asyncio.create_task(self._replay_after_delays(subject, delays))
            self._replays[subject] = task
            task.add_done_callback(lambda _: self._replays.pop(subject, None))

    async def _replay_after_delays(self, subject: str, delays: Sequence[float]) -> None:
        for seconds in delays:
            await asyncio.sleep(seconds)
            try:
                if not await self.replay(subject):
                    return
            except StoreUnavailable as error:
                logger.warning("store unavailable while replaying: %s", error)

    async def replay(self, subject: str) -> list[DeadLetter]:
        """Fold a request's dead letters in order, and what waits behind them; those that still cannot be folded are returned."""
        while True:
            self._newly_parked.discard(subject)
            dead_letters = await self.store.dead_letters(subject=subject, states=("parked", "discarded"))
            parked = any(dead_letter.state == "parked" for dead_letter in dead_letters)
            progress = await self._replay_once(dead_letters)
            if progress or subject in self._newly_parked:
                continue
            if not parked:
                self._unblock(subject)
            return await self.store.dead_letters(subject=subject) if parked else []

    async def _replay_once(self, dead_letters: Sequence[DeadLetter]) -> bool:
        """Whether any of them could be folded. What was discarded is passed by as soon as all before it was folded."""
        progress = False
        for dead_letter in dead_letters:
            if dead_letter.state == "discarded":
                progress = await self._skip_discarded(dead_letter) or progress
                continue
            failure = await self._replay_one(dead_letter)
            progress = progress or not failure
            if failure:
                await self.store.record_attempt(dead_letter.id, failure)
            if failure and not failure.startswith("Gap"):
                break
        return progress

    async def _replay_one(self, dead_letter: DeadLetter) -> str:
        """What is still wrong with a dead letter, "" if it was folded and is gone."""
        heard = self.incoming.listen(LogRecord(dead_letter.position, dead_letter.subject, dead_letter.event))
        if heard is not None and (failure := await self._fold_single(dead_letter.subject, heard)):
            return failure
        await self.store.resolve(dead_letter.id, discarded=False)
        return ""

    async def _fold_single(self, subject: str, heard: IncomingEvent) -> str:
        """What is wrong with it, "" if it was folded."""
        for number in range(MAX_ATTEMPTS):
            await self._backoff.before(number)
            stored = (await self._cache.load([subject])).get(subject)
            working_copy = self.folding.open(subject, stored)
            _, failure = self._fold_events(working_copy, [heard])
            if failure or (stored is not None and working_copy.seen == stored.seen):
                return failure
            failed = await self._save([self.folding.close(working_copy)])
            if SaveOutcome.CONFLICT not in failed.values():
                return UNIQUE_VIOLATION if failed else ""
        raise TooManyConflicts

    async def discard(self, dead_letter: DeadLetter) -> None:
        """Give an event up: it counts as seen, changes nothing, and is remembered so that no fold meets it again.

        What waited behind it is folded at once.
        """
        await self.store.resolve(dead_letter.id, discarded=True)
        await self._skip_discarded(dead_letter)
        await self.replay(dead_letter.subject)

    async def _skip_discarded(self, dead_letter: DeadLetter) -> bool:
        """Count a discarded event as seen, if it is the next of its source; says whether it was."""
        if (place := peek_source_and_sequence(dead_letter.event)) is None:
            return False
        source, sequence = place
        for number in range(MAX_ATTEMPTS):
            await self._backoff.before(number)
            stored = await self._cache.load([dead_letter.subject])
            working_copy = self.folding.open(dead_letter.subject, stored.get(dead_letter.subject))
            if sequence != working_copy.seen.get(source, 0) + 1:
                return False
            self.folding.skip(working_copy, source, sequence)
            failed = await self._save([self.folding.close(working_copy)])
            if SaveOutcome.CONFLICT not in failed.values():
                return not failed
        raise TooManyConflicts

    async def stop(self) -> None:
        """End the replays that are waiting."""
        for task in list(self._replays.values()):
            task.cancel()
        await asyncio.gather(*self._replays.values(), return_exceptions=True)
