"""The implementations of state store and event log; add another one to STORES or LOGS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from shared.eventlog.kafka.connection import Topic
from shared.eventlog.kafka.log import KafkaEventLog
from shared.eventlog.port import EventLog
from shared.eventlog.sqlite.log import SqliteEventLog
from shared.identity.accounts import AccountStore
from shared.identity.mongo import MongoAccountStore
from shared.identity.sqlite import SqliteAccountStore
from shared.storage.mongo.client import MongoDatabase
from shared.storage.mongo.store import MongoStateStore
from shared.storage.port import StateStore
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.adapters.state_records import COLUMNS, NOW

GRACE_SECONDS = 0.3
"""Seconds that a cancelled handler may take to finish."""


@asynccontextmanager
async def sqlite_store(place: Path, service: str) -> AsyncIterator[StateStore]:
    file = SqliteDatabase(place / "simpul.db")
    try:
        yield SqliteStateStore(file, service, COLUMNS, lambda: NOW)
    finally:
        file.close()


@asynccontextmanager
async def mongo_store(address: str, name: str, service: str) -> AsyncIterator[StateStore]:
    database = MongoDatabase(address, name)
    try:
        yield MongoStateStore(database, service, COLUMNS, lambda: NOW)
    finally:
        await database.close()


@asynccontextmanager
async def sqlite_log(place: Path) -> AsyncIterator[EventLog]:
    file = SqliteDatabase(place / "simpul.db")
    try:
        yield SqliteEventLog(file, grace_seconds=GRACE_SECONDS)
    finally:
        file.close()


@asynccontextmanager
async def kafka_log(address: str, topic: str) -> AsyncIterator[EventLog]:
    log = KafkaEventLog(address, Topic(topic, partitions=6), grace_seconds=GRACE_SECONDS)
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def sqlite_accounts(place: Path) -> AsyncIterator[AccountStore]:
    file = SqliteDatabase(place / "simpul.db")
    try:
        yield SqliteAccountStore(file)
    finally:
        file.close()


@asynccontextmanager
async def mongo_accounts(address: str, name: str) -> AsyncIterator[AccountStore]:
    database = MongoDatabase(address, name)
    try:
        yield MongoAccountStore(database)
    finally:
        await database.close()


OpenStore = Callable[[str], AbstractAsyncContextManager[StateStore]]
OpenLog = Callable[[], AbstractAsyncContextManager[EventLog]]
OpenAccounts = Callable[[], AbstractAsyncContextManager[AccountStore]]

STORES: dict[str, Callable[[Path, str], AbstractAsyncContextManager[StateStore]]] = {"sqlite": sqlite_store}
LOGS: dict[str, Callable[[Path], AbstractAsyncContextManager[EventLog]]] = {"sqlite": sqlite_log}
