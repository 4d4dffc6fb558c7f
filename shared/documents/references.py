"""Finds references to documents in events: certain ones with their hashes, and keys that any event might name."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from shared.documents.port import DocumentStore
from shared.eventlog.port import EventLog
from shared.runtime.outbox import outbox_pages
from shared.storage.port import StateStore

FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)
"""Later than the time of any document."""
_KEY_RUN = re.compile(rb"[A-Za-z0-9_-]{8,}")
"""A run of key characters that is at least as long as the shortest key."""


class ReferencesUnknown(Exception):
    """The references of an event cannot be determined, so no document may be removed; the message says why."""


@dataclass(frozen=True, slots=True)
class ReferencedDocument:
    """A document that an event names: `size` in bytes, `sha256` in lower-case hex; -1 and "" if an event only might name it."""

    id: str
    key: str
    size: int
    sha256: str


async def referenced_documents(log: EventLog, up_to: str = "") -> AsyncIterator[ReferencedDocument]:
    """Yield every document that an event names up to this position of the log, each once.

    The raw JSON is searched without a schema, so that events and fields of newer versions are included.
    """
    known: set[str] = set()
    async for batch in log.read(up_to=up_to):
        for record in batch:
            for document in references_in(record.value):
                if document.key not in known:
                    known.add(document.key)
                    yield document


def references_in(event: bytes) -> Iterator[ReferencedDocument]:
    """Yield every reference to a document in the JSON of an event; none if it is not JSON."""
    if b'"sha256"' not in event:
        return
    try:
        tree = from_json(event)
    except ValueError:
        return
    for value in _values(tree):
        match value:
            case {"id": str(name), "key": str(key), "size": int(size), "sha256": str(sha256)}:
                yield ReferencedDocument(name, key, size, sha256)


async def referenced_keys(
    keys: Collection[str], log: EventLog, stores: Sequence[StateStore], up_to: str = ""
) -> set[str]:
    """Return those of the keys that an event might name: in the log up to this position, in an outbox or in a dead letter.

    The outboxes are read before the log, because events move from them into it.
    Raises: ReferencesUnknown, LogUnavailable, StoreUnavailable.
    """
    search = KeySearch(keys)
    discarded = await _search_stores(search, stores)
    end = up_to or await log.end()
    if not end and any([await store.all_ids(limit=1) for store in stores]):
        raise ReferencesUnknown("The event log is empty although there are requests: is it the right log?")
    async for batch in log.read(up_to=end):
        for unreadable in await asyncio.to_thread(search.scan, [record.value for record in batch]):
            if batch[unreadable].value not in discarded:
                raise ReferencesUnknown(
                    f"The event at {batch[unreadable].position} is no JSON, so it cannot be said which documents it names."
                    " Look at it with `simpul events verify`; once its dead letter is discarded it is passed over."
                )
    return search.referenced


async def documents_to_copy(
    log: EventLog, store: DocumentStore, stores: Sequence[StateStore], up_to: str
) -> list[ReferencedDocument]:
    """Return the documents that belong to a copy of the log up to this position.

    These are the documents that the log names and stored ones that any event might name; if that cannot be determined, all
    stored documents.
    """
    referenced = {document.key: document async for document in referenced_documents(log, up_to)} if up_to else {}
    others = {key async for key in store.keys(FAR_FUTURE)} - referenced.keys()
    with contextlib.suppress(ReferencesUnknown):
        others = await referenced_keys(others, log, stores, up_to)
    return [*referenced.values(), *(ReferencedDocument(key, key, -1, "") for key in sorted(others))]


async def _search_stores(search: KeySearch, stores: Sequence[StateStore]) -> set[bytes]:
    """Search outboxes and dead letters; return the discarded events that are not parked elsewhere."""
    discarded, parked = set[bytes](), set[bytes]()
    for store in stores:
        async for entries in outbox_pages(store):
            if await asyncio.to_thread(search.scan, [entry.event for entry in entries]):
                raise ReferencesUnknown("An event that waits in an outbox cannot be read.")
        for letter in await store.dead_letters(states=("parked", "discarded")):
            (discarded if letter.state == "discarded" else parked).add(letter.event)
    await asyncio.to_thread(search.scan, [*discarded, *parked])
    return discarded - parked


class KeySearch:
    """Searches events of any version for these keys; a key that occurs anywhere in an event is `referenced`."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = {key.encode(): key for key in keys}
        self._lengths = sorted({len(key) for key in self._keys})
        self.referenced: set[str] = set()

    def scan(self, events: Sequence[bytes]) -> list[int]:
        """Search events; return the indexes of those that are not JSON, whose raw bytes only were searched."""
        return [index for index, event in enumerate(events) if not self._scan_event(event)]

    def _scan_event(self, event: bytes) -> bool:
        self._search_text(event)
        try:
            from_json(event or b"null")
            if b"\\" in event:
                # A key may contain escapes, and parsers keep only the last of several equal fields.
                for text in _texts(json.loads(event, object_pairs_hook=_all_pairs)):
                    self._search_text(text.encode(errors="replace"))
        except ValueError:
            return False
        return True

    def _search_text(self, text: bytes) -> None:
        for run in _KEY_RUN.findall(text):
            for length in self._lengths:
                for start in range(len(run) - length + 1):
                    if key := self._keys.get(run[start : start + length]):
                        self.referenced.add(key)


def _all_pairs(pairs: list[tuple[str, Any]]) -> list[Any]:
    return [part for pair in pairs for part in pair]


def _texts(tree: Any) -> Iterator[str]:
    return (value for value in _values(tree) if isinstance(value, str))


def _values(tree: Any) -> Iterator[Any]:
    """Yield every value in parsed JSON, without recursion, because untrusted JSON can be nested deeply."""
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
