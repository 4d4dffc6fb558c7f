"""Audit: is every document that the log names there, whole, with the hash that was promised?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from shared.documents.naming import named_documents
from shared.documents.port import DocumentMissing, DocumentStore
from shared.eventlog.port import EventLog


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
