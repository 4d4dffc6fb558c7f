"""A store and a log of every implementation, each in a place of its own that can be opened again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from pymongo import MongoClient

from shared.eventlog.port import EventLog
from shared.storage.port import StateStore
from tests.support.adapters.stores_and_logs import LOGS, STORES, OpenLog, OpenStore, kafka_log, mongo_store
from tests.support.engines import kafka, mongo
from tests.support.engines.engine_process import EngineUnavailable, skip


@pytest.fixture(scope="session")
def mongo_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the one MongoDB that the tests of this process share."""
    try:
        with mongo.running(tmp_path_factory.mktemp("mongo")) as address:
            yield address
    except EngineUnavailable as reason:
        skip(reason)


@pytest.fixture
def mongo_database(mongo_address: str) -> Iterator[tuple[str, str]]:
    """The address, and the name of a database that is this test's alone."""
    name = f"test-{uuid4().hex}"
    yield mongo_address, name
    with MongoClient[dict[str, object]](mongo_address) as client:
        client.drop_database(name)


@pytest.fixture(params=[*STORES, pytest.param("mongo", marks=[pytest.mark.slow, pytest.mark.engines("mongo")])])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    if request.param == "mongo":
        return partial(mongo_store, *request.getfixturevalue("mongo_database"))
    return partial(STORES[request.param], tmp_path)


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[StateStore]:
    async with open_store("verification") as opened:
        await opened.prepare()
        await opened.prepare()
        yield opened


@pytest.fixture(scope="session")
def kafka_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the one Kafka that the tests of this process share."""
    try:
        with kafka.running(tmp_path_factory.mktemp("kafka")) as address:
            yield address
    except EngineUnavailable as reason:
        skip(reason)


@pytest.fixture(params=[*LOGS, pytest.param("kafka", marks=[pytest.mark.slow, pytest.mark.engines("kafka")])])
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> OpenLog:
    if request.param == "kafka":
        return partial(kafka_log, request.getfixturevalue("kafka_address"), f"test-{uuid4().hex}")
    return partial(LOGS[request.param], tmp_path)


@pytest.fixture
async def log(open_log: OpenLog) -> AsyncIterator[EventLog]:
    async with open_log() as opened:
        await opened.prepare()
        await opened.prepare()
        yield opened
