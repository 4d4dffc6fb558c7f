"""Behaviour of the folder store alone: full disks and removed folders."""

import os
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from shared.documents.folder import FolderDocumentStore
from shared.documents.port import StoreUnavailable
from tests.adapters.test_document_store import content_of, put
from tests.support.adapters.document_stores import files_under, new_keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "documents"


@pytest.fixture
def store(folder: Path) -> FolderDocumentStore:
    return FolderDocumentStore(folder, new_keys())


async def test_a_store_without_free_space_is_not_ready(folder: Path):
    assert not await FolderDocumentStore(folder, str, min_free_bytes=2**60).ready()


async def test_a_store_recovers_after_its_folder_was_removed(store: FolderDocumentStore, folder: Path):
    await put(store, b"isi")
    shutil.rmtree(folder)
    key = "document-0001"
    for _ in range(2):
        try:
            key = await put(store, b"isi lagi")
        except StoreUnavailable:
            continue
    assert await content_of(store, key) == b"isi lagi"


async def test_the_remains_of_a_killed_copy_do_not_block_the_next(store: FolderDocumentStore, folder: Path):
    await store.put_as("document-0001", BytesIO(b"isi"))
    whole = store.path_of("document-0001")
    whole.rename(whole.with_name(f"{whole.name}.part"))
    await store.put_as("document-0001", BytesIO(b"isi"))
    assert [path.name for path in files_under(folder)] == ["document-0001"]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of one MiB, if the machine provides one."""
    folder = Path(os.environ.get("SIMPUL_TEST_SMALL_DISK", ""))
    if not folder.name:
        pytest.skip("SIMPUL_TEST_SMALL_DISK names no small file system")
    yield folder / "documents"
    shutil.rmtree(folder / "documents", ignore_errors=True)


async def test_a_full_file_system_refuses_and_recovers(small_disk: Path):
    store = FolderDocumentStore(small_disk, new_keys(), min_free_bytes=0)
    kept = [await put(store, os.urandom(300_000)) for _ in range(2)]
    with pytest.raises(StoreUnavailable):
        await put(store, os.urandom(900_000))
    assert sorted(path.name for path in files_under(small_disk)) == sorted(kept)
    assert len(await content_of(store, kept[0])) == 300_000
    await store.delete(kept[0])
    await put(store, os.urandom(300_000))
