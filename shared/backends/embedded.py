"""The embedded backend: a folder with one SQLite database and the documents."""

from __future__ import annotations

from collections.abc import Sequence

from shared.backends.port import Backend
from shared.clock import Clock, NewId
from shared.documents.folder import FolderDocumentStore
from shared.eventlog.sqlite.log import SqliteEventLog
from shared.identity.sqlite import SqliteAccountStore
from shared.office.sqlite import SqliteOfficeStore
from shared.settings import Settings
from shared.storage.port import Column, StateStore
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from shared.workers.messages import WorkerMessages


def open_backend(settings: Settings, clock: Clock, new_id: NewId, messages: WorkerMessages | None = None) -> Backend:
    """Open the database; `messages` reach the other workers. Raises OSError or StoreUnavailable if it cannot be used."""
    file = SqliteDatabase(settings.database, messages)

    def state_store(service: str, columns: Sequence[Column]) -> StateStore:
        return SqliteStateStore(file, service, columns, clock)

    async def prepare() -> None:
        await log.prepare()
        await accounts.prepare()
        await office.prepare()

    async def close() -> None:
        file.close()

    log, accounts, office = SqliteEventLog(file), SqliteAccountStore(file), SqliteOfficeStore(file, clock)
    return Backend(
        log=log,
        documents=FolderDocumentStore(settings.documents, new_id),
        accounts=accounts,
        office=office,
        state_store=state_store,
        prepare=prepare,
        close=close,
        check=file.check,
        bulk_load=file.bulk_load,
        exclusive=True,
    )
