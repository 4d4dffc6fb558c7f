"""The port of the state store: records saved with an expected version, each write atomic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Literal, Protocol

Scalar = str | int | bool | None
Progress = Callable[[int], None]
"""Called with the number of records that were done since the last call."""

COLUMNS_VERSION = "columns_version"
"""An integer column with the version of the rules by which a record's columns were derived; absent in older records."""
COLUMNS_OF = "columns_of"
"""The version of the record for which its columns were derived; a program without COLUMNS_VERSION leaves an earlier one."""


class StoreUnavailable(Exception):
    """The store cannot be reached or cannot write now; nothing was written in part, or the outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Subset:
    """An index over the records in which a column is 1, by `keys`; "id" stands for the id, which else follows the keys."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A value outside the body by which records are found or ordered.

    `ordered_by` names the columns by which lists of one value of this column are ordered; these lists need no sort.
    A column that is only ordered by in other columns' lists is not `indexed` itself. `subsets` are indexes over the records in
    which this column is 1. A list of one value of this column may also be `filtered_with` others, and ordered by any column; what
    few records have these values is then found and sorted. The values of a column rise with those that it `follows`, give or take
    a day, so that limits of the latter limit a list in its order too.
    """

    name: str
    kind: Literal["text", "integer"] = "text"
    unique: bool = False
    ordered_by: tuple[str, ...] = ()
    indexed: bool = True
    subsets: tuple[Subset, ...] = ()
    filtered_with: tuple[str, ...] = ()
    follows: str = ""


def sortable_time(time: datetime | None) -> str | None:
    """Return the time in UTC with fixed precision, so that text order is time order."""
    return time.astimezone(UTC).isoformat(timespec="microseconds") if time else None


@dataclass(frozen=True, slots=True)
class ProcessedCommand:
    """A command that was executed: its id, the digest of its content, and its result."""

    id: str
    digest: str
    status: str
    version: int


@dataclass(frozen=True, slots=True)
class StateRecord:
    """The stored state of a request. `version` 0 means that it is not stored yet; `body` is a JSON object.

    `seen` is the last sequence folded per source, the own service included. `latest` is the greatest time of an event in it
    (ISO 8601, "" before the first), so that the next event is not dated before its causes.
    """

    id: str
    version: int = 0
    body: bytes = b""
    seen: Mapping[str, int] = field(default_factory=dict)
    commands: tuple[ProcessedCommand, ...] = ()
    latest: str = ""


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A saved event that may not be in the log yet."""

    subject: str
    event_id: str
    event: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """The next version of a record, valid only if `record.version - 1` is stored; its entries are added to the outbox.

    Of a stored record, only a write that is `migrated` changes COLUMNS_VERSION: any other may continue what older rules folded.
    """

    record: StateRecord
    columns: Mapping[str, Scalar]
    due_at: datetime | None = None
    outbox: tuple[OutboxEntry, ...] = ()
    migrated: bool = False


class SaveOutcome(Enum):
    """The result of a write."""

    SAVED = "saved"
    CONFLICT = "conflict"
    """Another writer saved this version first."""
    UNIQUE_VIOLATION = "taken"
    """A unique column holds this value in another record."""


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """A page of a list, paginated by key: records ordered by (`order`, id), after or before a key.

    `where` holds equal values or, in a tuple, alternatives; `at_least` selects stored values not smaller than this, `below`
    smaller ones. Each word of `search` must occur in the column `search`: one of three or more characters anywhere, one of two
    at the beginning of a word, a single character as a word.
    """

    order: str
    where: Mapping[str, Scalar | tuple[Scalar, ...]] = field(default_factory=dict)
    at_least: Mapping[str, Scalar] = field(default_factory=dict)
    below: Mapping[str, Scalar] = field(default_factory=dict)
    search: str = ""
    after: tuple[Scalar, str] | None = None
    before: tuple[Scalar, str] | None = None
    limit: int = 50
    descending: bool = False

    @property
    def reads_ascending(self) -> bool:
        """Whether rows are read in ascending order; those before a key are read from the key backwards."""
        return self.descending == (self.before is not None)

    def opposite(self, edge: tuple[Scalar, str] | None) -> RecordQuery | None:
        """Return the query for the other side of `edge`, the first row read; None if the list starts at its beginning."""
        if self.after is None and self.before is None:
            return None
        return replace(self, after=edge if self.before else None, before=None if self.before else edge)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """The records of a page in order, the (order, id) key of each, and whether there are more on either side."""

    records: tuple[StateRecord, ...]
    keys: tuple[tuple[Scalar, str], ...]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class BoundedCount:
    """How many records match; unless `is_exact`, at least so many do. As text it is like 17, or 5000+."""

    number: int
    is_exact: bool = True

    def __str__(self) -> str:
        return f"{self.number}" if self.is_exact else f"{self.number}+"

    def __bool__(self) -> bool:
        return self.number > 0

    def __add__(self, other: BoundedCount) -> BoundedCount:
        return BoundedCount(self.number + other.number, self.is_exact and other.is_exact)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A record reached this version; `cursor` is where to resume after a lost connection."""

    cursor: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that could not be folded, or that waits behind one."""

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
    """The records, outbox, dead letters and changes of one service.

    Every method may raise StoreUnavailable. Conformance suite: tests/adapters/test_state_store.py.
    """

    async def prepare(self, *, for_lists: bool = True) -> None:
        """Create tables or indexes; does nothing if they exist.

        Without those `for_lists`, many records are saved in less time, and `prepare` creates the rest.
        """

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        """Return the stored records among these ids."""

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        """Write each record separately, atomically with its outbox entries, and durably before this returns."""

    async def find(self, query: RecordQuery) -> RecordPage:
        """Return a page of records."""

    async def find_one(self, column: str, value: Scalar) -> StateRecord | None:
        """Return the record with this value in a column, which should be unique."""

    async def greatest(self, column: str, prefix: str) -> str | None:
        """Return the greatest text in this column that starts with the prefix."""

    async def count(self, query: RecordQuery) -> int:
        """Count the records that match the conditions and `search`; limit and keys are ignored."""

    async def bounded_count(self, query: RecordQuery, before: tuple[Scalar, str] | None = None) -> BoundedCount:
        """Count like `count`, or only what precedes a key in the list, in time that does not grow with the records."""

    async def all_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """Return a page of the ids of all records, in order."""

    async def complete_search(self, progress: Progress) -> None:
        """Add records to the index of words that a program without it has written; searches read whole lists until then."""

    async def forget_overwritten(self, since: datetime | None = None) -> None:
        """Clear COLUMNS_VERSION in records last written by a program that does not know it.

        Only those written at `since` or later need to be examined; all of them if it is None.
        """

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Return the ids of records that are due, the longest due first."""

    async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
        """Return a page of the outbox, in the order in which it was saved."""

    async def unpublished_of(self, subjects: Sequence[str]) -> list[OutboxEntry]:
        """Return the outbox entries of these requests, those of each in the order in which they were saved."""

    async def remove_published(self, event_ids: Sequence[str]) -> None:
        """Remove entries from the outbox; if this is lost, their events are only published again."""

    async def changes(self, after: str, limit: int) -> list[StateChange]:
        """Return the records changed after the cursor, each once, oldest first; "" means from the beginning."""

    async def latest_change(self) -> str:
        """Return the cursor of the newest change."""

    async def wait_for_change(self, after: str, timeout: float) -> None:
        """Wait until something may have changed after the cursor, or for `timeout` seconds."""

    async def park(self, dead_letters: Sequence[DeadLetter], *, only_if_blocked: bool = False) -> bool:
        """Store dead letters durably; with `only_if_blocked`, only if the first one's subject still has a parked one.

        Returns whether they were stored.
        """

    async def parked_subjects(self) -> set[str]:
        """Return the requests with parked dead letters, whose later events must wait."""

    async def count_parked(self) -> int:
        """Count the parked dead letters."""

    async def dead_letters(
        self, *, subject: str | None = None, states: Sequence[str] = ("parked",)
    ) -> list[DeadLetter]:
        """Return dead letters in the order in which they were parked."""

    async def first_parked(self, reason: str) -> list[DeadLetter]:
        """Return the first parked dead letter of each request, if it was parked for this reason."""

    async def record_attempt(self, dead_letter_id: str, reason: str) -> None:
        """Record that a parked dead letter was replayed in vain, and why."""

    async def resolve(self, dead_letter_id: str, *, discarded: bool) -> None:
        """Remove a dead letter that was replayed, or mark it as discarded, so that no rebuild folds its event."""

    async def ready(self) -> None:
        """Return if the store answers and can write. Raises StoreUnavailable."""
