"""Damage to a SQLite file, as a bad disk or a bad copy leaves it, is detected."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import apsw
import pytest

from shared.storage.port import StoreUnavailable
from shared.storage.sqlite.connection import find_damage
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.adapters.state_records import COLUMNS, NOW, make_write

GARBAGE = b"\xa5\x5a\x13\x37" * 1024


async def filled_file(path: Path) -> None:
    """Return a file with some hundred records and outbox entries, closed, so that all of it is in one file."""
    file = SqliteDatabase(path)
    store = SqliteStateStore(file, "intake", COLUMNS, lambda: NOW)
    await store.prepare()
    await store.save([make_write(f"{number:04d}", events=[f"e{number}"], status="submitted") for number in range(400)])
    file.close()


def overwrite(path: Path, *pages: int) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * len(GARBAGE))
            file.write(GARBAGE)


def overwrite_middle(path: Path) -> None:
    middle = path.stat().st_size // len(GARBAGE) // 2
    overwrite(path, *range(middle, middle + 8))


def root_of(path: Path, name: str) -> int:
    connection = apsw.Connection(str(path))
    page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name=?", (name,)).fetchone()
    connection.close()
    assert page
    return int(page[0])


async def ready(path: Path) -> None:
    file = SqliteDatabase(path)
    try:
        await SqliteStateStore(file, "intake", COLUMNS, lambda: NOW).ready()
    finally:
        file.close()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    place = tmp_path / "simpul.db"
    await filled_file(place)
    return place


async def test_an_intact_file_is_ready_and_keeps_nothing_of_the_readiness_check(path: Path):
    await ready(path)
    file = SqliteDatabase(path)
    store = SqliteStateStore(file, "intake", COLUMNS, lambda: NOW)
    for _ in range(2):
        await store.ready()
    assert len(await store.all_ids()) == 400
    assert len(await store.unpublished(1000)) == 400
    assert await store.dead_letters() == []
    assert await store.latest_change() == "400"
    assert await file.check(True) == []
    await store.ready()
    file.close()
    assert find_damage(path, thorough=True) == []


@pytest.mark.parametrize(
    "name", ["intake_documents", "intake_documents_by_status_submitted_at", "intake_outbox", "intake_letters"]
)
async def test_a_store_whose_table_or_index_is_damaged_is_not_ready(path: Path, name: str):
    overwrite(path, root_of(path, name))
    with pytest.raises(StoreUnavailable, match="malformed"):
        await ready(path)


@pytest.mark.parametrize("thorough", [False, True])
async def test_damage_in_the_middle_is_found(path: Path, thorough: bool):
    overwrite_middle(path)
    assert find_damage(path, thorough=thorough)
    file = SqliteDatabase(path)
    assert await file.check(thorough)
    with pytest.raises(StoreUnavailable, match="damaged"):
        await file.ready()
    file.close()


async def test_a_file_with_known_damage_is_not_ready(path: Path):
    overwrite(path, root_of(path, "intake_documents_by_number"))
    file = SqliteDatabase(path)
    await file.ready()
    with pytest.raises(StoreUnavailable):
        await SqliteStateStore(file, "intake", COLUMNS, lambda: NOW).save([make_write("new")])
    with pytest.raises(StoreUnavailable, match="damaged"):
        await file.ready()
    file.close()


async def test_a_file_that_a_check_finds_intact_is_ready_again(path: Path):
    """A disk error may be transient."""
    shutil.copy(path, path.with_suffix(".whole"))
    overwrite_middle(path)
    file = SqliteDatabase(path)
    assert await file.check()
    shutil.copyfile(path.with_suffix(".whole"), path)
    assert await file.check() == []
    await file.ready()
    file.close()


async def test_an_index_without_entries_is_found_only_by_the_thorough_check(path: Path):
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA writable_schema=ON")
    connection.execute("UPDATE sqlite_schema SET sql=replace(sql, 'status, ', 'unit, ') WHERE name LIKE '%by_status%'")
    connection.close()
    assert find_damage(path) == []
    assert find_damage(path, thorough=True)


@pytest.mark.parametrize("size", [100, 4096 * 3 + 7])
def test_a_truncated_file_is_damaged(path: Path, size: int):
    os.truncate(path, size)
    assert find_damage(path)
