"""Dead letters: events that could not be folded, and the later events of the same request, parked until a replay succeeds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Generic, TypeVar

from shared.backoff import Backoff
from shared.clock import Clock
from shared.eventlog.port import LogRecord
from shared.runtime.event_decoding import NEWER_VERSION_REASON, IncomingEvent, peek_position
from shared.runtime.event_folding import EventFolder
from shared.runtime.metrics import DEAD_LETTERS, EVENTS
from shared.runtime.write_conflicts import MAX_ATTEMPTS, TooManyConflicts
from shared.storage.port import DeadLetter, SaveOutcome, StateStore, StoreUnavailable

logger = logging.getLogger(__name__)

State = TypeVar("State")

REPLAY_DELAYS_SECONDS = (0.2, 1.0, 5.0, 15.0)
"""Delays of the automatic replays of a newly parked request; after the last one it waits for an administrator."""
BLOCKED_REFRESH_SECONDS = 5.0
"""Age at which the set of blocked requests is read again, because another process may have parked some."""
POLL_INTERVAL_SECONDS = 30.0

BLOCKED_REASON = "menunggu kejadian sebelumnya"
UNIQUE_VIOLATION_REASON = "nilai yang harus unik sudah dipakai oleh data lain"


class DeadLetterQueue(Generic[State]):
    """The dead letters of one service: park, replay, discard."""

    def __init__(
        self,
        folder: EventFolder[State],
        store: StateStore,
        clock: Clock,
        backoff: Backoff,
        replay_delays: Sequence[float] = REPLAY_DELAYS_SECONDS,
    ) -> None:
        self._folder = folder
        self._store = store
        self._clock = clock
        self._backoff = backoff
        self._replay_delays = replay_delays
        self._replays: dict[str, asyncio.Task[None]] = {}
        self._blocked: set[str] | None = None
        self._blocked_read_at = 0.0
        self._newly_parked: set[str] = set()

    async def blocked_requests(self) -> set[str]:
        """Return the requests with parked events, whose later events must wait."""
        now = asyncio.get_running_loop().time()
        if self._blocked is None or now - self._blocked_read_at > BLOCKED_REFRESH_SECONDS:
            self._blocked, self._blocked_read_at = await self._store.parked_subjects(), now
        return self._blocked

    async def park(self, events: Sequence[IncomingEvent], reason: str, *, only_if_blocked: bool = False) -> bool:
        """Park events of one request, the first for this reason, the others behind it, and schedule replays.

        With `only_if_blocked`, only if something of the request is still parked; returns whether they were parked.
        """
        request_id = events[0].record.key
        dead_letters = self._dead_letters(events, reason)
        if not await self._store.park(dead_letters, only_if_blocked=only_if_blocked):
            self._unblock(request_id)
            return False
        service = self._folder.service
        DEAD_LETTERS.labels(service).inc(len(dead_letters))
        if reason == NEWER_VERSION_REASON:
            EVENTS.labels(service, "newer").inc()
        logger.error(
            "%s parked %d events of %s: %s", service, len(events), request_id, reason, extra={"subject": request_id}
        )
        self._blocked = (self._blocked or set()) | {request_id}
        self._newly_parked.add(request_id)
        self.schedule_replay(request_id, self._replay_delays)
        return True

    def _dead_letters(self, events: Sequence[IncomingEvent], reason: str) -> list[DeadLetter]:
        service, now = self._folder.service, self._clock()
        return [
            DeadLetter(
                id=f"{service}:{incoming.record.position}",
                service=service,
                subject=incoming.record.key,
                position=incoming.record.position,
                event=incoming.record.value,
                reason=reason if index == 0 else BLOCKED_REASON,
                tries=1,
                parked_at=now,
            )
            for index, incoming in enumerate(events)
        ]

    def _unblock(self, request_id: str) -> None:
        if self._blocked:
            self._blocked.discard(request_id)

    async def replay_parked(self) -> None:
        """Replay once what an earlier process left: it may have stopped before its replays, or not have understood the events."""
        self._blocked = await self._store.parked_subjects()
        for request_id in self._blocked:
            self.schedule_replay(request_id, self._replay_delays[:1])

    def schedule_replay(self, request_id: str, delays: Sequence[float] = REPLAY_DELAYS_SECONDS[:1]) -> None:
        """Replay a request in the background after each of these delays, until nothing of it is parked."""
        if request_id not in self._replays:
            task = asyncio.create_task(self._replay_after_delays(request_id, delays))
            self._replays[request_id] = task
            task.add_done_callback(lambda _: self._replays.pop(request_id, None))

    async def _replay_after_delays(self, request_id: str, delays: Sequence[float]) -> None:
        for seconds in delays:
            await asyncio.sleep(seconds)
            try:
                if not await self.replay(request_id):
                    return
            except StoreUnavailable as error:
                logger.warning("store unavailable while replaying: %s", error)

    async def replay(self, request_id: str) -> list[DeadLetter]:
        """Fold a request's dead letters in order; return those that still cannot be folded."""
        while True:
            self._newly_parked.discard(request_id)
            dead_letters = await self._store.dead_letters(subject=request_id, states=("parked", "discarded"))
            parked = any(dead_letter.state == "parked" for dead_letter in dead_letters)
            progress = await self._replay_once(dead_letters)
            if progress or request_id in self._newly_parked:
                continue
            if not parked:
                self._unblock(request_id)
            return await self._store.dead_letters(subject=request_id) if parked else []

    async def _replay_once(self, dead_letters: Sequence[DeadLetter]) -> bool:
        """Return whether any was folded. A discarded one is skipped as soon as all before it from its source are folded."""
        progress = False
        for dead_letter in dead_letters:
            if dead_letter.state == "discarded":
                progress = await self._skip_discarded(dead_letter) or progress
                continue
            failure = await self._replay_one(dead_letter)
            progress = progress or not failure
            if failure:
                await self._store.record_attempt(dead_letter.id, failure)
            if failure and not failure.startswith("Gap"):
                break
        return progress

    async def _replay_one(self, dead_letter: DeadLetter) -> str:
        """Fold a dead letter and remove it; return the failure, "" if there was none."""
        incoming = self._folder.reader.read(_record(dead_letter))
        if incoming is not None and (failure := await self._fold(dead_letter.subject, incoming)):
            return failure
        await self._store.resolve(dead_letter.id, discarded=False)
        return ""

    async def _fold(self, request_id: str, incoming: IncomingEvent) -> str:
        runner = self._folder.runner
        for attempt in range(MAX_ATTEMPTS):
            await self._backoff.wait(attempt)
            stored = (await self._folder.cache.load([request_id])).get(request_id)
            working_copy = runner.open(request_id, stored)
            _, failure = self._folder.fold(working_copy, [incoming])
            if failure or (stored is not None and working_copy.seen == stored.seen):
                return failure
            not_saved = await self._folder.save([runner.close(working_copy)])
            if SaveOutcome.CONFLICT not in not_saved.values():
                return UNIQUE_VIOLATION_REASON if not_saved else ""
        raise TooManyConflicts

    async def discard(self, dead_letter: DeadLetter) -> None:
        """Give up an event and replay those behind it.

        The event counts as seen and changes nothing; it is remembered, so that no rebuild folds it.
        """
        await self._store.resolve(dead_letter.id, discarded=True)
        await self._skip_discarded(dead_letter)
        await self.replay(dead_letter.subject)

    async def _skip_discarded(self, dead_letter: DeadLetter) -> bool:
        """Count a discarded event as seen if it is the next of its source; return whether it was."""
        if (position := peek_position(dead_letter.event)) is None:
            return False
        source, sequence = position
        runner = self._folder.runner
        for attempt in range(MAX_ATTEMPTS):
            await self._backoff.wait(attempt)
            stored = await self._folder.cache.load([dead_letter.subject])
            working_copy = runner.open(dead_letter.subject, stored.get(dead_letter.subject))
            if sequence != working_copy.seen.get(source, 0) + 1:
                return False
            runner.skip(working_copy, source, sequence)
            not_saved = await self._folder.save([runner.close(working_copy)])
            if SaveOutcome.CONFLICT not in not_saved.values():
                return not not_saved
        raise TooManyConflicts

    async def replay_readable_forever(self) -> None:
        """Poll for events that a process of an older version parked and this one can read, and replay them."""
        while True:
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
            try:
                for request_id in await self.readable_requests():
                    self.schedule_replay(request_id)
            except StoreUnavailable as error:
                logger.warning("store unavailable while looking for dead letters: %s", error)

    async def readable_requests(self) -> list[str]:
        """Return the requests whose first dead letter was too new for the process that parked it, but is not for this one."""
        first = await self._store.first_parked(NEWER_VERSION_REASON)
        return [dead_letter.subject for dead_letter in first if self._is_readable(dead_letter)]

    def _is_readable(self, dead_letter: DeadLetter) -> bool:
        incoming = self._folder.reader.read(_record(dead_letter))
        return incoming is None or incoming.event is not None

    async def stop(self) -> None:
        """Cancel the scheduled replays."""
        for task in list(self._replays.values()):
            task.cancel()
        await asyncio.gather(*self._replays.values(), return_exceptions=True)


def _record(dead_letter: DeadLetter) -> LogRecord:
    return LogRecord(dead_letter.position, dead_letter.subject, dead_letter.event)
