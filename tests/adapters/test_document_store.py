"""Conformance suite of document stores, run against every implementation."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from tempfile import SpooledTemporaryFile

import pytest

from shared.documents.minio import PART_BYTES
from shared.documents.orphan_sweep import SweepResult, sweep_orphans
from shared.documents.port import (
    DocumentMissing,
    DocumentRefused,
    DocumentStore,
    StoreUnavailable,
    TooLarge,
)
from tests.support.adapters.document_stores import StoreLocation, s3_servers, unprepared_location

__all__ = ["s3_servers", "unprepared_location"]

LIMIT = 12_000_000
"""More than two parts of an S3 upload."""
FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
DAY = timedelta(hours=24)


def as_text(_: object) -> str:
    return "text/plain"


@pytest.fixture
async def place(unprepared_location: StoreLocation) -> AsyncIterator[StoreLocation]:
    await unprepared_location.prepare()
    yield unprepared_location
    await unprepared_location.close()


@pytest.fixture
def store(place: StoreLocation) -> DocumentStore:
    return place.store


async def nothing_stays(store: DocumentStore) -> bool:
    """Check that there is neither a document nor the remains of an upload."""
    return await everything_in(store) == [] and await store.discard_unfinished(FAR_FUTURE) == 0


async def everything_in(store: DocumentStore) -> list[str]:
    return [key async for key in store.keys(older_than=FAR_FUTURE)]


async def put(store: DocumentStore, content: bytes) -> str:
    return (await store.put(BytesIO(content), as_text, limit=LIMIT)).key


async def content_of(store: DocumentStore, key: str) -> bytes:
    return b"".join([piece async for piece in await store.open(key)])


@pytest.mark.parametrize("size", [1, 65_536, 262_144, 262_145, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, LIMIT])
async def test_a_document_comes_back_as_it_was_put(store: DocumentStore, size: int):
    content = os.urandom(size)
    stored = await store.put(BytesIO(content), as_text, limit=LIMIT)
    assert (stored.size, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert stored.media_type == "text/plain"
    assert await content_of(store, stored.key) == content
    assert (await store.stat(stored.key)).size == size


async def test_an_upload_is_stored_from_its_start_and_stays_open(store: DocumentStore):
    with SpooledTemporaryFile(max_size=10) as upload:
        upload.write(b"isi dokumen persyaratan")
        stored = await store.put(upload, as_text, limit=LIMIT)  # type: ignore[arg-type]
        assert not upload.closed
    assert await content_of(store, stored.key) == b"isi dokumen persyaratan"


async def test_concurrent_uploads_do_not_mix(store: DocumentStore):
    contents = [bytes([n]) * 70_000 for n in range(20)]
    keys = await asyncio.gather(*[put(store, content) for content in contents])
    assert [await content_of(store, key) for key in keys] == contents


RANGES = [
    (0, None),
    (0, 1),
    (0, 262_144),
    (1, 262_144),
    (262_143, 2),
    (262_144, 262_145),
    (65_536, None),
    (PART_BYTES - 1, 2),
    (PART_BYTES + 9, 1),
    (PART_BYTES + 9, 1000),
    (PART_BYTES + 10, 5),
    (10**9, None),
    (5, 10**12),
]


async def test_a_range_of_a_document_is_read_from_its_offset(store: DocumentStore):
    content = os.urandom(PART_BYTES + 10)
    key = await put(store, content)
    for offset, length in RANGES:
        pieces = await store.open(key, offset, length)
        wanted = content[offset:] if length is None else content[offset : offset + length]
        assert b"".join([piece async for piece in pieces]) == wanted, (offset, length)


async def test_an_empty_document_has_no_chunks(store: DocumentStore):
    await store.put_as("dokumen-kosong-0001", BytesIO(b""))
    for offset, length in ((0, 1), (0, None), (7, 3)):
        assert [piece async for piece in await store.open("dokumen-kosong-0001", offset, length)] == []


async def test_a_range_of_an_unknown_document_is_missing(store: DocumentStore):
    with pytest.raises(DocumentMissing):
        await store.open("document-9999", 5, 10)


@pytest.mark.parametrize("size", [0, 1, PART_BYTES + 1])
async def test_a_document_of_another_store_keeps_its_key(store: DocumentStore, size: int):
    content, source = os.urandom(size), BytesIO()
    source.write(content)
    await store.put_as("dari-tempat-lain-0001", source)
    assert await content_of(store, "dari-tempat-lain-0001") == content
    assert await everything_in(store) == ["dari-tempat-lain-0001"]
    assert not source.closed


async def test_a_document_of_another_store_replaces_the_stored_one(store: DocumentStore):
    for content in (b"rusak", b"utuh dan lebih panjang"):
        await store.put_as("dari-tempat-lain-0002", BytesIO(content))
    assert await content_of(store, "dari-tempat-lain-0002") == b"utuh dan lebih panjang"
    assert await store.discard_unfinished(FAR_FUTURE) == 0


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "a/b-c-d-e-f", "x" * 101])
async def test_an_invalid_key_of_another_store_is_refused(store: DocumentStore, key: str):
    with pytest.raises(DocumentMissing):
        await store.put_as(key, BytesIO(b"isi"))
    assert await nothing_stays(store)


async def test_an_oversized_document_is_refused_and_not_stored(store: DocumentStore):
    with pytest.raises(TooLarge) as refusal:
        await store.put(BytesIO(b"x" * 101), as_text, limit=100)
    assert (refusal.value.code, refusal.value.limit) == ("too_large", 100)
    assert await nothing_stays(store)


class Growing(BytesIO):
    """A file that declares a small size and returns four times the limit."""

    given = 0

    def seek(self, *_: int) -> int:
        return 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = b"x" * min(size or 0, 65_536) if self.given < 4 * LIMIT else b""
        self.given += len(piece)
        return piece


async def test_the_size_is_counted_while_reading_and_not_declared(store: DocumentStore):
    with pytest.raises(TooLarge):
        await store.put(Growing(), as_text, limit=LIMIT)
    assert await nothing_stays(store)


async def test_a_file_that_inspection_refuses_is_not_stored(store: DocumentStore):
    def refuse(_: object) -> str:
        raise DocumentRefused("program", "Berkas ini adalah program.")

    with pytest.raises(DocumentRefused, match="program"):
        await store.put(BytesIO(b"MZ"), refuse, limit=LIMIT)
    assert await nothing_stays(store)


@pytest.mark.parametrize("key", ["document-9999", "../../etc/passwd", "", "a/../../b-document", "document\x00-01"])
async def test_an_unknown_document_is_missing(store: DocumentStore, key: str):
    with pytest.raises(DocumentMissing):
        await store.open(key)
    with pytest.raises(DocumentMissing):
        await store.stat(key)


async def test_a_deleted_document_is_missing_and_can_be_deleted_again(store: DocumentStore):
    key = await put(store, b"isi")
    await store.delete(key)
    await store.delete(key)
    with pytest.raises(DocumentMissing):
        await store.open(key)


async def test_a_store_with_free_space_is_ready(store: DocumentStore):
    assert await store.ready()


class Failing(BytesIO):
    """A file whose copy fails in the middle like a full disk."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > PART_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().read(size)


async def test_a_full_disk_is_reported_and_nothing_stays(store: DocumentStore):
    kept = await put(store, b"sudah tersimpan")
    with pytest.raises(StoreUnavailable):
        await store.put(Failing(b"x" * 2 * PART_BYTES), as_text, limit=LIMIT)
    assert await everything_in(store) == [kept]
    assert await store.discard_unfinished(FAR_FUTURE) == 0
    assert await content_of(store, kept) == b"sudah tersimpan"


async def test_only_old_documents_are_listed_for_the_sweep(place: StoreLocation):
    old = await put(place.store, b"lama")
    now = await asyncio.to_thread(place.age_everything)
    await put(place.store, b"baru")
    assert [key async for key in place.store.keys(older_than=now - DAY)] == [old]


class Register:
    """Returns referenced keys and records the sizes of the calls."""

    def __init__(self, *named: str) -> None:
        self.named, self.asked = set(named), list[int]()

    async def __call__(self, keys: list[str]) -> set[str]:
        self.asked.append(len(keys))
        return self.named & set(keys)


async def test_the_sweep_removes_day_old_orphans_and_no_referenced_document(place: StoreLocation):
    store = place.store
    named, orphan = await put(store, b"disebut"), await put(store, b"yatim")
    now = await asyncio.to_thread(place.age_everything)
    young = await put(store, b"baru saja")
    assert await sweep_orphans(store, Register(named), now) == SweepResult(orphans=1, unfinished=0)
    assert await content_of(store, named) == b"disebut"
    assert await content_of(store, young) == b"baru saja"
    with pytest.raises(DocumentMissing):
        await store.open(orphan)


async def test_the_sweep_removes_uploads_aborted_by_a_crash(place: StoreLocation):
    key = await put(place.store, b"isi")
    await asyncio.to_thread(place.abort_upload)
    assert await everything_in(place.store) == [key]
    now = await asyncio.to_thread(place.age_everything)
    assert await sweep_orphans(place.store, Register(key), now) == SweepResult(orphans=0, unfinished=1)
    assert await place.store.discard_unfinished(FAR_FUTURE) == 0
    assert await everything_in(place.store) == [key]


async def test_a_running_upload_is_not_swept(place: StoreLocation):
    now = await asyncio.to_thread(place.age_everything)
    await asyncio.to_thread(place.abort_upload)
    assert await sweep_orphans(place.store, Register(), now) == SweepResult(orphans=0, unfinished=0)


async def test_the_sweep_lists_candidates_before_it_asks_for_references(place: StoreLocation):
    await asyncio.gather(*(put(place.store, b"isi") for _ in range(1002)))
    now = await asyncio.to_thread(place.age_everything)
    register = Register()
    assert (await sweep_orphans(place.store, register, now)).orphans == 1002
    assert register.asked == [1002]
    assert await nothing_stays(place.store)


async def test_a_document_that_becomes_old_during_the_sweep_is_not_swept(place: StoreLocation):
    old = await put(place.store, b"lama")
    now = await asyncio.to_thread(place.age_everything)
    late: list[str] = []

    async def reading_takes_a_day(_: list[str]) -> set[str]:
        late.append(await put(place.store, b"disebut sesudah itu"))
        await asyncio.to_thread(place.age_everything)
        return set()

    assert (await sweep_orphans(place.store, reading_takes_a_day, now)).orphans == 1
    assert await everything_in(place.store) == late != [old]


async def test_nothing_is_swept_when_references_are_unknown(place: StoreLocation):
    key = await put(place.store, b"isi")
    now = await asyncio.to_thread(place.age_everything)

    async def silent(_: list[str]) -> set[str]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await sweep_orphans(place.store, silent, now)
    assert await content_of(place.store, key) == b"isi"


async def test_a_reader_can_stop_in_the_middle(store: DocumentStore):
    key = await put(store, os.urandom(2 * PART_BYTES))
    for _ in range(40):
        pieces = await store.open(key)
        assert len(await anext(pieces))
        await pieces.aclose()  # type: ignore[attr-defined]
    assert len(await content_of(store, key)) == 2 * PART_BYTES
