"""How MongoDB stores the records: compressed, without touching a collection that exists."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient

from shared.storage.mongo.client import MongoDatabase
from shared.storage.mongo.store import MongoStateStore
from tests.support.adapters.state_records import COLUMNS, NOW, make_write, save_write

pytestmark = [pytest.mark.slow, pytest.mark.engines("mongo")]


async def test_records_are_compressed_with_zstd_and_an_existing_collection_stays(mongo_database: tuple[str, str]):
    address, name = mongo_database
    with MongoClient[dict[str, Any]](address) as client:
        client[name].create_collection("intake_documents")
        database = MongoDatabase(address, name)
        for service in ("intake", "verification"):
            store = MongoStateStore(database, service, COLUMNS, lambda: NOW)
            await store.prepare()
            await store.prepare()
            await save_write(store, make_write("a"))
        await database.close()
        made = [client[name].command("collStats", f"{service}_documents") for service in ("intake", "verification")]
    settings = [stats["wiredTiger"]["creationString"] for stats in made]
    assert ["block_compressor=snappy" in one for one in settings] == [True, False]
    assert ["block_compressor=zstd" in one for one in settings] == [False, True]
