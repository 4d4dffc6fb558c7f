"""Folding events into a document and deciding on it, in memory: what commands, consumption and fold-again have in common."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from shared.contracts.envelope import Event, encode_event
from shared.runtime.decider import Decider, Refusal
from shared.storage.port import OutboxEntry, ProcessedCommand, StateRecord, Write

State = TypeVar("State")

MAX_PROCESSED_COMMANDS = 24
_TICK = timedelta(microseconds=1)
MAX_CACHED_STATES = 2_000


class Gap(Exception):
    """An event came whose predecessor from the same source has not been seen."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a command is given: the id it is known by, and what it belongs to."""

    id: str
    correlation: str
    causation: str
    traceparent: str = ""


@dataclass(slots=True)
class WorkingCopy(Generic[State]):
    """A document taken up to be changed; `fresh` are the own events that the change made."""

    id: str
    version: int
    state: State
    seen: dict[str, int]
    commands: tuple[ProcessedCommand, ...]
    latest: datetime | None
    fresh: list[Event] = field(default_factory=list)


class DeciderRunner(Generic[State]):
    """Opens documents as drafts, folds and decides, and closes them as writes. No I/O and no clock."""

    def __init__(self, decider: Decider[State]) -> None:
        self.decider = decider
        self._adapter: TypeAdapter[State] = _adapter(decider.state_type)
        self._decoded: OrderedDict[str, tuple[bytes, State]] = OrderedDict()

    def open(self, request_id: str, document: StateRecord | None) -> WorkingCopy[State]:
        """A draft of this document, or of a new one if there is none."""
        if document is None:
            return WorkingCopy(request_id, 0, self.decider.initial(), {}, (), None)
        latest = datetime.fromisoformat(document.latest) if document.latest else None
        return WorkingCopy(
            document.id, document.version, self.state(document), dict(document.seen), document.commands, latest
        )

    def state(self, document: StateRecord) -> State:
        """The state in a stored document; the last ones decoded are kept, since the next command mostly concerns them."""
        known = self._decoded.get(document.id)
        if known is not None and known[0] == document.body:
            return known[1]
        state = self._adapter.validate_json(document.body)
        self._cache_state(document.id, document.body, state)
        return state

    def _cache_state(self, request_id: str, body: bytes, state: State) -> None:
        self._decoded[request_id] = (body, state)
        self._decoded.move_to_end(request_id)
        if len(self._decoded) > MAX_CACHED_STATES:
            self._decoded.popitem(last=False)

    def fold(self, working_copy: WorkingCopy[State], event: Event) -> bool:
        """Fold one event from the log; False if the draft has seen it already. Raises Gap."""
        if not _is_next(working_copy, event.source, event.sequence):
            return False
        self._take(working_copy, event)
        return True

    def _take(self, working_copy: WorkingCopy[State], event: Event) -> None:
        working_copy.state = self.decider.evolve(working_copy.state, event)
        working_copy.seen[event.source] = event.sequence
        working_copy.latest = event.time if working_copy.latest is None else max(working_copy.latest, event.time)

    def skip(self, working_copy: WorkingCopy[State], source: str, sequence: int) -> bool:
        """Count an event as seen without folding it; False if the draft has seen it already. Raises Gap."""
        if not _is_next(working_copy, source, sequence):
            return False
        working_copy.seen[source] = sequence
        return True

    def apply(self, working_copy: WorkingCopy[State], event: Event, now: datetime, traceparent: str = "") -> bool:
        """Fold another service's event and obey what this service tells itself because of it, or leave the draft as it was.

        What follows belongs to the trace of `traceparent`, "": of the event.
        """
        before = replace(working_copy, seen=dict(working_copy.seen), fresh=list(working_copy.fresh))
        try:
            return self._fold_and_react(working_copy, event, now, traceparent or event.traceparent)
        except Exception:
            for name in ("state", "seen", "latest", "fresh"):
                setattr(working_copy, name, getattr(before, name))
            raise

    def _fold_and_react(self, working_copy: WorkingCopy[State], event: Event, now: datetime, traceparent: str) -> bool:
        if not self.fold(working_copy, event):
            return False
        for index, command in enumerate(self.decider.react(working_copy.state, event)):
            reaction = str(uuid.uuid5(uuid.UUID(event.id), f"{self.decider.service}:{index}"))
            try:
                self.handle(working_copy, command, now, Cause(reaction, event.correlationid, event.id, traceparent))
            except Refusal:
                continue
        return True

    def handle(self, working_copy: WorkingCopy[State], command: Any, now: datetime, cause: Cause) -> list[Event]:
        """Decide, and fold the facts that follow; raises Refusal and leaves the draft as it was."""
        facts = self.decider.decide(working_copy.state, command, now)
        events: list[Event] = []
        for index, fact in enumerate(facts):
            event = Event(
                id=str(uuid.uuid5(uuid.UUID(cause.id), str(index))),
                source=self.decider.service,
                subject=working_copy.id,
                sequence=working_copy.seen.get(self.decider.service, 0) + 1,
                time=now if working_copy.latest is None else max(now, working_copy.latest + _TICK),
                fact=fact,
                correlationid=cause.correlation,
                causationid=cause.causation,
                traceparent=cause.traceparent,
            )
            self._take(working_copy, event)
            events.append(event)
        working_copy.fresh += events
        return events

    def add_processed_command(self, working_copy: WorkingCopy[State], processed: ProcessedCommand) -> None:
        working_copy.commands = (*working_copy.commands, processed)[-MAX_PROCESSED_COMMANDS:]

    def close(self, working_copy: WorkingCopy[State]) -> Write:
        """The write that makes the draft the next version of its document."""
        body = self._adapter.dump_json(working_copy.state)
        self._cache_state(working_copy.id, body, working_copy.state)
        document = StateRecord(
            id=working_copy.id,
            version=working_copy.version + 1,
            body=body,
            seen=working_copy.seen,
            commands=working_copy.commands,
            latest=working_copy.latest.isoformat() if working_copy.latest else "",
        )
        return Write(
            document,
            self.decider.columns(working_copy.state),
            self.decider.due_at(working_copy.state),
            tuple(OutboxEntry(working_copy.id, event.id, encode_event(event)) for event in working_copy.fresh),
        )


def _is_next(working_copy: WorkingCopy[Any], source: str, sequence: int) -> bool:
    """False if the draft has seen this place of the source already. Raises Gap."""
    seen = working_copy.seen.get(source, 0)
    if sequence > seen + 1:
        raise Gap(f"{source}: {sequence} after {seen}")
    return sequence > seen


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(state_type: type[Any]) -> TypeAdapter[Any]:
    """Made once for each type of state: it takes ten milliseconds."""
    if state_type not in _ADAPTERS:
        _ADAPTERS[state_type] = TypeAdapter(state_type)
    return _ADAPTERS[state_type]


def rebase(working_copy: WorkingCopy[State], version: int) -> WorkingCopy[State]:
    """The same draft expecting another stored version, with nothing new to publish."""
    return replace(working_copy, version=version, fresh=[])
