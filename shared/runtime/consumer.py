"""Consumption: a batch of log records is folded in memory and saved with expected versions; then its offset is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from shared.backoff import Backoff
from shared.eventlog.port import LogRecord
from shared.runtime.dead_letters import BLOCKED_REASON, UNIQUE_VIOLATION_REASON, DeadLetterQueue
from shared.runtime.event_decoding import IncomingEvent
from shared.runtime.event_folding import EventFolder
from shared.runtime.write_conflicts import MAX_ATTEMPTS, TooManyConflicts
from shared.storage.port import SaveOutcome, StateRecord, Write

State = TypeVar("State")

EventsByRequest = dict[str, list[IncomingEvent]]


class Consumer(Generic[State]):
    """Folds batches of the log into the records of one service; events that cannot be folded become dead letters."""

    def __init__(self, folder: EventFolder[State], dead_letters: DeadLetterQueue[State], backoff: Backoff) -> None:
        self._folder, self._dead_letters, self._backoff = folder, dead_letters, backoff

    async def handle(self, records: Sequence[LogRecord]) -> None:
        """Fold a batch durably. Raises StoreUnavailable; the same batch may then be handled again."""
        events = self._group_by_request(records)
        for request_id in await self._dead_letters.blocked_requests() & events.keys():
            if await self._dead_letters.park(events[request_id], BLOCKED_REASON, only_if_blocked=True):
                del events[request_id]
        cached = {
            request_id: record
            for request_id in events
            if (record := self._folder.cache.get_cached(request_id)) is not None
        }
        events = await self._fold(events, cached)
        for attempt in range(MAX_ATTEMPTS):
            if not events:
                return
            await self._backoff.wait(attempt)
            events = await self._fold(events, {})
        if events:
            raise TooManyConflicts

    def _group_by_request(self, records: Sequence[LogRecord]) -> EventsByRequest:
        events: EventsByRequest = {}
        for record in records:
            if (incoming := self._folder.reader.read(record)) is not None:
                events.setdefault(record.key, []).append(incoming)
        return events

    async def _fold(self, events: EventsByRequest, cached: Mapping[str, StateRecord]) -> EventsByRequest:
        """Fold events and park those that fail; return those to be folded again.

        These lost against another writer, or failed on a cached record, which may be stale.
        """
        stored = {**cached, **await self._folder.cache.load([one for one in events if one not in cached])}
        writes: list[Write] = []
        failures: dict[str, tuple[int, str]] = {}
        for request_id, incoming in events.items():
            working_copy = self._folder.runner.open(request_id, stored.get(request_id))
            count, failure = self._folder.fold(working_copy, incoming)
            if failure:
                failures[request_id] = count, failure
            if working_copy.seen != (stored[request_id].seen if request_id in stored else {}):
                writes.append(self._folder.runner.close(working_copy))
        not_saved = await self._folder.save(writes)
        again = {request_id for request_id, outcome in not_saved.items() if outcome is SaveOutcome.CONFLICT}
        again |= failures.keys() & cached.keys()
        failures |= dict.fromkeys(not_saved.keys() - again, (0, UNIQUE_VIOLATION_REASON))
        for request_id in failures.keys() - again:
            count, failure = failures[request_id]
            await self._dead_letters.park(events[request_id][count:], failure)
        return {request_id: incoming for request_id, incoming in events.items() if request_id in again}
