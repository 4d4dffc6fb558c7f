"""A service's documents, loaded and saved; what this process met last is kept, to begin from without asking the store again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from shared.storage.port import SaveOutcome, Scalar, StateRecord, StateStore, Write

CACHE_TTL_SECONDS = 10.0
"""Seconds for which a document is taken to be likely as it was; after that another process may well have changed it."""
MAX_CACHED_RECORDS = 2_000

Versions = dict[str, int]


class StateCache:
    """Loads, saves, and recalls.

    What is recalled was stored a moment ago, and somebody may have changed it since. Whoever decides on it saves with its
    version, which shows whether it still stands; whoever would say no because of it asks the store first.

    What is kept never goes back to an older version: every read that is under way remembers the versions that became known
    after it began, because its own answer may be older, and the newer one may have been evicted meanwhile.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._entries: OrderedDict[str, tuple[float, StateRecord]] = OrderedDict()
        self._reads: list[Versions] = []

    async def load(self, ids: Sequence[str]) -> dict[str, StateRecord]:
        """The documents as they are stored now."""
        with self._reading() as newer:
            stored = await self._store.load(ids)
            self._put_all(stored.values(), newer)
        return stored

    async def find_one(self, column: str, value: Scalar) -> StateRecord | None:
        """The document with this value in a unique column, as it is stored now."""
        with self._reading() as newer:
            document = await self._store.find_one(column, value)
            if document is not None:
                self._put_all([document], newer)
        return document

    def recent(self, request_id: str) -> StateRecord | None:
        """A document as this process met it last, if that was a moment ago."""
        at, document = self._entries.get(request_id, (0.0, None))
        return document if document is not None and _now() - at < CACHE_TTL_SECONDS else None

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        outcomes = await self._store.save(writes)
        for write, outcome in zip(writes, outcomes, strict=True):
            document = write.document
            if outcome is SaveOutcome.SAVED:
                self._put(document)
            elif outcome is SaveOutcome.CONFLICT:
                # What is stored has at least the version that could not be written.
                self._drop_before(document.id, document.version)
            else:
                self._entries.pop(document.id, None)
        return outcomes

    @contextmanager
    def _reading(self) -> Iterator[Versions]:
        newer: Versions = {}
        self._reads.append(newer)
        try:
            yield newer
        finally:
            # By identity: two reads that learned the same are equal.
            self._reads = [read for read in self._reads if read is not newer]

    def _put_all(self, documents: Iterable[StateRecord], newer: Versions) -> None:
        for document in documents:
            if document.version >= newer.get(document.id, 0):
                self._put(document)

    def _put(self, document: StateRecord) -> None:
        """Keep what was just read or written, unless a newer version is kept."""
        self._report_version(document.id, document.version)
        recent = self.recent(document.id)
        if recent is not None and recent.version > document.version:
            return
        self._entries[document.id] = _now(), document
        self._entries.move_to_end(document.id)
        if len(self._entries) > MAX_CACHED_RECORDS:
            self._entries.popitem(last=False)

    def _drop_before(self, request_id: str, version: int) -> None:
        self._report_version(request_id, version)
        kept = self._entries.get(request_id)
        if kept is not None and kept[1].version < version:
            del self._entries[request_id]

    def _report_version(self, request_id: str, version: int) -> None:
        for newer in self._reads:
            newer[request_id] = max(version, newer.get(request_id, 0))


def _now() -> float:
    return asyncio.get_running_loop().time()
