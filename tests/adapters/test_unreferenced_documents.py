"""The sweep removes no document that a stored, queued or unreadable event may reference."""

from __future__ import annotations

import json
import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from shared.clock import random_id
from shared.documents.folder import FolderDocumentStore
from shared.documents.orphan_sweep import SweepResult, sweep_orphans
from shared.documents.references import (
    KeySearch,
    ReferencesUnknown,
    documents_to_copy,
    referenced_documents,
    referenced_keys,
)
from shared.eventlog.port import EventLog, LogUnavailable
from shared.eventlog.sqlite.log import SqliteEventLog
from shared.storage.port import OutboxEntry, StateStore, Write
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.adapters.state_records import COLUMNS, NOW, dead_letter, make_write, save_write

KEY = "53212c37-cada-5ebe-a0fc-5c3aed141d86"


def event_of(*keys: str, version: int = 1, kind: str = "RequestSubmitted", **data: Any) -> bytes:
    """Build an event of a given version that references documents."""
    documents = [
        {"id": random_id(), "kind": "letter", "name": "a.pdf", "size": 1, "media_type": "x", "sha256": "y", "key": key}
        for key in keys
    ]
    envelope = {"specversion": "1.0", "id": "1", "source": "intake", "type": kind, "subject": "s", "sequence": "1"}
    told = {**envelope, "schemaversion": version, "data": {"documents": documents, **data}}
    return json.dumps(told).encode()


def with_field(field: bytes) -> bytes:
    return event_of().replace(b'"documents"', field + b', "documents"')


def saved_with(subject: str, *events: bytes) -> Write:
    write = make_write(subject)
    entries = tuple(OutboxEntry(subject, f"{subject}-{place}", event) for place, event in enumerate(events))
    return Write(write.record, write.columns, outbox=entries)


class Office:
    """A real log, real stores of two services and a real folder of documents."""

    def __init__(self, folder: Path) -> None:
        self.file = SqliteDatabase(folder / "simpul.db")
        self.log: EventLog = SqliteEventLog(self.file)
        self.stores: list[StateStore] = [
            SqliteStateStore(self.file, name, COLUMNS, lambda: NOW) for name in ("verification", "assignment")
        ]
        self.documents = FolderDocumentStore(folder / "documents", random_id)

    async def prepare(self) -> None:
        await self.log.prepare()
        for store in self.stores:
            await store.prepare()

    async def put(self, age_hours: float = 30) -> str:
        key = (await self.documents.put(BytesIO(b"%PDF-1"), lambda _: "application/pdf", limit=100)).key
        stored_at = (datetime.now(UTC) - timedelta(hours=age_hours)).timestamp()
        os.utime(self.documents.path_of(key), times=(stored_at, stored_at))
        return key

    async def there(self) -> set[str]:
        return {key async for key in self.documents.keys(datetime(9999, 1, 1, tzinfo=UTC))}

    async def sweep(self) -> SweepResult:
        async def referenced(keys: list[str]) -> set[str]:
            return await referenced_keys(keys, self.log, self.stores)

        return await sweep_orphans(self.documents, referenced, datetime.now(UTC))


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Office]:
    office = Office(folder)
    try:
        await office.prepare()
        yield office
    finally:
        office.file.close()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path) as prepared:
        yield prepared


EVENTS = {
    "an event that breaks its contract": lambda key: event_of(key, number=[]),
    "an event of a newer version": lambda key: event_of(key, version=99),
    "an event of a newer type": lambda key: event_of(key, kind="AnnexAdded"),
    "a field that a newer program added": lambda key: event_of(annexes=[{"key": key}]),
    "a list of keys": lambda key: event_of(keys=[[key]]),
    "a field's name": lambda key: event_of(sizes={key: 1}),
    "a text around the key": lambda key: event_of(text=f"lihat\n{key}, halaman 2"),
    "a key written with escapes": lambda key: with_field(b'"x": "\\u%04x%s"' % (ord(key[0]), key[1:].encode())),
    "the first of two equal fields": lambda key: with_field(b'"key": "%s", "key": ""' % key.encode()),
    "an event without an envelope": lambda key: json.dumps([key]).encode(),
}


PLACES = [("log", what) for what in EVENTS] + [(place, "a list of keys") for place in ("outbox", "parked", "discarded")]


@pytest.mark.parametrize(("place", "what"), PLACES)
async def test_a_document_that_any_event_might_reference_is_not_swept(office: Office, place: str, what: str):
    named, orphan = await office.put(), await office.put()
    event = EVENTS[what](named)
    if place == "log":
        await office.log.append([("s", event)])
    elif place == "outbox":
        await save_write(office.stores[1], saved_with("a", event))
        await office.log.append([("s", event_of())])
    else:
        await office.stores[1].park([dead_letter(1, event=event, state=place)])
    assert await office.sweep() == SweepResult(orphans=1, unfinished=0)
    assert await office.there() == {named}
    assert orphan != named


@pytest.mark.parametrize("before", [True, False])
async def test_an_event_that_moves_from_outbox_to_log_during_the_search_is_found(office: Office, before: bool):
    named, event, outbox = await office.put(), "a-0", office.stores[0]
    await save_write(outbox, saved_with("a", event_of(named)))
    await office.log.append([("s", event_of())])

    async def publish() -> None:
        await office.log.append([("a", event_of(named))])
        await outbox.remove_published([event])

    class PublishedMeanwhile(SqliteStateStore):
        async def unpublished(self, limit: int, after: tuple[str, str] | None = None) -> list[OutboxEntry]:
            if before:
                await publish()
            found = await super().unpublished(limit, after)
            if not before:
                await publish()
            return found

    office.stores[0] = PublishedMeanwhile(office.file, "verification", COLUMNS, lambda: NOW)
    await office.sweep()
    assert await office.there() == {named}


@pytest.mark.parametrize("event", [b"\x1f\x8b\x08 packed", event_of(KEY)[:-40], b"[" * 100_000, b'{"key": "%'])
async def test_nothing_is_swept_while_an_event_is_not_json(office: Office, event: bytes):
    key = await office.put()
    await office.log.append([("s", event)])
    with pytest.raises(ReferencesUnknown, match="no JSON"):
        await office.sweep()
    await office.stores[0].park([dead_letter(1, event=event)])
    with pytest.raises(ReferencesUnknown, match="no JSON"):
        await office.sweep()
    assert await office.there() == {key}


async def test_an_event_that_is_not_json_is_ignored_once_it_is_discarded_everywhere(office: Office):
    named, orphan = await office.put(), await office.put()
    event = event_of(named)[:-3]
    assert named.encode() in event
    await office.log.append([("s", event)])
    for store in office.stores:
        await store.park([dead_letter(1, event=event)])
    await office.stores[0].resolve("verification:1", discarded=True)
    with pytest.raises(ReferencesUnknown):
        await office.sweep()
    await office.stores[1].resolve("verification:1", discarded=True)
    assert await office.sweep() == SweepResult(orphans=1, unfinished=0)
    assert await office.there() == {named}
    assert orphan != named


async def test_nothing_is_swept_while_an_outbox_has_an_unreadable_event(office: Office):
    key = await office.put()
    await save_write(office.stores[0], saved_with("a", b"{"))
    with pytest.raises(ReferencesUnknown, match="outbox"):
        await office.sweep()
    assert await office.there() == {key}


async def test_nothing_is_swept_if_the_log_has_lost_its_events(office: Office):
    key = await office.put()
    await save_write(office.stores[0], make_write("a"))
    with pytest.raises(ReferencesUnknown, match="empty"):
        await office.sweep()
    assert await office.there() == {key}


async def test_nothing_is_swept_while_the_log_is_unavailable(office: Office):
    key = await office.put()
    await office.log.append([(f"{number}", event_of()) for number in range(3)])

    class BreaksOff(SqliteEventLog):
        async def read(self, after: str = "", up_to: str = "") -> AsyncIterator[Sequence[Any]]:
            async for batch in super().read(after, up_to):
                yield batch[:1]
                raise LogUnavailable("gone")

    office.log = BreaksOff(office.file)
    with pytest.raises(LogUnavailable):
        await office.sweep()
    assert await office.there() == {key}


async def test_aborted_uploads_are_removed_even_while_references_are_unknown(office: Office):
    key = await office.put()
    broken = office.documents.path_of(key).with_name("document-x.part")
    broken.write_bytes(b"setengah")
    os.utime(broken, times=(0, 0))
    await office.log.append([("s", b"{")])
    with pytest.raises(ReferencesUnknown):
        await office.sweep()
    assert not broken.exists()


async def test_other_files_in_the_folder_do_not_stop_a_sweep(office: Office):
    key = await office.put()
    stranger = office.documents.path_of(key).with_name("x.txt")
    stranger.write_bytes(b"")
    os.utime(stranger, times=(0, 0))
    assert (await office.sweep()).orphans == 1
    assert stranger.exists()


@pytest.mark.parametrize("seed", range(12))
async def test_sweeps_at_any_time_remove_no_referenced_document(tmp_path: Path, seed: int):
    """Random histories: documents are referenced within 20 hours or never, and their events wait in outboxes for days.

    Event versions mix, and sweeps run in between.
    """
    luck = random.Random(seed)
    named: dict[str, str] = {}
    waiting: list[tuple[StateStore, str, bytes]] = []
    async with opened(tmp_path) as office:
        await office.log.append([("s", event_of())])
        for step in range(30):
            match luck.randrange(5):
                case 0:
                    await office.put(luck.choice((1, 19, 25, 100)))
                case 1:
                    # Held files are at most 20 hours old when they are referenced; the time in an outbox does not count.
                    key = await office.put(luck.uniform(0, 20))
                    event = EVENTS[luck.choice(list(EVENTS))](key)
                    store, subject = luck.choice(office.stores), f"r{step}"
                    await save_write(store, saved_with(subject, event))
                    waiting.append((store, subject, event))
                    named[key] = subject
                    stored_at = (datetime.now(UTC) - timedelta(hours=luck.choice((20, 30, 300)))).timestamp()
                    os.utime(office.documents.path_of(key), times=(stored_at, stored_at))
                case 2 if waiting:
                    store, subject, event = waiting.pop(0)
                    await office.log.append([(subject, event)])
                    await store.remove_published([f"{subject}-0"])
                case _:
                    await office.sweep()
            assert named.keys() <= await office.there()


async def test_a_copy_of_the_log_includes_every_document_that_an_event_might_reference(office: Office):
    sure, newer, queued, orphan = [await office.put() for _ in range(4)]
    await office.log.append([("s", event_of(sure)), ("t", event_of(annexes=[newer]))])
    await save_write(office.stores[0], saved_with("a", event_of(queued)))
    upto = await office.log.end()
    copied = await documents_to_copy(office.log, office.documents, office.stores, upto)
    assert {document.key for document in copied} == {sure, newer, queued}
    await office.log.append([("s", b"no json")])
    upto = await office.log.end()
    copied = await documents_to_copy(office.log, office.documents, office.stores, upto)
    assert {document.key for document in copied} == {sure, newer, queued, orphan}


async def test_events_of_every_version_reference_their_documents(office: Office):
    await office.log.append([("s", event_of("document-1", number=[])), ("t", event_of("document-2", version=7))])
    assert {document.key async for document in referenced_documents(office.log)} == {"document-1", "document-2"}


def test_a_key_is_found_within_other_characters():
    search = KeySearch([KEY])
    assert search.scan([b'"' + b"x" * 200 + KEY.encode() + b"_" * 90 + b'"']) == []
    assert search.referenced == {KEY}


def test_the_search_is_linear_in_untrusted_input():
    steps = 0

    class Counted(dict[bytes, str]):
        def get(self, *given: Any) -> Any:
            nonlocal steps
            steps += 1
            return super().get(*given)

    search = KeySearch([KEY])
    search._keys = Counted(search._keys)
    search.scan([b'"' + b"a" * 100_000 + b'"'])
    assert steps <= 100_000


async def test_every_log_and_store_finds_references_of_its_events(log: EventLog, store: StateStore):
    keys = [random_id() for _ in range(5)]
    logged, queued, parked, discarded, orphan = keys
    await log.append([("s", event_of(annexes=[logged], version=99))])
    await save_write(
        store, *(saved_with(f"r{number}", event_of()) for number in range(5)), saved_with("a", event_of(queued))
    )
    await store.park(
        [dead_letter(1, event=event_of(parked)), dead_letter(2, event=event_of(discarded), state="discarded")]
    )
    assert await referenced_keys(keys, log, [store]) == set(keys) - {orphan}
    await log.append([("t", event_of(orphan)[:-3])])
    with pytest.raises(ReferencesUnknown):
        await referenced_keys(keys, log, [store])
