"""How far each group has come, as the SQLite event log keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.eventlog.sqlite_positions import Positions
from shared.storage.sqlite_file import SqliteFile


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    opened = SqliteFile(tmp_path / "simpul.db")
    await Positions(opened).prepare()
    yield opened
    opened.close()


async def test_a_group_begins_at_the_start(file: SqliteFile):
    assert Positions(file).of("intake") == 0


async def test_a_position_never_goes_back(file: SqliteFile):
    for position in (5, 3):
        positions = Positions(file)
        positions.commit("intake", position)
        await positions.settle()
    assert Positions(file).of("intake") == 5


async def test_a_position_is_known_before_it_is_written(file: SqliteFile):
    positions = Positions(file)
    positions.commit("intake", 5)
    assert (positions.of("intake"), Positions(file).of("intake")) == (5, 0)
    await positions.settle()
    assert Positions(file).of("intake") == 5


async def test_settling_a_closed_file_loses_no_more_than_the_position(file: SqliteFile):
    positions = Positions(file)
    positions.commit("intake", 5)
    file.close()
    await positions.settle()


async def test_a_position_that_waits_to_be_committed_is_not_put_back(file: SqliteFile):
    positions = Positions(file)
    positions.commit("intake", 5)
    await positions.commit_now("intake", 3)
    assert Positions(file).of("intake") == 5
