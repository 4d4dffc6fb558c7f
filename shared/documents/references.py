"""Which documents events name: those that they name for certain, with their hashes, and those that they might name."""

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
"""All documents are older than this."""
_KEY_RUN = re.compile(rb"[A-Za-z0-9_-]{8,}")
"""Letters that a key is made of, as long as a key is at least."""


class ReferencesUnknown(Exception):
    """It cannot be said which documents events name, so that none may be removed; the text says why."""


@dataclass(frozen=True, slots=True)
class ReferencedDocument:
    """A document as an event names it: `size` in bytes, `sha256` in lower-case hex; -1 and "" if an event only might name it."""

    id: str
    key: str
    size: int
    sha256: str


async def referenced_documents(log: EventLog, up_to: str = "") -> AsyncIterator[ReferencedDocument]:
    """Every document that an event names up to this end of the log, each once.

    The JSON is searched and no contract asked, so that events of newer versions and fields that are not known yet count too.
    """
    known: set[str] = set()
    async for batch in log.read(up_to=up_to):
        for record in batch:
            for document in references_in(record.value):
                if document.key not in known:
                    known.add(document.key)
                    yield document


def references_in(event: bytes) -> Iterator[ReferencedDocument]:
    """Every reference to a document in an event's JSON; none in what is no JSON."""
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
    """Which of these keys any event might name, in the log up to this end, in an outbox or in a dead letter of `stores`.

    The outboxes are read before the log, as events go from them into it. Raises NamesUnknown, LogUnavailable and
    StoreUnavailable.
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
    """What a copy of the log up to this end must have beside it: every document that it names, and every stored one that any
    event might name; all that is stored, if that cannot be said.
    """
    referenced = {document.key: document async for document in referenced_documents(log, up_to)} if up_to else {}
    others = {key async for key in store.keys(FAR_FUTURE)} - referenced.keys()
    with contextlib.suppress(ReferencesUnknown):
        others = await referenced_keys(others, log, stores, up_to)
    return [*referenced.values(), *(ReferencedDocument(key, key, -1, "") for key in sorted(others))]


async def _search_stores(search: KeySearch, stores: Sequence[StateStore]) -> set[bytes]:
    """Returns the events that an administrator discarded and that wait nowhere."""
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
    """Looks for these keys in events, whatever their version: a key that stands anywhere in one is `named`."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = {key.encode(): key for key in keys}
        self._lengths = sorted({len(key) for key in self._keys})
        self.referenced: set[str] = set()

    def scan(self, events: Sequence[bytes]) -> list[int]:
        """Search these events; returns the places of those that are no JSON, of which only the plain bytes were searched."""
        return [index for index, event in enumerate(events) if not self._scan_event(event)]

    def _scan_event(self, event: bytes) -> bool:
        self._search_text(event)
        try:
            from_json(event or b"null")
            if b"\\" in event:
                # A key may be written with escapes; and of two equal fields every parser keeps the last alone.
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
    """Every value in parsed JSON; without recursion, as a stranger's may be nested deeply."""
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
