"""A write-through cache of a service's state records."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from cachetools import TTLCache

from shared.storage.port import SaveOutcome, Scalar, StateRecord, StateStore, Write
from shared.workers.messages import WorkerMessages

CACHE_TTL_SECONDS = 10.0
"""After this time another process may well have changed a record."""
MAX_CACHED_RECORDS = 2_000

Versions = dict[str, int]


class StateCache:
    """Loads and saves the records of one service, and caches what was last read or written.

    A cached record may be stale. A decision on it is saved with its version, so the store detects a stale one; before a
    command is refused, the record is read again from the store.

    The cache never goes back to an older version: each read in progress tracks the versions that became known after it
    began, because its own result may be older, and the newer record may have been evicted meanwhile.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._records: TTLCache[str, StateRecord] = TTLCache(MAX_CACHED_RECORDS, CACHE_TTL_SECONDS, _now)
        self._reads: list[Versions] = []
        self._messages, self._topic = WorkerMessages(), ""

    def share(self, service: str, messages: WorkerMessages) -> None:
        """Exchange with other workers which records were saved, so that few decisions are made on a stale one."""
        self._messages, self._topic = messages, f"saved {service}"
        messages.subscribe(self._topic, self._on_saved_elsewhere)

    def _on_saved_elsewhere(self, text: str) -> None:
        request_id, _, version = text.rpartition(" ")
        self._drop_before(request_id, int(version))

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        """Read records from the store."""
        if not ids:
            return {}
        with self._tracked_read() as newer:
            stored = await self._store.load(ids)
            self._put_all(stored.values(), newer)
        return stored

    async def find_one(self, column: str, value: Scalar) -> StateRecord | None:
        """Read the record with this value in a unique column from the store."""
        with self._tracked_read() as newer:
            record = await self._store.find_one(column, value)
            if record is not None:
                self._put_all([record], newer)
        return record

    def get_cached(self, request_id: str) -> StateRecord | None:
        """Return a record from the cache, possibly stale."""
        return self._records.get(request_id)

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        """Save records in the store and update the cache."""
        outcomes = await self._store.save(writes)
        for write, outcome in zip(writes, outcomes, strict=True):
            record = write.record
            if outcome is SaveOutcome.SAVED:
                self._put(record)
                self._messages.send(self._topic, f"{record.id} {record.version}")
            elif outcome is SaveOutcome.CONFLICT:
                # The stored version is at least the one that could not be written.
                self._drop_before(record.id, record.version)
            else:
                self._records.pop(record.id, None)
        return outcomes

    @contextmanager
    def _tracked_read(self) -> Iterator[Versions]:
        newer: Versions = {}
        self._reads.append(newer)
        try:
            yield newer
        finally:
            # By identity: two reads with the same versions are equal.
            self._reads = [read for read in self._reads if read is not newer]

    def _put_all(self, records: Iterable[StateRecord], newer: Versions) -> None:
        for record in records:
            if record.version >= newer.get(record.id, 0):
                self._put(record)

    def _put(self, record: StateRecord) -> None:
        self._report_version(record.id, record.version)
        cached = self.get_cached(record.id)
        if cached is None or cached.version <= record.version:
            self._records[record.id] = record

    def _drop_before(self, request_id: str, version: int) -> None:
        self._report_version(request_id, version)
        cached = self.get_cached(request_id)
        if cached is not None and cached.version < version:
            self._records.pop(request_id, None)

    def _report_version(self, request_id: str, version: int) -> None:
        for newer in self._reads:
            newer[request_id] = max(version, newer.get(request_id, 0))


def _now() -> float:
    return asyncio.get_running_loop().time()
