"""A service's documents, loaded and saved; what this process met last is kept, to begin from without asking the store again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from shared.storage.port import Document, Saved, StateStore, Write

FRESH = 10.0
"""Seconds for which a document is taken to be likely as it was; after that another process may well have changed it."""
MOST = 2_000


class Documents:
    """Loads, saves, and recalls.

    What is recalled was stored a moment ago, and somebody may have changed it since. Whoever decides on it saves with its
    version, which shows whether it still stands; whoever would say no because of it asks the store first.
    """

    def __init__(self, store: StateStore):
        self._store = store
        self._met: OrderedDict[str, tuple[float, Document]] = OrderedDict()

    async def load(self, ids: Sequence[str]) -> dict[str, Document]:
        """The documents as they are stored now."""
        stored = await self._store.load(ids)
        for document in stored.values():
            self.meet(document)
        return stored

    def recent(self, request_id: str) -> Document | None:
        """A document as this process met it last, if that was a moment ago."""
        at, document = self._met.get(request_id, (0.0, None))
        return document if document is not None and _now() - at < FRESH else None

    async def save(self, writes: Sequence[Write]) -> list[Saved]:
        outcomes = await self._store.save(writes)
        for write, outcome in zip(writes, outcomes, strict=True):
            if outcome is Saved.SAVED:
                self.meet(write.document)
            else:
                self._met.pop(write.document.id, None)
        return outcomes

    def meet(self, document: Document) -> None:
        """Keep what was just read or written."""
        self._met[document.id] = _now(), document
        self._met.move_to_end(document.id)
        if len(self._met) > MOST:
            self._met.popitem(last=False)


def _now() -> float:
    return asyncio.get_running_loop().time()
