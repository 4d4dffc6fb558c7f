"""Writes simulated requests into a data folder: events, states and documents, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from shared.contracts.envelope import encode_event
from shared.documents.port import DocumentStore
from shared.eventlog.port import EventLog
from shared.runtime.decider_runner import rebase
from shared.storage.port import StateStore
from simpul.generate.lifecycle_simulator import LifecycleSimulator


async def write_requests(
    log: EventLog, stores: Mapping[str, StateStore], simulators: Sequence[LifecycleSimulator]
) -> None:
    """Append the events of these requests, interleaved, and save their states; their documents must be stored already."""
    for index in range(max((len(simulator.events) for simulator in simulators), default=0)):
        events = [simulator.events[index] for simulator in simulators if index < len(simulator.events)]
        await log.append([(event.subject, encode_event(event)) for event in events])
    for name, store in stores.items():
        await store.save([_closed(simulator, name) for simulator in simulators if simulator.working_copies[name].seen])


def _closed(simulator: LifecycleSimulator, name: str) -> Any:
    """Return the write of a service's new record; its events are in the log, so the outbox stays empty."""
    return simulator.runners[name].close(rebase(simulator.working_copies[name], 0))


async def skip_to_end(log: EventLog, services: Sequence[str]) -> None:
    """Let the consumers continue after what was written, which their states contain already."""
    for name in services:
        await log.commit_offset(name, await log.end())


async def store_documents(store: DocumentStore, contents: Mapping[str, bytes]) -> None:
    """Store documents by key, several at a time."""
    keys = list(contents)
    for start in range(0, len(keys), 50):
        await asyncio.gather(*(store.put_as(key, BytesIO(contents[key])) for key in keys[start : start + 50]))
