"""Wraps a document store with metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import BinaryIO

from prometheus_client import Counter

from shared.documents.port import (
    DocumentInfo,
    DocumentMissing,
    DocumentRefused,
    DocumentStore,
    MediaTypeDetector,
    StoredDocument,
    StoreUnavailable,
)

DOCUMENTS = Counter("simpul_documents_total", "Documents by outcome", ["outcome"])
BYTES = Counter("simpul_document_bytes_total", "Bytes of documents", ["direction"])

for _outcome in ("stored", "opened", "missing", "refused", "failed"):
    DOCUMENTS.labels(_outcome)


class InstrumentedDocumentStore:
    """Counts the calls of a store; files that are refused before they reach the store are counted where they are refused."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def put(self, source: BinaryIO, inspect: MediaTypeDetector, *, limit: int) -> StoredDocument:
        try:
            stored = await self._store.put(source, inspect, limit=limit)
        except DocumentRefused:
            DOCUMENTS.labels("refused").inc()
            raise
        except StoreUnavailable:
            DOCUMENTS.labels("failed").inc()
            raise
        DOCUMENTS.labels("stored").inc()
        BYTES.labels("in").inc(stored.size)
        return stored

    async def put_as(self, key: str, source: BinaryIO) -> None:
        await self._store.put_as(key, source)

    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        try:
            chunks = await self._store.open(key, offset, length)
        except DocumentMissing:
            DOCUMENTS.labels("missing").inc()
            raise
        except StoreUnavailable:
            DOCUMENTS.labels("failed").inc()
            raise
        DOCUMENTS.labels("opened").inc()
        return _count_bytes(chunks)

    async def stat(self, key: str) -> DocumentInfo:
        return await self._store.stat(key)

    async def delete(self, key: str) -> None:
        await self._store.delete(key)

    def keys(self, older_than: datetime) -> AsyncIterator[str]:
        return self._store.keys(older_than)

    async def discard_unfinished(self, older_than: datetime) -> int:
        return await self._store.discard_unfinished(older_than)

    async def ready(self) -> bool:
        return await self._store.ready()


async def _count_bytes(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    counter = BYTES.labels("out")
    async for chunk in chunks:
        counter.inc(len(chunk))
        yield chunk
