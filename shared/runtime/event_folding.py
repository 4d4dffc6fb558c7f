"""Fold incoming events into working copies and save them: shared by the consumer and the replay of dead letters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from opentelemetry.trace import SpanKind

from shared.clock import Clock
from shared.contracts.envelope import Event
from shared.contracts.registry import UnknownFact
from shared.eventlog.port import LogRecord
from shared.observability.tracing import set_attributes, start_span, traceparent
from shared.runtime.decider_runner import DeciderRunner, WorkingCopy
from shared.runtime.event_decoding import EventReader, IncomingEvent, SkippedEvent, peek_position
from shared.runtime.executor import AfterSave
from shared.runtime.metrics import EVENTS
from shared.runtime.state_cache import StateCache
from shared.storage.port import OutboxEntry, SaveOutcome, Write

logger = logging.getLogger(__name__)

State = TypeVar("State")


class EventFolder(Generic[State]):
    """Folds the events of other services into the records of one service."""

    def __init__(
        self,
        runner: DeciderRunner[State],
        cache: StateCache,
        clock: Clock,
        publish: Callable[[Sequence[OutboxEntry]], None],
        after_save: AfterSave = lambda _writes: None,
    ) -> None:
        self.runner, self.cache, self.reader = runner, cache, EventReader(runner.decider)
        self._clock, self._publish, self._after_save = clock, publish, after_save

    @property
    def service(self) -> str:
        return self.runner.decider.service

    def fold(self, working_copy: WorkingCopy[State], events: Iterable[IncomingEvent]) -> tuple[int, str]:
        """Fold events until one fails; return how many were folded and why the next one was not, "" if all were."""
        count = 0
        for incoming in events:
            if failure := self._fold_one(working_copy, incoming):
                return count, failure
            count += 1
        return count, ""

    def _fold_one(self, working_copy: WorkingCopy[State], incoming: IncomingEvent) -> str:
        if incoming.event is None:
            return "" if _is_duplicate(working_copy, incoming.record) else incoming.failure
        try:
            outcome = self._apply(working_copy, incoming.event)
        except Exception as error:
            logger.exception(
                "%s cannot fold an event of %s", self.service, working_copy.id, extra={"subject": working_copy.id}
            )
            return f"{type(error).__name__}: {error}"
        EVENTS.labels(self.service, outcome).inc()
        return ""

    def _apply(self, working_copy: WorkingCopy[State], event: Event | SkippedEvent) -> str:
        """Return the outcome for the metrics. The span belongs to the trace in which the event was saved."""
        if isinstance(event, SkippedEvent):
            return "unknown" if self.runner.skip(working_copy, event.source, event.sequence) else "repeated"
        name, parent = f"fold {event.type}", event.traceparent
        with start_span(name, SpanKind.CONSUMER, parent, service=self.service, subject=working_copy.id) as span:
            folded = self.runner.apply(working_copy, event, self._clock(), traceparent(span))
            outcome = "repeated" if not folded else "unknown" if isinstance(event.fact, UnknownFact) else "folded"
            set_attributes(span, outcome=outcome)
        return outcome

    async def save(self, writes: Sequence[Write]) -> dict[str, SaveOutcome]:
        """Save writes, publish their events, and return the outcomes of those that were not saved, by request."""
        if not writes:
            return {}
        outcomes = list(zip(writes, await self.cache.save(writes), strict=True))
        saved = [write for write, outcome in outcomes if outcome is SaveOutcome.SAVED]
        self._publish([entry for write in saved for entry in write.outbox])
        self._after_save(saved)
        return {write.record.id: outcome for write, outcome in outcomes if outcome is not SaveOutcome.SAVED}


def _is_duplicate(working_copy: WorkingCopy[Any], record: LogRecord) -> bool:
    """Return whether an unreadable record was folded or discarded before."""
    position = peek_position(record.value)
    return position is not None and position[1] <= working_copy.seen.get(position[0], 0)
