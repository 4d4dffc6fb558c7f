"""What every document store promises, held against each implementation."""

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from tempfile import SpooledTemporaryFile

import pytest

from shared.documents.folder import FolderDocumentStore
from shared.documents.port import (
    DocumentMissing,
    DocumentRefused,
    DocumentStore,
    StoreUnavailable,
    TooLarge,
)
from shared.documents.sweep import BATCH, Swept, sweep_orphans

LIMIT = 1_000_000
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
Age = Callable[[timedelta], None]


def as_text(_: object) -> str:
    return "text/plain"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "documents"


@pytest.fixture
def store(folder: Path) -> DocumentStore:
    numbers = count(1)
    return FolderDocumentStore(folder, lambda: f"document-{next(numbers):04d}")


@pytest.fixture
def everything_is_old(folder: Path) -> Age:
    def age(by: timedelta) -> None:
        for path in files_under(folder):
            os.utime(path, times=((NOW - by).timestamp(),) * 2)

    return age


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def put(store: DocumentStore, content: bytes) -> str:
    return (await store.put(BytesIO(content), as_text, limit=LIMIT)).key


async def content_of(store: DocumentStore, key: str) -> bytes:
    return b"".join([piece async for piece in await store.open(key)])


@pytest.mark.parametrize("size", [1, 65_536, 100_000, 262_144, 262_145, LIMIT])
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


async def test_uploads_at_once_do_not_mix(store: DocumentStore):
    contents = [bytes([n]) * 70_000 for n in range(20)]
    keys = await asyncio.gather(*[put(store, content) for content in contents])
    assert [await content_of(store, key) for key in keys] == contents


async def test_too_large_is_refused_and_nothing_stays(store: DocumentStore, folder: Path):
    with pytest.raises(TooLarge) as refusal:
        await store.put(BytesIO(b"x" * 101), as_text, limit=100)
    assert (refusal.value.code, refusal.value.limit) == ("too_large", 100)
    assert files_under(folder) == []


class Growing(BytesIO):
    """Says that it is small and then gives four times what is allowed."""

    given = 0

    def seek(self, *_: int) -> int:
        return 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.given += size or 0
        return b"x" * (size or 0) if self.given < 4 * LIMIT else b""


async def test_what_is_counted_is_what_is_read_not_what_is_said(store: DocumentStore, folder: Path):
    with pytest.raises(TooLarge):
        await store.put(Growing(), as_text, limit=LIMIT)
    assert files_under(folder) == []


async def test_a_file_that_inspection_refuses_is_not_stored(store: DocumentStore, folder: Path):
    def refuse(_: object) -> str:
        raise DocumentRefused("program", "Berkas ini adalah program.")

    with pytest.raises(DocumentRefused, match="program"):
        await store.put(BytesIO(b"MZ"), refuse, limit=LIMIT)
    assert files_under(folder) == []


@pytest.mark.parametrize("key", ["document-9999", "../../etc/passwd", "", "a/../../b-document", "document\x00-01"])
async def test_what_was_never_stored_is_missing(store: DocumentStore, key: str):
    with pytest.raises(DocumentMissing):
        await store.open(key)
    with pytest.raises(DocumentMissing):
        await store.stat(key)


async def test_a_deleted_document_is_missing_and_may_be_deleted_again(store: DocumentStore):
    key = await put(store, b"isi")
    await store.delete(key)
    await store.delete(key)
    with pytest.raises(DocumentMissing):
        await store.open(key)


async def test_a_store_with_room_is_ready(store: DocumentStore):
    assert await store.ready()


async def test_a_store_without_room_is_not_ready(folder: Path):
    assert not await FolderDocumentStore(folder, str, room=2**60).ready()


class FullDisk(BytesIO):
    """Lets the copy begin and then fails as a full disk does."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().read(size)


async def test_a_full_disk_is_told_plainly_and_nothing_stays(store: DocumentStore, folder: Path):
    kept = await put(store, b"sudah tersimpan")
    with pytest.raises(StoreUnavailable):
        await store.put(FullDisk(b"x" * 200_000), as_text, limit=LIMIT)
    assert [path.name for path in files_under(folder)] == [kept]
    assert await content_of(store, kept) == b"sudah tersimpan"


async def test_a_store_whose_folder_was_taken_away_works_again_when_asked_again(store: DocumentStore, folder: Path):
    await put(store, b"isi")
    shutil.rmtree(folder)
    key = "document-0001"
    for _ in range(2):
        try:
            key = await put(store, b"isi lagi")
        except StoreUnavailable:
            continue
    assert await content_of(store, key) == b"isi lagi"


async def test_only_old_documents_are_listed_for_the_sweep(store: DocumentStore, everything_is_old: Age):
    old = await put(store, b"lama")
    everything_is_old(timedelta(hours=30))
    await put(store, b"baru")
    assert [key async for key in store.keys(older_than=NOW - timedelta(hours=24))] == [old]


class Register:
    """What requests name, and in how large helpings it was asked."""

    def __init__(self, *named: str) -> None:
        self.named, self.asked = set(named), list[int]()

    async def __call__(self, keys: list[str]) -> set[str]:
        self.asked.append(len(keys))
        return self.named & set(keys)


async def test_the_sweep_takes_orphans_of_a_day_and_nothing_that_a_request_names(
    store: DocumentStore, everything_is_old: Age
):
    named, orphan = await put(store, b"disebut"), await put(store, b"yatim")
    everything_is_old(timedelta(hours=25))
    young = await put(store, b"baru saja")
    assert await sweep_orphans(store, Register(named), NOW) == Swept(orphans=1, unfinished=0)
    assert await content_of(store, named) == b"disebut"
    assert await content_of(store, young) == b"baru saja"
    with pytest.raises(DocumentMissing):
        await store.open(orphan)


async def test_the_sweep_takes_what_a_crash_left_of_an_upload(
    store: DocumentStore, folder: Path, everything_is_old: Age
):
    key = await put(store, b"isi")
    broken = files_under(folder)[0].with_name("document-x.part")
    broken.write_bytes(b"setengah")
    everything_is_old(timedelta(hours=25))
    assert await sweep_orphans(store, Register(key), NOW) == Swept(orphans=0, unfinished=1)
    assert [path.name for path in files_under(folder)] == [key]


async def test_the_sweep_asks_in_batches(store: DocumentStore, folder: Path, everything_is_old: Age):
    await put(store, b"isi")
    for n in range(BATCH + 1):
        (folder / "01" / f"another-{n:06d}01").write_bytes(b"")
    everything_is_old(timedelta(hours=25))
    register = Register()
    assert (await sweep_orphans(store, register, NOW)).orphans == BATCH + 2
    assert register.asked == [BATCH, 2]


async def test_nothing_is_swept_when_nobody_can_say_what_is_named(store: DocumentStore, everything_is_old: Age):
    key = await put(store, b"isi")
    everything_is_old(timedelta(hours=25))

    async def silent(_: list[str]) -> set[str]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await sweep_orphans(store, silent, NOW)
    assert await content_of(store, key) == b"isi"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of one MiB, where the machine gives one."""
    folder = Path(os.environ.get("SIMPUL_TEST_SMALL_DISK", ""))
    if not folder.name:
        pytest.skip("SIMPUL_TEST_SMALL_DISK names no small file system")
    yield folder / "documents"
    shutil.rmtree(folder / "documents", ignore_errors=True)


async def test_a_disk_that_is_really_full_refuses_and_recovers(small_disk: Path):
    numbers = count(1)
    store = FolderDocumentStore(small_disk, lambda: f"document-{next(numbers):04d}", room=0)
    kept = [await put(store, os.urandom(300_000)) for _ in range(2)]
    with pytest.raises(StoreUnavailable):
        await put(store, os.urandom(900_000))
    assert sorted(path.name for path in files_under(small_disk)) == sorted(kept)
    assert len(await content_of(store, kept[0])) == 300_000
    await store.delete(kept[0])
    await put(store, os.urandom(300_000))
