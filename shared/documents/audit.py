"""Checks that every document that the event log names is stored with the hash that the event gives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from shared.documents.port import DocumentMissing, DocumentStore
from shared.documents.references import referenced_documents
from shared.eventlog.port import EventLog


async def audit(log: EventLog, store: DocumentStore, progress: Callable[[], None] = lambda: None) -> list[str]:
    """Return one line for each document that is missing or damaged."""
    problems: list[str] = []
    async for document in referenced_documents(log):
        progress()
        if (found := await stored_sha256(store, document.key)) != document.sha256:
            problems.append(f"document {document.id} ({document.key}) is {'damaged' if found else 'missing'}")
    return problems


async def stored_sha256(store: DocumentStore, key: str) -> str | None:
    """Return the SHA-256 of the document stored under this key, None if there is none."""
    digest = hashlib.sha256()
    try:
        async for chunk in await store.open(key):
            digest.update(chunk)
    except DocumentMissing:
        return None
    return digest.hexdigest()
