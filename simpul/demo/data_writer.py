"""Writes simulated requests into a data folder: events, states and documents, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import repeat, zip_longest

from shared.contracts.envelope import encode_event
from shared.documents.port import DocumentStore
from shared.eventlog.port import EventLog
from shared.runtime.decider_runner import rebase
from shared.storage.port import StateStore, Write
from simpul.generate.lifecycle_simulator import LifecycleSimulator

APPENDED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class PastRecords:
    """What some requests leave in the stores: the encoded events of each by subject, and the writes by service."""

    events: list[tuple[str, list[bytes]]]
    writes: dict[str, list[Write]]

    def extend(self, other: PastRecords) -> None:
        self.events.extend(other.events)
        for name, writes in other.writes.items():
            self.writes.setdefault(name, []).extend(writes)


def records_of(simulators: Sequence[LifecycleSimulator]) -> PastRecords:
    """Return what these requests leave in the stores. Their events are in the log, so the outbox stays empty."""
    writes = {
        name: [
            simulator.runners[name].close(rebase(simulator.working_copies[name], 0))
            for simulator in simulators
            if simulator.working_copies[name].seen
        ]
        for name in (simulators[0].runners if simulators else ())
    }
    events = [(simulator.request, [encode_event(event) for event in simulator.events]) for simulator in simulators]
    return PastRecords(events, writes)


async def write_records(log: EventLog, stores: Mapping[str, StateStore], records: PastRecords) -> None:
    """Append the events of these requests, interleaved, and save their states; their documents must be stored already."""
    rounds = zip_longest(*(zip(repeat(subject), events) for subject, events in records.events))
    interleaved = [record for one in rounds for record in one if record]
    for start in range(0, len(interleaved), APPENDED_AT_ONCE):
        await log.append(interleaved[start : start + APPENDED_AT_ONCE])
    for name, store in stores.items():
        await store.save(records.writes.get(name, ()))


async def skip_to_end(log: EventLog, services: Sequence[str]) -> None:
    """Let the consumers continue after what was written, which their states contain already."""
    for name in services:
        await log.commit_offset(name, await log.end())


async def store_documents(store: DocumentStore, contents: Mapping[str, bytes]) -> None:
    """Store documents by key, several at a time."""
    keys = list(contents)
    for start in range(0, len(keys), 50):
        await asyncio.gather(*(store.put_as(key, BytesIO(contents[key])) for key in keys[start : start + 50]))
