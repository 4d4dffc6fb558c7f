"""Folding events into a document and deciding on it, in memory: what commands, consumption and fold-again have in common."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from shared.contracts.envelope import Event, to_bytes
from shared.runtime.decider import Decider, Refusal
from shared.storage.port import CommandMemory, Document, OutboxEntry, Write

State = TypeVar("State")

REMEMBERED_COMMANDS = 24
_TICK = timedelta(microseconds=1)
_CACHED_STATES = 2_000


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
class Draft(Generic[State]):
    """A document taken up to be changed; `fresh` are the own events that the change made."""

    id: str
    version: int
    state: State
    seen: dict[str, int]
    commands: tuple[CommandMemory, ...]
    latest: datetime | None
    fresh: list[Event] = field(default_factory=list)


class Folding(Generic[State]):
    """Opens documents as drafts, folds and decides, and closes them as writes. No I/O and no clock."""

    def __init__(self, decider: Decider[State]):
        self.decider = decider
        self._adapter: TypeAdapter[State] = _adapter(decider.state_type)
        self._decoded: OrderedDict[str, tuple[bytes, State]] = OrderedDict()

    def open(self, request_id: str, document: Document | None) -> Draft[State]:
        """A draft of this document, or of a new one if there is none."""
        if document is None:
            return Draft(request_id, 0, self.decider.initial(), {}, (), None)
        latest = datetime.fromisoformat(document.latest) if document.latest else None
        return Draft(
            document.id, document.version, self.state(document), dict(document.seen), document.commands, latest
        )

    def state(self, document: Document) -> State:
        """The state in a stored document; the last ones decoded are kept, since the next command mostly concerns them."""
        known = self._decoded.get(document.id)
        if known is not None and known[0] == document.body:
            return known[1]
        state = self._adapter.validate_json(document.body)
        self._keep(document.id, document.body, state)
        return state

    def _keep(self, request_id: str, body: bytes, state: State) -> None:
        self._decoded[request_id] = (body, state)
        self._decoded.move_to_end(request_id)
        if len(self._decoded) > _CACHED_STATES:
            self._decoded.popitem(last=False)

    def fold(self, draft: Draft[State], event: Event) -> bool:
        """Fold one event from the log; False if the draft has seen it already. Raises Gap."""
        if not _is_next(draft, event.source, event.sequence):
            return False
        self._take(draft, event)
        return True

    def _take(self, draft: Draft[State], event: Event) -> None:
        draft.state = self.decider.evolve(draft.state, event)
        draft.seen[event.source] = event.sequence
        draft.latest = event.time if draft.latest is None else max(draft.latest, event.time)

    def skip(self, draft: Draft[State], source: str, sequence: int) -> bool:
        """Count an event as seen without folding it; False if the draft has seen it already. Raises Gap."""
        if not _is_next(draft, source, sequence):
            return False
        draft.seen[source] = sequence
        return True

    def hear(self, draft: Draft[State], event: Event, now: datetime, traceparent: str = "") -> bool:
        """Fold another service's event and obey what this service tells itself because of it, or leave the draft as it was.

        What follows belongs to the trace of `traceparent`, "": of the event.
        """
        before = replace(draft, seen=dict(draft.seen), fresh=list(draft.fresh))
        try:
            return self._hear(draft, event, now, traceparent or event.traceparent)
        except Exception:
            for name in ("state", "seen", "latest", "fresh"):
                setattr(draft, name, getattr(before, name))
            raise

    def _hear(self, draft: Draft[State], event: Event, now: datetime, traceparent: str) -> bool:
        if not self.fold(draft, event):
            return False
        for index, command in enumerate(self.decider.react(draft.state, event)):
            reaction = str(uuid.uuid5(uuid.UUID(event.id), f"{self.decider.service}:{index}"))
            try:
                self.obey(draft, command, now, Cause(reaction, event.correlationid, event.id, traceparent))
            except Refusal:
                continue
        return True

    def obey(self, draft: Draft[State], command: Any, now: datetime, cause: Cause) -> list[Event]:
        """Decide, and fold the facts that follow; raises Refusal and leaves the draft as it was."""
        facts = self.decider.decide(draft.state, command, now)
        events: list[Event] = []
        for index, fact in enumerate(facts):
            event = Event(
                id=str(uuid.uuid5(uuid.UUID(cause.id), str(index))),
                source=self.decider.service,
                subject=draft.id,
                sequence=draft.seen.get(self.decider.service, 0) + 1,
                time=now if draft.latest is None else max(now, draft.latest + _TICK),
                fact=fact,
                correlationid=cause.correlation,
                causationid=cause.causation,
                traceparent=cause.traceparent,
            )
            self._take(draft, event)
            events.append(event)
        draft.fresh += events
        return events

    def remember(self, draft: Draft[State], memory: CommandMemory) -> None:
        draft.commands = (*draft.commands, memory)[-REMEMBERED_COMMANDS:]

    def close(self, draft: Draft[State]) -> Write:
        """The write that makes the draft the next version of its document."""
        body = self._adapter.dump_json(draft.state)
        self._keep(draft.id, body, draft.state)
        document = Document(
            id=draft.id,
            version=draft.version + 1,
            body=body,
            seen=draft.seen,
            commands=draft.commands,
            latest=draft.latest.isoformat() if draft.latest else "",
        )
        return Write(
            document,
            self.decider.columns(draft.state),
            self.decider.due_at(draft.state),
            tuple(OutboxEntry(draft.id, event.id, to_bytes(event)) for event in draft.fresh),
        )


def _is_next(draft: Draft[Any], source: str, sequence: int) -> bool:
    """False if the draft has seen this place of the source already. Raises Gap."""
    seen = draft.seen.get(source, 0)
    if sequence > seen + 1:
        raise Gap(f"{source}: {sequence} after {seen}")
    return sequence > seen


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(state_type: type[Any]) -> TypeAdapter[Any]:
    """Made once for each type of state: it takes ten milliseconds."""
    if state_type not in _ADAPTERS:
        _ADAPTERS[state_type] = TypeAdapter(state_type)
    return _ADAPTERS[state_type]


def reopened(draft: Draft[State], version: int) -> Draft[State]:
    """The same draft expecting another stored version, with nothing new to publish."""
    return replace(draft, version=version, fresh=[])
