"""The state store as the runtime sees it: documents saved with the version they are expected to have, each write atomic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal, Protocol

Scalar = str | int | bool | None

COLUMNS_VERSION = "columns_version"
"""An integer column that says by which rules a document's columns were derived from its state; older documents have none."""
COLUMNS_OF = "columns_of"
"""The version of the document for which its columns were derived; a program that knows no COLUMNS_VERSION leaves an earlier one."""


class StoreUnavailable(Exception):
    """The store cannot be reached or cannot write now; nothing was half-done, or the outcome is not known."""


@dataclass(frozen=True, slots=True)
class Column:
    """A value outside the body that documents are found or ordered by.

    `ordered_by` names the column by which lists of one value of this column are mostly ordered: they then need no sorting.
    """

    name: str
    kind: Literal["text", "integer"] = "text"
    unique: bool = False
    ordered_by: str = ""


@dataclass(frozen=True, slots=True)
class ProcessedCommand:
    """An obeyed command: its id, a digest of what it asked for, and what it was answered."""

    id: str
    digest: str
    status: str
    version: int


@dataclass(frozen=True, slots=True)
class StateRecord:
    """A state document. `version` 0 means that it is not stored yet; `body` is a JSON object.

    `seen` is the last sequence folded per source, its own included; `latest` is the greatest time of an event in it, so that
    the next event of this request is never dated before what led to it (ISO 8601, "" before the first).
    """

    id: str
    version: int = 0
    body: bytes = b""
    seen: Mapping[str, int] = field(default_factory=dict)
    commands: tuple[ProcessedCommand, ...] = ()
    latest: str = ""


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A saved event that the log may not have yet."""

    subject: str
    event_id: str
    event: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """The next version of a document, valid only if `document.version - 1` is what is stored; the outbox only grows."""

    record: StateRecord
    columns: Mapping[str, Scalar]
    due_at: datetime | None = None
    outbox: tuple[OutboxEntry, ...] = ()


class SaveOutcome(Enum):
    SAVED = "saved"
    CONFLICT = "conflict"
    """Somebody else wrote this document first."""
    UNIQUE_VIOLATION = "taken"
    """A unique column holds this value in another document."""


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """A list by key: rows ordered by (`order`, id), those after or before a key.

    `where` holds equal values or, in a tuple, one of several; `below` means stored, and smaller than the value. Every word of
    `search` must occur in the column `search`.
    """

    order: str
    where: Mapping[str, Scalar | tuple[Scalar, ...]] = field(default_factory=dict)
    below: Mapping[str, Scalar] = field(default_factory=dict)
    search: str = ""
    after: tuple[Scalar, str] | None = None
    before: tuple[Scalar, str] | None = None
    limit: int = 50
    descending: bool = False


@dataclass(frozen=True, slots=True)
class RecordPage:
    """The documents of a page in order, the (order, id) of each, and whether there are more on either side."""

    records: tuple[StateRecord, ...]
    keys: tuple[tuple[Scalar, str], ...]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class StateChange:
    """A document reached this version; `cursor` is where to go on after a lost connection."""

    cursor: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that could not be folded, or had to wait behind one. `state` is parked or discarded."""

    id: str
    service: str
    subject: str
    position: str
    event: bytes
    reason: str
    tries: int
    parked_at: datetime
    state: Literal["parked", "discarded"] = "parked"


class StateStore(Protocol):
    """The documents, outbox, dead letters and changes of one service.

    Every call may raise StoreUnavailable. Contract suite: tests/adapters/test_state_store.py.
    """

    async def prepare(self) -> None:
        """Make tables or indexes; harmless when they are there."""

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        """The stored documents with these ids; those that are not stored are left out."""

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        """Write each document by itself, atomically with its outbox, and durably before this returns."""

    async def find(self, find: RecordQuery) -> RecordPage: ...

    async def find_one(self, column: str, value: Scalar) -> StateRecord | None:
        """The document with this value in a column, which should be a unique one."""

    async def greatest(self, column: str, prefix: str) -> str | None:
        """The greatest text in this column that starts with the prefix."""

    async def count(self, find: RecordQuery) -> int:
        """How many documents match `where`, `below` and `search`; limit and keys do not count."""

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """The ids of all documents in their order, a page at a time."""

    async def forget_overwritten(self, since: datetime | None = None) -> None:
        """Take COLUMNS_VERSION from documents that were last written by a program that does not know it.

        `since`: only those that were written then or later need to be looked at; None: all.
        """

    async def due(self, now: datetime, limit: int) -> list[str]:
        """The ids of documents that must be looked at by now, the longest due first."""

    async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
        """The outbox in the order in which it was saved."""

    async def unpublished_of(self, subjects: Sequence[str]) -> list[OutboxEntry]:
        """The outbox entries of these requests, those of each in the order in which they were saved."""

    async def remove_published(self, event_ids: Sequence[str]) -> None:
        """Forget these outbox entries; may be lost, which only repeats events."""

    async def changes(self, after: str, limit: int) -> list[StateChange]:
        """What changed after the cursor, each document once, oldest first; "" means from the beginning."""

    async def latest_change(self) -> str:
        """The cursor of the newest change."""

    async def wait_for_change(self, after: str, timeout: float) -> None:
        """Return when something may have changed after the cursor, or after `timeout` seconds."""

    async def park(self, dead_letters: Sequence[DeadLetter], *, only_if_blocked: bool = False) -> bool:
        """Keep dead letters durably. With `only_behind`, only if the subject of the first still has a parked one; says whether."""

    async def parked_subjects(self) -> set[str]:
        """The requests that have a parked dead letter, whose later events must wait."""

    async def count_parked(self) -> int:
        """How many dead letters are parked."""

    async def dead_letters(
        self, *, subject: str | None = None, states: Sequence[str] = ("parked",)
    ) -> list[DeadLetter]:
        """Dead letters in the order in which they were parked."""

    async def first_parked(self, reason: str) -> list[DeadLetter]:
        """The first parked dead letter of each request, of those that were parked for this reason."""

    async def record_attempt(self, dead_letter_id: str, reason: str) -> None:
        """A parked dead letter was tried once more, in vain, for this reason."""

    async def resolve(self, dead_letter_id: str, *, discarded: bool) -> None:
        """A dead letter was replayed, and goes, or was discarded, and is remembered so that no fold meets it again."""

    async def ready(self) -> None:
        """Return if the store answers and can write, else raise StoreUnavailable."""
