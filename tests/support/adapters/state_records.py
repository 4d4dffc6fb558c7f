"""Builders of records and writes for tests of state stores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared.storage.port import (
    Column,
    DeadLetter,
    OutboxEntry,
    ProcessedCommand,
    SaveOutcome,
    Scalar,
    StateRecord,
    StateStore,
    Subset,
    Write,
)

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
SUBSETS = (
    Subset(("submitted_at", "id", "status", "unit", "due", "percent")),
    Subset(("status", "submitted_at", "id", "unit", "due", "percent")),
    Subset(("unit", "submitted_at")),
)
COLUMNS = (
    Column("number", unique=True, follows="submitted_at"),
    Column("status", ordered_by=("submitted_at",), filtered_with=("unit",)),
    Column("submitted_at"),
    Column("unit"),
    Column("due"),
    Column("percent", "integer"),
    Column("open", "integer", ordered_by=("unit", "due", "percent"), subsets=SUBSETS),
    Column("search"),
)


def make_write(
    name: str,
    version: int = 1,
    *,
    due_at: datetime | None = None,
    events: Sequence[str] = (),
    body: dict[str, Any] | None = None,
    **columns: Scalar,
) -> Write:
    """Return the write of one version of a record; its number is its id unless given."""
    record = StateRecord(
        id=name,
        version=version,
        body=json.dumps(body or {"version": version}).encode(),
        seen={"intake": version},
        commands=tuple(ProcessedCommand(f"{name}-{v}", "digest", "submitted", v) for v in range(1, version + 1)),
        latest=NOW.isoformat(),
    )
    outbox = tuple(OutboxEntry(name, event, b'{"event": "%s"}' % event.encode()) for event in events)
    return Write(record, {"number": name, **columns}, due_at, outbox)


def with_version(write: Write, version: int) -> Write:
    """Return the same write with another version."""
    return replace(write, record=replace(write.record, version=version))


async def save_write(store: StateStore, *writes: Write) -> None:
    assert await store.save(writes) == [SaveOutcome.SAVED] * len(writes)


async def version_of(store: StateStore, name: str) -> int:
    records = await store.load([name])
    return records[name].version if name in records else 0


def dead_letter(position: int, subject: str = "a", **changes: Any) -> DeadLetter:
    parked = DeadLetter(f"verification:{position}", "verification", subject, str(position), b"{}", "rusak", 5, NOW)
    return replace(parked, **changes)
