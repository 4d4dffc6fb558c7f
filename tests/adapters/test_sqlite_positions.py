"""Positions of consumer groups in SQLite."""

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


async def test_a_new_group_starts_at_zero(file: SqliteDatabase):
    assert GroupPositions(file).get_position("intake") == 0


async def test_a_position_never_decreases(file: SqliteDatabase):
    for position in (5, 3):
        positions = GroupPositions(file)
        positions.commit("intake", position)
        await positions.flush()
    assert GroupPositions(file).get_position("intake") == 5


async def test_an_uncommitted_position_is_visible_in_its_process(file: SqliteDatabase):
    positions = GroupPositions(file)
    positions.commit("intake", 5)
    assert (positions.get_position("intake"), GroupPositions(file).get_position("intake")) == (5, 0)
    await positions.flush()
    assert GroupPositions(file).get_position("intake") == 5


async def test_flushing_to_a_closed_file_raises_nothing(file: SqliteDatabase):
    positions = GroupPositions(file)
    positions.commit("intake", 5)
    file.close()
    await positions.flush()


async def test_an_immediate_commit_does_not_decrease_an_uncommitted_position(file: SqliteDatabase):
    positions = GroupPositions(file)
    positions.commit("intake", 5)
    await positions.commit_immediately("intake", 3)
    assert GroupPositions(file).get_position("intake") == 5
