"""Copies of a simulated request for other applicants who submitted theirs shortly before it.

The deciders decide and fold once for all of them. A copy has the same events and records with its own ids, number, applicant and
times, which are replaced in the encoded text; the tests compare its records with those that follow from its events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from hashlib import sha1
from typing import Any

from pydantic_core import from_json, to_json

from shared.calendar import WIT
from shared.contracts.envelope import encode_event
from shared.contracts.facts import Applicant, Letter
from shared.contracts.intake import RequestSubmitted
from shared.contracts.lifecycle import ENDED
from shared.storage.port import Scalar, Write, sortable_time
from shared.text.folding import fold_text
from shared.text.search import request_search_text
from simpul.client_types import RequestForm
from simpul.demo.data_writer import PastRecords, records_of
from simpul.generate.lifecycle_simulator import LifecycleSimulator

DAY_HOURS = (time(6, 30), time(18, 30))
"""Events at other times follow from a date, and copies have them at the same time."""
_UUID = rb"(?<!\"key\":\")[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
LEDGER = "notification"
"""The service in whose record messages of the same event are in the order of their ids."""
REQUEST_PART = 24
"""The characters of a UUID in a copy that are those of its request; the others are those of the original."""

Parts = Sequence[bytes]
"""A text split at what differs in a copy: every second part is replaced."""


@dataclass(frozen=True, slots=True)
class Applying:
    """What a copy has of its own."""

    request: str
    number: str
    submitted_at: datetime
    form: RequestForm


@dataclass(frozen=True, slots=True)
class _Record:
    """The record of one service; `messages` are parts of its body with the place of their event among those of all messages."""

    write: Write
    columns: Parts
    body: Parts
    messages: Sequence[tuple[int, Parts]]
    rest: Parts


class Template:
    """A simulated request, its events and records split at everything that differs in a copy."""

    def __init__(self, simulator: LifecycleSimulator) -> None:
        self._simulator = simulator
        [submitted] = [event.fact for event in simulator.events if isinstance(event.fact, RequestSubmitted)]
        self._submitted, self._submitted_at = submitted, simulator.events[0].time
        self._messages = _message_origins(simulator)
        settled = [one.settled_at for one in simulator.working_copies[LEDGER].state.messages if one.settled_at]
        self._times = dict.fromkeys([*(event.time for event in simulator.events), *settled])
        self._texts = _own_texts(submitted.number, submitted.applicant, submitted.letter)
        literals = [*self._texts, *self._messages, *(form for at in self._times for form in _time_forms(at))]
        self._pattern = re.compile(b"(" + b"|".join([*map(re.escape, literals), _UUID]) + b")")
        self._events = self._pattern.split(b"\n".join(map(encode_event, simulator.events)))
        self._records = {name: self._record(name, write) for name, [write] in records_of([simulator]).writes.items()}
        self._is_over = simulator.working_copies["assignment"].state.status in ENDED and not any(
            record.write.due_at for record in self._records.values()
        )
        """Whether no column depends on the date; else they are derived again for each copy."""

    def _record(self, name: str, write: Write) -> _Record:
        split, columns = self._pattern.split, to_json([write.record.latest, write.columns])
        if name != LEDGER:
            return _Record(write, split(columns), split(write.record.body), (), ())
        state = self._simulator.working_copies[name].state
        texts = [to_json(one) for one in from_json(write.record.body)["messages"]]
        before, joined, after = write.record.body.partition(b",".join(texts))
        if not joined and texts:
            raise ValueError("the messages are not in the record as they are encoded here")
        times = sorted({message.planned_at for message in state.messages})
        events = [times.index(message.planned_at) for message in state.messages]
        messages = list(zip(events, map(split, texts), strict=True))
        return _Record(write, split(columns), split(before), messages, split(after))

    def copy(self, applying: Applying) -> PastRecords:
        """Return the events of a copy and its records."""
        own = self._replacements(applying)
        prefix = applying.request[:REQUEST_PART].encode()

        def join(parts: Parts) -> bytes:
            changed = list(parts)
            changed[1::2] = [own.get(part) or prefix + part[REQUEST_PART:] for part in parts[1::2]]
            return b"".join(changed)

        own_columns = dict.fromkeys(self._records, self._own_columns(applying))
        own_columns[LEDGER] = own_columns[LEDGER] | {"search": self._ledger_search(applying)}
        writes = {}
        for name, record in self._records.items():
            messages = sorted((event, join(parts)) for event, parts in record.messages)
            body = join(record.body) + b",".join(text for _, text in messages) + join(record.rest)
            latest, columns = from_json(join(record.columns))
            write = replace(
                record.write,
                record=replace(record.write.record, id=applying.request, body=body, latest=latest),
                columns=columns | {key: own_columns[name][key] for key in own_columns[name].keys() & columns.keys()},
            )
            writes[name] = [write if self._is_over else self._derived(name, write)]
        return PastRecords([(applying.request, join(self._events).split(b"\n"))], writes)

    def _replacements(self, applying: Applying) -> dict[bytes, bytes]:
        applicant = self._applicant(applying)
        own = dict(zip(self._texts, _own_texts(applying.number, applicant, self._letter(applying)), strict=True))
        own[self._simulator.request.encode()] = applying.request.encode()
        shift = applying.submitted_at - self._submitted_at
        for at in self._times:
            own |= zip(_time_forms(at), _time_forms(_shifted(at, shift)), strict=True)
        for old, (event_id, kind, to) in self._messages.items():
            address = applicant.email if to == self._submitted.applicant.email else to
            new_id = _uuid5_hex(applying.request[:REQUEST_PART] + event_id[REQUEST_PART:], f"{kind}:{address}")
            own[old] = f"{applying.request}.{new_id}".encode()
        return own

    def _applicant(self, applying: Applying) -> Applicant:
        own = {name: applying.form[name] for name in ("name", "unit", "position", "email")}
        return self._submitted.applicant.model_copy(update=own)

    def _letter(self, applying: Applying) -> Letter:
        return self._submitted.letter.model_copy(update={"number": applying.form["letter_number"]})

    def _own_columns(self, applying: Applying) -> dict[str, Scalar]:
        """Return the columns that contain the applicant or the number in another form."""
        applicant, letter = self._applicant(applying), self._letter(applying)
        state = self._simulator.working_copies["verification"].state
        return {
            "number": applying.number,
            "name": fold_text(applicant.name),
            "unit": applicant.unit,
            "email": applicant.email.lower(),
            "search": request_search_text(applying.number, applicant, letter, state.description, state.lead),
        }

    def _ledger_search(self, applying: Applying) -> str:
        lead = self._simulator.working_copies[LEDGER].state.lead
        return request_search_text(applying.number, self._applicant(applying), lead=lead)

    def _derived(self, name: str, write: Write) -> Write:
        runner = self._simulator.runners[name]
        state = runner.state(write.record)
        return replace(write, columns=runner.decider.columns(state), due_at=runner.decider.due_at(state))


def _own_texts(number: str, applicant: Applicant, letter: Letter) -> tuple[bytes, ...]:
    return (
        number.encode(),
        applicant.email.encode(),
        b'"name":' + to_json(applicant.name) + b',"employee_number"',
        b'"unit":' + to_json(applicant.unit),
        b'"position":' + to_json(applicant.position),
        b'"number":' + to_json(letter.number) + b',"date"',
    )


def _message_origins(simulator: LifecycleSimulator) -> Mapping[bytes, tuple[str, str, str]]:
    """Return, by the id of each email, the id of the event that it follows from, its kind and its recipient."""
    events = {event.time: event.id for event in simulator.events}
    messages: Sequence[Any] = simulator.working_copies[LEDGER].state.messages
    return {one.id.encode(): (events[one.planned_at], one.kind, one.to) for one in messages}


def _uuid5_hex(namespace: str, name: str) -> str:
    """Return `uuid.uuid5(...).hex`, in a third of the time."""
    digest = sha1(bytes.fromhex(namespace.replace("-", "")) + name.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:12]}5{digest[13:16]}{int(digest[16], 16) & 3 | 8:x}{digest[17:32]}"


def _time_forms(at: datetime) -> tuple[bytes, bytes, bytes]:
    """Return a time as events have it, as states do, and as columns do."""
    text = at.isoformat()
    return text.encode(), text.replace("+00:00", "Z").encode(), (sortable_time(at) or "").encode()


def _shifted(at: datetime, shift: timedelta) -> datetime:
    return at + shift if DAY_HOURS[0] <= at.astimezone(WIT).time() <= DAY_HOURS[1] else at
