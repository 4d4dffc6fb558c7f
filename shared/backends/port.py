"""A backend: the storage adapters of one mode, opened together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from shared.documents.port import DocumentStore
from shared.eventlog.port import EventLog
from shared.identity.accounts import AccountStore
from shared.office.port import OfficeStore
from shared.storage.port import Column, StateStore

StateStoreFactory = Callable[[str, Sequence[Column]], StateStore]
"""Return the state store of a service, given its name and its indexed columns."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The adapters that store data."""

    log: EventLog
    documents: DocumentStore
    accounts: AccountStore
    office: OfficeStore
    state_store: StateStoreFactory
    prepare: Callable[[], Awaitable[None]]
    """Create what belongs to no service and must exist before any starts."""
    close: Callable[[], Awaitable[None]]
    check: Callable[[bool], Awaitable[list[str]]]
    """Look for damaged data, thoroughly or not, and return one line per finding; engines check themselves."""
    bulk_load: Callable[[], AbstractAsyncContextManager[None]]
    """Fill what is empty faster, while nothing else uses it; a crash meanwhile may damage it."""
    exclusive: bool
    """The background work of a service has one process, which may recover at its start what an earlier one left in flight."""
