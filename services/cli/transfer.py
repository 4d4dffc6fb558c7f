"""Everything that is kept, carried from one half into another: what moving, and backing up engines and restoring them, share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import Any

from services.cli.endings import Failed
from services.wiring import build
from shared.documents.copying import Copied, DocumentCopy
from shared.documents.naming import EVERYTHING, NamedDocument, documents_to_copy
from shared.eventlog.copying import HoldsSomethingElse, LogCopy, positions_of
from shared.identity.copying import copy_accounts, unknown_accounts
from shared.platform import Platform
from shared.runtime.resettling import Resettle, Settled
from shared.runtime.service import Service

Step = Callable[[str, int | None], Callable[[int], None]]
"""Begins a part of the work of so many pieces (None if nobody knows), and returns what is told of each piece done."""

REST_WITHIN = 900.0
"""Seconds in which services must have folded what was on its way."""


@dataclass(slots=True)
class Told:
    """What was carried; `trouble` has a line for everything that is not in the target as it was."""

    events: int = 0
    events_copied: int = 0
    events_present: int = 0
    repeats_left_out: int = 0
    documents: Copied = field(default_factory=Copied)
    accounts: int = 0
    services: list[Settled] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def trouble(self) -> list[str]:
        return [*self.documents.trouble, *(line for service in self.services for line in service.trouble)]

    def plain(self) -> dict[str, Any]:
        """For programs."""
        return {"clean": not self.trouble, **asdict(self), "trouble": self.trouble}


class Transfer:
    """From one platform to another, whose services do not run. May be stopped at any moment and begun again.

    Everything is looked at before anything is written. `live`: the source is in use; it is carried as it was at one moment.
    """

    def __init__(self, source: Platform, target: Platform, step: Step, *, live: bool = False):
        self._source, self._target, self._step, self._live = source, target, step, live
        self._from, self._to = build(source), build(target)
        self._told = Told()

    async def run(self) -> Told:
        """Raises Failed, HoldsSomethingElse, and whatever a half that is not available raises."""
        began = time.monotonic()
        await self._prepare()
        await self._come_to_rest()
        upto = await self._source.log.end()
        copy = LogCopy(self._source.log, self._target.log, upto)
        documents, present = await self._look(copy, upto)
        await self._copy_log(copy)
        await self._copy_documents(documents, present)
        self._told.accounts = await copy_accounts(self._source.accounts, self._target.accounts)
        await self._settle()
        self._told.seconds = round(time.monotonic() - began, 1)
        return self._told

    async def _prepare(self) -> None:
        await self._source.prepare()
        await self._target.half.prepare()
        for service in (*self._from, *self._to):
            await service.runtime.store.prepare()

    async def _come_to_rest(self) -> None:
        """Publish what waits; if nobody else does, also fold what was on its way. No timer runs, so no e-mail is sent."""
        advance = self._step("what was on its way", None)
        if self._live:
            await _publish(self._from)
            return
        async with _consuming(self._from):
            until = time.monotonic() + REST_WITHIN
            while await _restless(self._from):
                if time.monotonic() > until:
                    raise Failed(
                        "The services could not fold everything that was on its way; see the log of `simpul up`."
                    )
                advance(1)
                await asyncio.sleep(0.1)

    async def _look(self, copy: LogCopy, upto: str) -> tuple[dict[str, NamedDocument], set[str]]:
        """The documents that events name, and the keys that the target has. Raises HoldsSomethingElse, and LogUnavailable if
        services of the target are at work."""
        for service in self._to:
            await self._target.log.pass_over(service.name, "")
        await copy.look(self._step("looking at both logs", None))
        self._told.events, self._told.repeats_left_out = copy.events, copy.repeats
        self._told.events_present = copy.present
        stores = [service.runtime.store for service in self._from]
        documents = await documents_to_copy(self._source.log, self._source.documents, stores, upto)
        named = {document.key: document for document in documents}
        present = await self._present(named.keys(), begun=copy.present > 0)
        if names := await unknown_accounts(self._source.accounts, self._target.accounts, begun=copy.present > 0):
            raise HoldsSomethingElse(f"it has accounts that are not from here: {', '.join(names)}")
        if not copy.present and any([await service.runtime.store.all_ids(limit=1) for service in self._to]):
            raise HoldsSomethingElse("it has requests, but no events")
        return named, present

    async def _present(self, named: Set[str], *, begun: bool) -> set[str]:
        """The keys that the target has. Raises HoldsSomethingElse.

        An earlier run copied every stored document if names were unknown then. Some of them may be named by nobody now, and
        even swept here: they are left alone if the target evidently has the other documents and events from here.
        """
        present = {key async for key in self._target.documents.keys(EVERYTHING)}
        own = named | {key async for key in self._source.documents.keys(EVERYTHING)}
        unknown = sorted(present - own)
        if unknown and not (begun and present & own):
            raise HoldsSomethingElse(
                f"it has {len(unknown)} documents that no event here names, {unknown[0]} among them"
            )
        return present

    async def _copy_log(self, copy: LogCopy) -> None:
        self._told.events_copied = await copy.copy(self._step("events", copy.events + copy.repeats))

    async def _copy_documents(self, named: Mapping[str, NamedDocument], present: set[str]) -> None:
        advance = self._step("documents", len(named))
        documents = DocumentCopy(self._source.documents, self._target.documents, present, progress=lambda: advance(1))
        self._told.documents = await documents.copy(named.values())

    async def _settle(self) -> None:
        """The services last, and where each goes on last of all: one that was started too early would hear everything."""
        upto = await self._target.log.end()
        works = [
            Resettle(
                one.runtime.executor.folding.decider,
                one.runtime.store,
                other.runtime.store,
                self._target.log,
                live=self._live,
            )
            for one, other in zip(self._from, self._to, strict=True)
        ]
        parked = {letter.event for work in works for letter in await work.letters()}
        positions = await positions_of(self._target.log, parked)
        for work in works:
            self._told.services.append(await work.settle(positions, self._step(work.done.service, self._told.events)))
        for service in self._to:
            await self._target.log.pass_over(service.name, upto)


async def _publish(services: Sequence[Service]) -> None:
    """What lies in the outboxes goes to the log; if others publish it too, that only repeats it."""
    for service in services:
        await service.runtime.relay.sweep()
        await service.runtime.relay.drain()


async def _restless(services: Sequence[Service]) -> bool:
    await _publish(services)
    waiting = [await service.runtime.store.unpublished(1) for service in services]
    behind = [await service.runtime.log.lag(service.name) for service in services]
    return any(waiting) or any(behind)


@contextlib.asynccontextmanager
async def _consuming(services: Sequence[Service]) -> AsyncIterator[None]:
    """The services hear the log, and do nothing else."""
    tasks = [
        asyncio.create_task(service.runtime.log.consume(service.name, service.runtime.consumer.handle))
        for service in services
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for service in services:
            await service.runtime.consumer.stop()
