"""Records written to MongoDB by an older program, during a rolling upgrade or after a rollback."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Timestamp
from pymongo import MongoClient

from shared.storage.mongo.client import MongoDatabase
from shared.storage.mongo.store import MongoStateStore
from shared.storage.port import COLUMNS_VERSION, Column, RecordQuery
from tests.support.adapters.state_records import COLUMNS, NOW, make_write, save_write

pytestmark = [pytest.mark.slow, pytest.mark.engines("mongo")]

MIGRATED = RecordQuery("id", where={COLUMNS_VERSION: 1})


@pytest.mark.parametrize("since", [None, timedelta(hours=1)], ids=["everywhere", "what was written lately"])
async def test_columns_written_by_an_older_program_are_outdated(
    mongo_database: tuple[str, str], since: timedelta | None
):
    address, name = mongo_database
    opened = MongoDatabase(address, name)
    store = MongoStateStore(opened, "intake", (*COLUMNS, Column(COLUMNS_VERSION, "integer")), lambda: NOW)
    try:
        await store.prepare()
        await save_write(store, *(make_write(one, columns_version=1) for one in ("a", "b", "c")))
        with MongoClient[dict[str, Any]](address) as older_program:
            change = {"$set": {"version": 2, "search": "lama"}, "$currentDate": {"change": {"$type": "timestamp"}}}
            older_program[name]["intake_documents"].update_one({"_id": "b", "version": 1}, change)
        await save_write(store, make_write("b", 3, columns_version=2), make_write("c", 2, columns_version=2))
        assert await store.count(MIGRATED) == 3
        await store.forget_overwritten(None if since is None else datetime.now(UTC) - since)
        assert [record.id for record in (await store.find(MIGRATED)).records] == ["a", "c"]
        await save_write(store, replace(make_write("b", 4, columns_version=1), migrated=True))
        await store.forget_overwritten(None if since is None else datetime.now(UTC) - since)
        assert [record.id for record in (await store.find(MIGRATED)).records] == ["a", "b", "c"]
    finally:
        await opened.close()


async def test_a_start_examines_what_was_written_since_the_last_one(mongo_database: tuple[str, str]):
    address, name = mongo_database
    opened = MongoDatabase(address, name)
    store = MongoStateStore(opened, "intake", (*COLUMNS, Column(COLUMNS_VERSION, "integer")), lambda: NOW)
    try:
        await store.prepare()
        await save_write(store, *(make_write(one, columns_version=1) for one in ("a", "b", "c")))
        await store.forget_overwritten()
        with MongoClient[dict[str, Any]](address) as older_program:
            long_ago = {"$set": {"version": 2, "change": Timestamp(1, 1)}}
            older_program[name]["intake_documents"].update_one({"_id": "a"}, long_ago)
            lately = {"$set": {"version": 2}, "$currentDate": {"change": {"$type": "timestamp"}}}
            older_program[name]["intake_documents"].update_one({"_id": "b"}, lately)
        await store.forget_overwritten()
        assert [record.id for record in (await store.find(MIGRATED)).records] == ["a", "c"]
    finally:
        await opened.close()


async def test_retired_indexes_are_dropped_and_those_of_the_operator_kept(mongo_database: tuple[str, str]):
    address, name = mongo_database
    opened = MongoDatabase(address, name)
    store = MongoStateStore(opened, "verification", COLUMNS, lambda: NOW)
    try:
        await store.prepare()
        with MongoClient[dict[str, Any]](address) as older_program:
            records = older_program[name]["verification_documents"]
            declared = set(records.index_information())
            for index in ("by_stage_due", "by_lead_claimed_by", "of_the_operator"):
                records.create_index([("version", 1), (index, 1)], name=index)
            # As processes that start at once.
            await asyncio.gather(*(store.prepare() for _ in range(8)))
            assert set(records.index_information()) == declared | {"of_the_operator"}
    finally:
        await opened.close()


async def test_words_written_by_an_older_program_are_added_to_the_index(mongo_database: tuple[str, str]):
    address, name = mongo_database
    opened = MongoDatabase(address, name)
    store = MongoStateStore(opened, "intake", COLUMNS, lambda: NOW)
    added: list[int] = []
    try:
        with MongoClient[dict[str, Any]](address) as older_program:
            records = older_program[name]["intake_documents"]
            await store.prepare()
            await save_write(
                store, *(make_write(f"{number:03d}", search=f"p{number:03d} dinas") for number in range(250))
            )
            records.update_many({}, {"$unset": {"words": 1, "words_of": 1}})
            older_program[name]["word_indexes"].delete_many({})
            upgraded = MongoStateStore(opened, "intake", COLUMNS, lambda: NOW)
            await upgraded.prepare()
            assert await found_by(upgraded, "p007") == ["007"]
            await upgraded.complete_search(added.append)
            assert added == [200, 50]
            assert await found_by(upgraded, "p007") == ["007"]
            assert records.find_one({"words": " p007"}, hint="words")["_id"] == "007"  # type: ignore[index]
            change = {"$set": {"version": 2, "search": "lama"}, "$currentDate": {"change": {"$type": "timestamp"}}}
            records.update_one({"_id": "007", "version": 1}, change)
            await upgraded.complete_search(added.append)
            assert added == [200, 50, 1]
            assert (await found_by(upgraded, "p007"), await found_by(upgraded, "lama")) == ([], ["007"])
    finally:
        await opened.close()


async def found_by(store: MongoStateStore, text: str) -> list[str]:
    return [record.id for record in (await store.find(RecordQuery("id", search=text))).records]
