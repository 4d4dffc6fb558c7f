"""Audit: is every document that the log names there, whole, with the hash that was promised?"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable

from shared.contracts.envelope import from_bytes
from shared.contracts.facts import DocumentRef
from shared.contracts.registry import Unreadable
from shared.documents.port import DocumentMissing, DocumentStore
from shared.eventlog.port import EventLog


async def named_documents(log: EventLog, upto: str = "") -> AsyncIterator[DocumentRef]:
    """Every document that an event names up to this end of the log, each once."""
    known: set[str] = set()
    async for batch in log.read(upto=upto):
        for record in batch:
            if b'"documents"' not in record.value:
                continue
            try:
                fact = from_bytes(record.value).fact
            except Unreadable:
                continue
            for document in getattr(fact, "documents", ()):
                if document.key not in known:
                    known.add(document.key)
                    yield document


async def audit(log: EventLog, store: DocumentStore, progress: Callable[[], None] = lambda: None) -> list[str]:
    """A line for each document that is missing or not what it was."""
    trouble: list[str] = []
    async for document in named_documents(log):
        progress()
        if (found := await hash_of(store, document.key)) != document.sha256:
            trouble.append(f"document {document.id} ({document.key}) is {'damaged' if found else 'missing'}")
    return trouble


async def hash_of(store: DocumentStore, key: str) -> str | None:
    """The SHA-256 of what is stored under this key, None if nothing is."""
    digest = hashlib.sha256()
    try:
        async for piece in await store.open(key):
            digest.update(piece)
    except DocumentMissing:
        return None
    return digest.hexdigest()
