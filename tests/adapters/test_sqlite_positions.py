"""How far each group has come, as the SQLite event log keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.eventlog.sqlite.positions import GroupPositions
from shared.storage.sqlite.database import SqliteDatabase


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "simpul.db")
    await GroupPositions(opened).prepare()
    yield opened
    opened.close()


async def test_a_group_begins_at_the_start(file: SqliteDatabase):
    assert GroupPositions(file).get_position("intake") == 0


async def test_a_position_never_goes_back(file: SqliteDatabase):
    for position in (5, 3):
        positions = GroupPositions(file)
        positions.commit("intake", position)
        await positions.flush()
    assert GroupPositions(file).get_position("intake") == 5


async def test_a_position_is_known_before_it_is_written(file: SqliteDatabase):
    positions = GroupPositions(file)
    positions.commit("intake", 5)
    assert (positions.get_position("intake"), GroupPositions(file).get_position("intake")) == (5, 0)
    await positions.flush()
    assert GroupPositions(file).get_position("intake") == 5


async def test_settling_a_closed_file_loses_no_more_than_the_position(file: SqliteDatabase):
    positions = GroupPositions(file)
    positions.commit("intake", 5)
    file.close()
    await positions.flush()


async def test_a_position_that_waits_to_be_committed_is_not_put_back(file: SqliteDatabase):
    positions = GroupPositions(file)
    positions.commit("intake", 5)
    await positions.commit_immediately("intake", 3)
    assert GroupPositions(file).get_position("intake") == 5
