"""A store and a log of every implementation, each in a place of its own that can be opened again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from shared.eventlog.port import EventLog
from shared.storage.port import StateStore
from tests.contracts.adapters import LOGS, STORES, OpenLog, OpenStore


@pytest.fixture(params=STORES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    return partial(STORES[request.param], tmp_path)


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[StateStore]:
    async with open_store("verification") as opened:
        await opened.prepare()
        await opened.prepare()
        yield opened


@pytest.fixture(params=LOGS)
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> OpenLog:
    return partial(LOGS[request.param], tmp_path)


@pytest.fixture
async def log(open_log: OpenLog) -> AsyncIterator[EventLog]:
    async with open_log() as opened:
        await opened.prepare()
        await opened.prepare()
        yield opened
