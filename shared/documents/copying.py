"""Documents copied from one store into another under their keys, each read back there and its hash checked."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from shared.documents.audit import hash_of
from shared.documents.naming import NamedDocument
from shared.documents.port import DocumentMissing, DocumentStore

ABREAST = 12
IN_MEMORY = 1024 * 1024
"""Bytes of a document that are held in memory; the rest of a larger one is in a temporary file."""


@dataclass(slots=True)
class Copied:
    """What became of the documents: `present` were there and whole already; `trouble` has a line for each that is not whole."""

    copied: int = 0
    present: int = 0
    bytes: int = 0
    trouble: list[str] = field(default_factory=list)


class DocumentCopy:
    """Copies what is missing or damaged in the target. Raises StoreUnavailable; then it may be run again."""

    def __init__(
        self,
        source: DocumentStore,
        target: DocumentStore,
        present: set[str],
        progress: Callable[[], None] = lambda: None,
    ):
        """`present` are the keys that the target has."""
        self._source, self._target, self._present, self._progress = source, target, present, progress
        self.done = Copied()

    async def copy(self, documents: Iterable[NamedDocument]) -> Copied:
        waiting = iter(documents)
        workers = [asyncio.create_task(self._work(waiting)) for _ in range(ABREAST)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return self.done

    async def _work(self, waiting: Iterator[NamedDocument]) -> None:
        for document in waiting:
            if document.key in self._present and await self._is_whole(document):
                self.done.present += 1
            elif trouble := await self._copy(document):
                self.done.trouble.append(f"document {document.id} ({document.key}) {trouble}")
            else:
                self.done.copied += 1
            self._progress()

    async def _copy(self, document: NamedDocument) -> str:
        """What is wrong with it, "" if it arrived whole."""
        digest, size = hashlib.sha256(), 0
        with SpooledTemporaryFile(IN_MEMORY) as file:
            try:
                async for piece in await self._source.open(document.key):
                    digest.update(piece)
                    size += file.write(piece)
            except DocumentMissing:
                return "is missing where it comes from"
            sha256 = digest.hexdigest()
            if document.sha256 and (size, sha256) != (document.size, document.sha256):
                return "is damaged where it comes from"
            await self._target.put_as(document.key, cast(BinaryIO, file))
        if await hash_of(self._target, document.key) != sha256:
            return "did not arrive whole"
        self.done.bytes += size
        return ""

    async def _is_whole(self, document: NamedDocument) -> bool:
        """Whether the target has it as it was promised, or as the source has it if no event says how it must be."""
        wanted = document.sha256 or await hash_of(self._source, document.key)
        return wanted is not None and await hash_of(self._target, document.key) == wanted
