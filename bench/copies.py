"""Copies of a simulated request for other applicants who submitted theirs shortly before it.

The deciders decide and fold once for all of them. A copy has the same events and states with its own ids, number, applicant and
times; the tests compare its states with those that a rebuild folds from its events.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from pydantic_core import to_json

from shared.calendar import WIT
from shared.contracts.envelope import decode_event, encode_event
from shared.contracts.facts import Applicant
from shared.contracts.intake import RequestSubmitted
from shared.storage.port import Write
from simpul.client_types import RequestForm
from simpul.demo.data_writer import PastRecords, records_of
from simpul.generate.lifecycle_simulator import LifecycleSimulator

DAY_HOURS = (time(6, 30), time(18, 30))
"""Events at other times follow from a date, and copies have them at the same time."""
_UUID = rb"(?<!\"key\":\")[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
REFOLDED = "notification"
"""The service whose state cannot be copied, because the order of its messages follows from their ids."""
REQUEST_PART = 24
"""The characters of a UUID in a copy that are those of its request; the others are those of the original."""


@dataclass(frozen=True, slots=True)
class Applying:
    """What a copy has of its own."""

    request: str
    number: str
    submitted_at: datetime
    form: RequestForm


class Template:
    """A simulated request, its events and states split at everything that differs in a copy."""

    def __init__(self, simulator: LifecycleSimulator) -> None:
        self._simulator = simulator
        [submitted] = [event.fact for event in simulator.events if isinstance(event.fact, RequestSubmitted)]
        self._submitted, self._submitted_at = submitted, simulator.events[0].time
        self._messages = _message_origins(simulator)
        self._times = {form: event.time for event in simulator.events for form in _time_forms(event.time)}
        self._texts = _own_texts(submitted.number, submitted.applicant)
        literals = [*self._texts, *self._messages, *self._times]
        pattern = re.compile(b"(" + b"|".join([*map(re.escape, literals), _UUID]) + b")")
        self._events = pattern.split(b"\n".join(encode_event(event) for event in simulator.events))
        self._writes = {
            name: (write, pattern.split(write.record.body))
            for name, [write] in records_of([simulator]).writes.items()
            if name != REFOLDED
        }

    def copy(self, applying: Applying) -> PastRecords:
        """Return the events of a copy and its states."""
        replacements = self._replacements(applying)

        def join(parts: Sequence[bytes]) -> bytes:
            own = [replacements.get(part) or _own_uuid(applying, part) for part in parts[1::2]]
            return b"".join([text for pair in zip(parts[::2], [*own, b""], strict=True) for text in pair])

        events = join(self._events).split(b"\n")
        writes = {name: [self._write(name, applying, join(parts))] for name, (_, parts) in self._writes.items()}
        return PastRecords([(applying.request, events)], writes | self._refold(applying, events, replacements))

    def _replacements(self, applying: Applying) -> dict[bytes, bytes]:
        shift = applying.submitted_at - self._submitted_at
        applicant = self._submitted.applicant.model_copy(
            update={name: applying.form[name] for name in ("name", "unit", "position", "email")}
        )
        own = dict(zip(self._texts, _own_texts(applying.number, applicant), strict=True))
        own[self._simulator.request.encode()] = applying.request.encode()
        for at in set(self._times.values()):
            own |= zip(_time_forms(at), _time_forms(_shifted(at, shift)), strict=True)
        for old, (event_id, kind, to) in self._messages.items():
            address = applicant.email if to == self._submitted.applicant.email else to
            new_id = uuid.UUID(_own_uuid(applying, event_id).decode())
            own[old] = f"{applying.request}.{uuid.uuid5(new_id, f'{kind}:{address}').hex}".encode()
        return own

    def _write(self, name: str, applying: Applying, body: bytes) -> Write:
        write, _ = self._writes[name]
        runner = self._simulator.runners[name]
        latest = self._simulator.working_copies[name].latest
        shifted = _shifted(latest, applying.submitted_at - self._submitted_at).isoformat() if latest else ""
        record = replace(write.record, id=applying.request, body=body, latest=shifted)
        state = runner.state(record)
        return replace(write, record=record, columns=runner.decider.columns(state), due_at=runner.decider.due_at(state))

    def _refold(
        self, applying: Applying, events: Sequence[bytes], replacements: Mapping[bytes, bytes]
    ) -> dict[str, list[Write]]:
        """Fold the events, and deliver the emails as those of the original, which no event tells."""
        runner = self._simulator.runners[REFOLDED]
        working_copy = runner.open(applying.request, None)
        sources = runner.decider.sources | {REFOLDED}
        for event in map(decode_event, events):
            if event.source in sources:
                runner.fold(working_copy, event)
        original = self._simulator.working_copies[REFOLDED].state
        shift = applying.submitted_at - self._submitted_at
        delivered = tuple(
            replace(
                message,
                id=replacements[message.id.encode()].decode(),
                settled_at=_shifted(message.settled_at, shift) if message.settled_at else None,
            )
            for message in original.messages
        )
        working_copy.state = runner.decider.carry_over(working_copy.state, replace(original, messages=delivered), False)
        return {REFOLDED: [runner.close(working_copy)]}


def _own_texts(number: str, applicant: Applicant) -> tuple[bytes, ...]:
    return (
        number.encode(),
        applicant.email.encode(),
        b'"name":' + to_json(applicant.name) + b',"employee_number"',
        b'"unit":' + to_json(applicant.unit),
        b'"position":' + to_json(applicant.position),
    )


def _message_origins(simulator: LifecycleSimulator) -> Mapping[bytes, tuple[bytes, str, str]]:
    """Return, by the id of each email, the id of the event that it follows from, its kind and its recipient."""
    events = {event.time: event.id.encode() for event in simulator.events}
    messages = simulator.working_copies["notification"].state.messages
    return {one.id.encode(): (events[one.planned_at], one.kind, one.to) for one in messages}


def _own_uuid(applying: Applying, original: bytes) -> bytes:
    """Return a UUID of the copy for one of the original."""
    return applying.request[:REQUEST_PART].encode() + original[REQUEST_PART:]


def _time_forms(at: datetime) -> tuple[bytes, bytes]:
    """Return a time as events have it, and as states do."""
    text = at.isoformat()
    return text.encode(), text.replace("+00:00", "Z").encode()


def _shifted(at: datetime, shift: timedelta) -> datetime:
    return at + shift if DAY_HOURS[0] <= at.astimezone(WIT).time() <= DAY_HOURS[1] else at
