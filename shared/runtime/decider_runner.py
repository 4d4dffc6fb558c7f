"""Run a decider on working copies of state records, in memory: shared by commands, consumption and rebuilds."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar

from cachetools import LRUCache
from pydantic import TypeAdapter

from shared.contracts.envelope import Event, encode_event
from shared.contracts.facts import Fact
from shared.runtime.decider import Decider, Refusal
from shared.storage.port import OutboxEntry, ProcessedCommand, StateRecord, Write

State = TypeVar("State")

MAX_PROCESSED_COMMANDS = 24
MAX_CACHED_STATES = 2_000
_TICK = timedelta(microseconds=1)


class Gap(Exception):
    """An event arrived before its predecessor from the same source."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The identity of a command, and the correlation, causation and trace of the events that follow from it."""

    id: str
    correlation: str
    causation: str
    traceparent: str = ""


@dataclass(slots=True)
class WorkingCopy(Generic[State]):
    """A state record opened for changes; `new_events` are the own events that the changes produced."""

    id: str
    version: int
    state: State
    seen: dict[str, int]
    commands: tuple[ProcessedCommand, ...]
    latest: datetime | None
    new_events: list[Event] = field(default_factory=list)


class DeciderRunner(Generic[State]):
    """Open records as working copies, fold events and handle commands on them, and close them as writes."""

    def __init__(self, decider: Decider[State]) -> None:
        self.decider = decider
        self._adapter: TypeAdapter[State] = _adapter(decider.state_type)  # type: ignore[arg-type]  # types are hashable
        self._states: LRUCache[str, tuple[bytes, State]] = LRUCache(MAX_CACHED_STATES)

    def open(self, request_id: str, record: StateRecord | None) -> WorkingCopy[State]:
        """Return a working copy of the record, or of a new one if there is none."""
        if record is None:
            return WorkingCopy(request_id, 0, self.decider.initial(), {}, (), None)
        latest = datetime.fromisoformat(record.latest) if record.latest else None
        return WorkingCopy(record.id, record.version, self.state(record), dict(record.seen), record.commands, latest)

    def state(self, record: StateRecord) -> State:
        """Decode the state of a record, or return the cached one: the next command is mostly about a recent request."""
        cached = self._states.get(record.id)
        if cached is not None and cached[0] == record.body:
            return cached[1]
        state = self._adapter.validate_json(record.body)
        self._states[record.id] = (record.body, state)
        return state

    def fold(self, working_copy: WorkingCopy[State], event: Event) -> bool:
        """Fold one event from the log; return False if it is a duplicate. Raises Gap."""
        if not _is_next(working_copy, event.source, event.sequence):
            return False
        self._evolve(working_copy, event)
        return True

    def _evolve(self, working_copy: WorkingCopy[State], event: Event) -> None:
        working_copy.state = self.decider.evolve(working_copy.state, event)
        working_copy.seen[event.source] = event.sequence
        working_copy.latest = event.time if working_copy.latest is None else max(working_copy.latest, event.time)

    def skip(self, working_copy: WorkingCopy[State], source: str, sequence: int) -> bool:
        """Count an event as seen without folding it; return False if it is a duplicate. Raises Gap."""
        if not _is_next(working_copy, source, sequence):
            return False
        working_copy.seen[source] = sequence
        return True

    def apply(self, working_copy: WorkingCopy[State], event: Event, now: datetime, traceparent: str = "") -> bool:
        """Fold another service's event and handle the commands that follow from it.

        Returns False for a duplicate. If anything raises, the working copy stays as it was. The new events belong to the
        trace of `traceparent`, or to the event's own if that is empty.
        """
        trial = replace(working_copy, seen=dict(working_copy.seen), new_events=list(working_copy.new_events))
        if not self.fold(trial, event):
            return False
        for index, command in enumerate(self.decider.react(trial.state, event)):
            command_id = str(uuid.uuid5(uuid.UUID(event.id), f"{self.decider.service}:{index}"))
            cause = Cause(command_id, event.correlationid, event.id, traceparent or event.traceparent)
            try:
                self.handle(trial, command, now, cause)
            except Refusal:
                continue
        working_copy.state, working_copy.seen = trial.state, trial.seen
        working_copy.latest, working_copy.new_events = trial.latest, trial.new_events
        return True

    def handle(self, working_copy: WorkingCopy[State], command: Any, now: datetime, cause: Cause) -> list[Event]:
        """Decide on a command and fold the events that follow. Raises Refusal and leaves the working copy as it was."""
        facts = self.decider.decide(working_copy.state, command, now)
        events: list[Event] = []
        for index, fact in enumerate(facts):
            event = self._next_event(working_copy, fact, index, now, cause)
            self._evolve(working_copy, event)
            events.append(event)
        working_copy.new_events += events
        return events

    def record(self, working_copy: WorkingCopy[State], command: Any, now: datetime) -> bool:
        """Change what the state contains beside the events; return whether anything changed."""
        before = working_copy.state
        working_copy.state = self.decider.record(before, command, now)
        return working_copy.state != before

    def _next_event(
        self, working_copy: WorkingCopy[State], fact: Fact, index: int, now: datetime, cause: Cause
    ) -> Event:
        latest = working_copy.latest
        return Event(
            id=str(uuid.uuid5(uuid.UUID(cause.id), str(index))),
            source=self.decider.service,
            subject=working_copy.id,
            sequence=working_copy.seen.get(self.decider.service, 0) + 1,
            time=now if latest is None else max(now, latest + _TICK),
            fact=fact,
            correlationid=cause.correlation,
            causationid=cause.causation,
            traceparent=cause.traceparent,
        )

    def add_processed_command(self, working_copy: WorkingCopy[State], command: ProcessedCommand) -> None:
        """Remember a command, so that a repetition returns the first result."""
        working_copy.commands = (*working_copy.commands, command)[-MAX_PROCESSED_COMMANDS:]

    def close(self, working_copy: WorkingCopy[State], *, migrated: bool = False) -> Write:
        """Return the write that makes the working copy the next version of its record."""
        body = self._adapter.dump_json(working_copy.state)
        self._states[working_copy.id] = (body, working_copy.state)
        record = StateRecord(
            id=working_copy.id,
            version=working_copy.version + 1,
            body=body,
            seen=working_copy.seen,
            commands=working_copy.commands,
            latest=working_copy.latest.isoformat() if working_copy.latest else "",
        )
        return Write(
            record,
            self.decider.columns(working_copy.state),
            self.decider.due_at(working_copy.state),
            tuple(OutboxEntry(working_copy.id, event.id, encode_event(event)) for event in working_copy.new_events),
            migrated,
        )


def _is_next(working_copy: WorkingCopy[Any], source: str, sequence: int) -> bool:
    """Return False for a sequence that was seen already. Raises Gap."""
    seen = working_copy.seen.get(source, 0)
    if sequence > seen + 1:
        raise Gap(f"{source}: {sequence} after {seen}")
    return sequence > seen


@cache
def _adapter(state_type: type[Any]) -> TypeAdapter[Any]:
    """Return the adapter of a state type; to build one takes ten milliseconds."""
    return TypeAdapter(state_type)


def rebase(working_copy: WorkingCopy[State], version: int) -> WorkingCopy[State]:
    """Return the same working copy on top of another stored version, with no new events."""
    return replace(working_copy, version=version, new_events=[])
