"""Copies documents between stores under the same keys and verifies the hash of each copy."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from shared.documents.audit import stored_sha256
from shared.documents.port import DocumentMissing, DocumentStore
from shared.documents.references import ReferencedDocument

MAX_CONCURRENCY = 12
MAX_BYTES_IN_MEMORY = 1024 * 1024
"""Larger documents are buffered in a temporary file."""


@dataclass(slots=True)
class CopyResult:
    """Result of a copy: `present` counts intact documents that were already there; `trouble` has a line per failed one."""

    copied: int = 0
    present: int = 0
    bytes: int = 0
    trouble: list[str] = field(default_factory=list)


class DocumentCopier:
    """Copies the documents that are missing or damaged in the target.

    Raises: StoreUnavailable; the copy can then be run again.
    """

    def __init__(
        self,
        source: DocumentStore,
        target: DocumentStore,
        present: set[str],
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Create a copier; `present` are the keys that the target has."""
        self._source = source
        self._target = target
        self._present = present
        self._progress = progress
        self.done = CopyResult()

    async def copy(self, documents: Iterable[ReferencedDocument]) -> CopyResult:
        waiting = iter(documents)
        workers = [asyncio.create_task(self._work(waiting)) for _ in range(MAX_CONCURRENCY)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return self.done

    async def _work(self, waiting: Iterator[ReferencedDocument]) -> None:
        for document in waiting:
            if document.key in self._present and await self._is_intact(document):
                self.done.present += 1
            elif trouble := await self._copy_document(document):
                self.done.trouble.append(f"document {document.id} ({document.key}) {trouble}")
            else:
                self.done.copied += 1
            self._progress()

    async def _copy_document(self, document: ReferencedDocument) -> str:
        """Copy one document and return what went wrong, "" on success."""
        digest, size = hashlib.sha256(), 0
        with SpooledTemporaryFile(MAX_BYTES_IN_MEMORY) as file:
            try:
                async for chunk in await self._source.open(document.key):
                    digest.update(chunk)
                    size += file.write(chunk)
            except DocumentMissing:
                return "is missing where it comes from"
            sha256 = digest.hexdigest()
            if document.sha256 and (size, sha256) != (document.size, document.sha256):
                return "is damaged where it comes from"
            await self._target.put_as(document.key, cast(BinaryIO, file))
        if await stored_sha256(self._target, document.key) != sha256:
            return "did not arrive whole"
        self.done.bytes += size
        return ""

    async def _is_intact(self, document: ReferencedDocument) -> bool:
        """Whether the target's document has the hash that the event gives, or else the hash of the source's document."""
        wanted = document.sha256 or await stored_sha256(self._source, document.key)
        return wanted is not None and await stored_sha256(self._target, document.key) == wanted
