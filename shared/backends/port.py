"""One half of the design's table: the ports that keep things, opened together by the embedded or the distributed mode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.documents.port import DocumentStore
from shared.eventlog.port import EventLog
from shared.identity.accounts import AccountStore
from shared.storage.port import Column, StateStore

StateStoreFactory = Callable[[str, Sequence[Column]], StateStore]
"""The state store of a service by its name and the columns that it finds documents by."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Everything that is kept, and where."""

    log: EventLog
    documents: DocumentStore
    accounts: AccountStore
    state_store: StateStoreFactory
    prepare: Callable[[], Awaitable[None]]
    """Makes what belongs to no service and must be there before any starts. Raises if it cannot be made."""
    close: Callable[[], Awaitable[None]]
    check: Callable[[bool], Awaitable[list[str]]]
    """Looks for damage in what is kept, thoroughly or not, a line for each finding; engines look after themselves."""
    single_process: bool
    """Each service has one process, which may take up at once what an earlier one left in hand."""
