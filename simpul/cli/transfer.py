"""Copy everything from one backend to another: the common part of moving a folder, backing up engines and restoring to them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.backends.platform import Platform
from shared.documents.copying import CopyResult, DocumentCopier
from shared.documents.references import FAR_FUTURE, ReferencedDocument, documents_to_copy
from shared.eventlog.log_copy import LogCopier, TargetDiverged, find_positions
from shared.identity.copying import copy_accounts, unknown_accounts
from shared.office.copying import compare_entries, copy_entries, unknown_entries
from shared.runtime.service_runtime import ServiceApp
from shared.runtime.store_migration import MigrationReport, StoreMigration
from simpul.cli.errors import Failed
from simpul.registry import build_services

StartProgress = Callable[[str, int | None], Callable[[int], None]]
"""Starts a step with this many items (None if unknown), and returns a function that reports items as done."""

QUIESCE_TIMEOUT_SECONDS = 900.0
"""The time in which the services of the source must have folded all pending events."""


@dataclass(slots=True)
class TransferReport:
    """What was copied; `trouble` has a line for everything in the target that differs from the source."""

    events: int = 0
    events_copied: int = 0
    events_present: int = 0
    repeats_left_out: int = 0
    documents: CopyResult = field(default_factory=CopyResult)
    accounts: int = 0
    office_entries: int = 0
    office_trouble: list[str] = field(default_factory=list)
    services: list[MigrationReport] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def trouble(self) -> list[str]:
        return [
            *self.documents.trouble,
            *self.office_trouble,
            *(line for service in self.services for line in service.trouble),
        ]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON for programs."""
        return {"clean": not self.trouble, **asdict(self), "trouble": self.trouble}


class Transfer:
    """A copy from one platform to another, whose services do not run. It may be interrupted at any moment and repeated.

    Both sides are inspected before anything is written. With `live` the source is in use and copied as of one position of its log.
    """

    def __init__(
        self, source: Platform, target: Platform, start_progress: StartProgress, *, live: bool = False
    ) -> None:
        self._source = source
        self._target = target
        self._start_progress = start_progress
        self._live = live
        self._source_services, self._target_services = build_services(source), build_services(target)
        self._report = TransferReport()

    async def run(self) -> TransferReport:
        """Copy everything. Raises Failed, TargetDiverged, and the errors of a backend that is not available."""
        started_at = time.monotonic()
        await self._prepare()
        await self._quiesce()
        end_position = await self._source.log.end()
        copy = LogCopier(self._source.log, self._target.log, end_position)
        documents, present = await self._inspect(copy, end_position)
        await self._copy_log(copy)
        await self._copy_documents(documents, present)
        self._report.accounts = await copy_accounts(self._source.accounts, self._target.accounts)
        await self._copy_office()
        await self._migrate_states()
        self._report.seconds = round(time.monotonic() - started_at, 1)
        return self._report

    async def _prepare(self) -> None:
        await self._source.prepare()
        await self._target.backend.prepare()
        for service in self._source_services:
            await service.runtime.store.prepare()
        for service in self._target_services:
            await service.runtime.store.prepare(for_lists=False)

    async def _quiesce(self) -> None:
        """Publish the outboxes and, unless others do, fold all pending events. No timer runs, so no email is sent."""
        advance = self._start_progress("pending events", None)
        if self._live:
            await _publish(self._source_services)
            return
        async with _consuming(self._source_services):
            until = time.monotonic() + QUIESCE_TIMEOUT_SECONDS
            while await _has_pending_work(self._source_services):
                if time.monotonic() > until:
                    raise Failed(
                        "The services could not fold everything that was on its way; see the log of `simpul up`."
                    )
                advance(1)
                await asyncio.sleep(0.1)

    async def _inspect(self, copy: LogCopier, end_position: str) -> tuple[dict[str, ReferencedDocument], set[str]]:
        """Return the documents that events name, and the keys that the target has.

        Raises TargetDiverged, and LogUnavailable if services of the target are running.
        """
        for service in self._target_services:
            await self._target.log.commit_offset(service.name, "")
        await copy.compare(self._start_progress("comparing both logs", None))
        self._report.events, self._report.repeats_left_out = copy.events, copy.repeats
        self._report.events_present = copy.present
        stores = [service.runtime.store for service in self._source_services]
        documents = await documents_to_copy(self._source.log, self._source.documents, stores, end_position)
        named = {document.key: document for document in documents}
        present = await self._existing_keys(named.keys(), begun=copy.present > 0)
        if names := await unknown_accounts(self._source.accounts, self._target.accounts, begun=copy.present > 0):
            raise TargetDiverged(f"it has accounts that are not from here: {', '.join(names)}")
        if keys := await unknown_entries(self._source.office, self._target.office, begun=copy.present > 0):
            raise TargetDiverged(f"it has documents of the office that are not from here: {', '.join(keys)}")
        if not copy.present and any(
            [await service.runtime.store.all_ids(limit=1) for service in self._target_services]
        ):
            raise TargetDiverged("it has requests, but no events")
        return named, present

    async def _existing_keys(self, named: Set[str], *, begun: bool) -> set[str]:
        """Return the keys that the target has. Raises TargetDiverged.

        An earlier run copied every stored document if an event could not be read then. Some of them may be orphans now, or even
        removed from the source; they are accepted if the target evidently has other documents and events of this source.
        """
        present = {key async for key in self._target.documents.keys(FAR_FUTURE)}
        own = named | {key async for key in self._source.documents.keys(FAR_FUTURE)}
        unknown = sorted(present - own)
        if unknown and not (begun and present & own):
            raise TargetDiverged(f"it has {len(unknown)} documents that no event here names, {unknown[0]} among them")
        return present

    async def _copy_log(self, copy: LogCopier) -> None:
        self._report.events_copied = await copy.copy(self._start_progress("events", copy.events + copy.repeats))

    async def _copy_documents(self, named: Mapping[str, ReferencedDocument], present: set[str]) -> None:
        advance = self._start_progress("documents", len(named))
        documents = DocumentCopier(self._source.documents, self._target.documents, present, progress=lambda: advance(1))
        self._report.documents = await documents.copy(named.values())

    async def _copy_office(self) -> None:
        self._report.office_entries = await copy_entries(self._source.office, self._target.office)
        if not self._live:
            self._report.office_trouble = await compare_entries(self._source.office, self._target.office)

    async def _migrate_states(self) -> None:
        """Copy the states, then commit the offsets last: a service that started before would consume the whole log."""
        end_position = await self._target.log.end()
        migrations = [
            StoreMigration(
                source.runtime.executor.decider,
                source.runtime.store,
                target.runtime.store,
                self._target.log,
                live=self._live,
                lags=self._live and await self._source.log.lag(source.name) > 0,
            )
            for source, target in zip(self._source_services, self._target_services, strict=True)
        ]
        parked = {letter.event for migration in migrations for letter in await migration.dead_letters()}
        positions = await find_positions(self._target.log, parked)
        for migration in migrations:
            self._report.services.append(
                await migration.run(positions, self._start_progress(migration.report.service, self._report.events))
            )
        for service in self._target_services:
            await self._target.log.commit_offset(service.name, end_position)


async def _publish(services: Sequence[ServiceApp]) -> None:
    """Publish the outboxes; if another process publishes them too, that only causes duplicates.

    Raises:
        Failed: An event in an outbox is unreadable, so that the copy would lack it.
    """
    for service in services:
        if requests := await service.runtime.relay.sweep():
            raise Failed(f"Unreadable events of {len(requests)} requests wait in the outbox of {service.name}.")
        await service.runtime.relay.drain()


async def _has_pending_work(services: Sequence[ServiceApp]) -> bool:
    await _publish(services)
    waiting = [await service.runtime.store.unpublished(1) for service in services]
    behind = [await service.runtime.log.lag(service.name) for service in services]
    return any(waiting) or any(behind)


@contextlib.asynccontextmanager
async def _consuming(services: Sequence[ServiceApp]) -> AsyncIterator[None]:
    """Run the consumers of the services, and nothing else."""
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
            await service.runtime.dead_letters.stop()
