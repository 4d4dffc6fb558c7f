"""Conformance suite of office stores, run against every implementation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from shared.calendar import today
from shared.clock import Clock
from shared.identity.accounts import Account, Role
from shared.identity.sqlite import SqliteAccountStore
from shared.identity.substitutes import SubstituteRegister, Substitution, SubstitutionKind, SubstitutionRefused
from shared.office.copying import compare_entries, copy_entries, unknown_entries
from shared.office.mongo import MongoOfficeStore
from shared.office.port import EntryConflict, OfficeEntry, OfficeStore
from shared.office.sqlite import SqliteOfficeStore
from shared.storage.mongo.client import MongoDatabase
from shared.storage.sqlite.database import SqliteDatabase

NOW = datetime(2026, 7, 10, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GREETING = {"title": "Pembuka", "text": "Mohon “lengkapi” berkas\nberikut.", "use": {"$in": ["return"], "a.b": None}}

OpenOffice = Callable[[Clock], AbstractAsyncContextManager[OfficeStore]]


@asynccontextmanager
async def sqlite_office(place: Path, clock: Clock) -> AsyncIterator[OfficeStore]:
    file = SqliteDatabase(place / "simpul.db")
    try:
        yield SqliteOfficeStore(file, clock)
    finally:
        file.close()


@asynccontextmanager
async def mongo_office(address: str, name: str, clock: Clock) -> AsyncIterator[OfficeStore]:
    database = MongoDatabase(address, name)
    try:
        yield MongoOfficeStore(database, clock)
    finally:
        await database.close()


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=[pytest.mark.slow, pytest.mark.engines("mongo")])])
def open_office(request: pytest.FixtureRequest, tmp_path: Path) -> OpenOffice:
    if request.param == "mongo":
        return partial(mongo_office, *request.getfixturevalue("mongo_database"))
    return partial(sqlite_office, tmp_path)


@pytest.fixture
async def store(open_office: OpenOffice) -> AsyncIterator[OfficeStore]:
    async with open_office(lambda: NOW) as office:
        await office.prepare()
        await office.prepare()
        yield office


async def test_an_entry_comes_back_as_it_was_put(store: OfficeStore):
    assert await store.put("phrases", "salam", GREETING) == OfficeEntry("phrases", "salam", 1, GREETING)
    assert await store.get("phrases", "salam") == OfficeEntry("phrases", "salam", 1, GREETING)
    assert await store.get("phrases", "lain") is None
    assert await store.get("views", "salam") is None


async def test_each_put_counts_the_version_and_replaces_the_whole(store: OfficeStore):
    await store.put("phrases", "salam", GREETING)
    assert (await store.put("phrases", "salam", {"title": "Lain"})).version == 2
    assert await store.get("phrases", "salam") == OfficeEntry("phrases", "salam", 2, {"title": "Lain"})


async def test_an_expected_version_must_be_the_stored_one(store: OfficeStore):
    with pytest.raises(EntryConflict):
        await store.put("phrases", "salam", {}, expected=1)
    await store.put("phrases", "salam", {"n": 1}, expected=0)
    for expected in (0, 2):
        with pytest.raises(EntryConflict):
            await store.put("phrases", "salam", {"n": 2}, expected=expected)
    assert (await store.put("phrases", "salam", {"n": 3}, expected=1)).version == 2
    assert await store.get("phrases", "salam") == OfficeEntry("phrases", "salam", 2, {"n": 3})


async def test_of_concurrent_puts_with_one_expected_version_one_succeeds(store: OfficeStore):
    for expected in (0, 1):
        tries = [store.put("phrases", "salam", {"n": number}, expected=expected) for number in range(10)]
        ends = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(end, EntryConflict) for end in ends) == 9
    entry = await store.get("phrases", "salam")
    assert entry is not None
    assert entry.version == 2


async def test_concurrent_puts_without_an_expected_version_all_succeed(store: OfficeStore):
    await asyncio.gather(*(store.put("phrases", "salam", {"n": number}) for number in range(10)))
    entry = await store.get("phrases", "salam")
    assert entry is not None
    assert entry.version == 10


async def test_entries_are_listed_by_key_within_their_collection_and_prefix(store: OfficeStore):
    for key in ("b/2", "a/é", "b/10", "b%", "B/3", "b/", "b"):
        await store.put("views", key, {"key": key})
    await store.put("views_old", "b/1", {})
    await store.put("phrases", "b/1", {})
    assert [entry.key for entry in await store.entries("views")] == ["B/3", "a/é", "b", "b%", "b/", "b/10", "b/2"]
    assert [entry.key for entry in await store.entries("views", "b/")] == ["b/", "b/10", "b/2"]
    assert [entry.body for entry in await store.entries("views", "a/é")] == [{"key": "a/é"}]
    assert await store.entries("views", "c") == []


async def test_a_deleted_entry_is_gone_and_starts_again_at_version_1(store: OfficeStore):
    await store.put("phrases", "salam", {})
    await store.put("phrases", "salam", {})
    with pytest.raises(EntryConflict):
        await store.delete("phrases", "salam", expected=1)
    assert await store.delete("phrases", "salam", expected=2)
    assert not await store.delete("phrases", "salam")
    assert not await store.delete("phrases", "salam", expected=2)
    assert (await store.put("phrases", "salam", {}, expected=0)).version == 1


async def test_an_expired_entry_is_not_found_and_can_be_added_again(open_office: OpenOffice):
    now = NOW
    async with open_office(lambda: now) as store:
        await store.prepare()
        # Far ahead, because an engine that removes expired entries has a clock of its own.
        year = timedelta(days=36500)
        await store.put("presence", "r/nurlaila", {"name": "Nurlaila"}, expires_at=NOW + year)
        await store.put("presence", "r/hasan", {"name": "Hasan"}, expires_at=NOW + 2 * year)
        assert [entry.expires_at for entry in await store.entries("presence")] == [NOW + 2 * year, NOW + year]
        now = NOW + year
        assert [entry.key for entry in await store.entries("presence", "r/")] == ["r/hasan"]
        assert await store.get("presence", "r/nurlaila") is None
        assert not await store.delete("presence", "r/nurlaila")
        await store.put("presence", "r/nurlaila", {}, expected=0, expires_at=now + MINUTE)
        await store.put("presence", "r/nurlaila", {"kept": True})
        now = NOW + 3 * year
        assert [entry.body for entry in await store.entries("presence")] == [{"kept": True}]


async def test_entries_survive_a_restart(open_office: OpenOffice):
    async with open_office(lambda: NOW) as store:
        await store.prepare()
        await store.put("phrases", "salam", GREETING)
    async with open_office(lambda: NOW) as store:
        await store.prepare()
        assert await store.all_entries() == [OfficeEntry("phrases", "salam", 1, GREETING)]


async def test_entries_that_are_no_json_objects_are_named(store: OfficeStore):
    for key in ("a", "b", "c"):
        await store.put("phrases", key, GREETING)
    assert await store.unreadable_entries() == []
    await overwrite(store, "a", "{damaged")
    await overwrite(store, "c", "[]")
    assert await store.unreadable_entries() == ["phrases/a", "phrases/c"]


async def overwrite(store: OfficeStore, key: str, body: str) -> None:
    """Damage the stored body of a phrase."""
    if isinstance(store, MongoOfficeStore):
        await store._collection.update_one({"_id": f"phrases/{key}"}, {"$set": {"body": body}})
    elif isinstance(store, SqliteOfficeStore):
        await store._file.write(lambda db: db.execute("UPDATE office SET body=? WHERE key=?", (body, key)))


@pytest.mark.parametrize("name", ["", "Views", "views/", "a-b", "views\n"])
async def test_a_collection_has_a_plain_name(store: OfficeStore, name: str):
    with pytest.raises(ValueError, match="is no name of a collection"):
        await store.put(name, "key", {})


async def test_a_copy_has_all_entries_that_do_not_expire(store: OfficeStore, tmp_path_factory: pytest.TempPathFactory):
    await store.put("views", "nurlaila/1", {"name": "Terlambat"})
    await store.put("phrases", "salam", GREETING)
    await store.put("presence", "r/nurlaila", {}, expires_at=NOW + timedelta(days=36500))
    async with sqlite_office(tmp_path_factory.mktemp("copy"), lambda: NOW) as target:
        await target.prepare()
        assert await unknown_entries(store, target, begun=False) == []
        assert await compare_entries(store, target) == [
            "office: phrases/salam is not as it was",
            "office: views/nurlaila/1 is not as it was",
        ]
        assert await copy_entries(store, target) == 2
        assert [(entry.collection, entry.key, entry.body) for entry in await target.all_entries()] == [
            ("phrases", "salam", GREETING),
            ("views", "nurlaila/1", {"name": "Terlambat"}),
        ]
        await store.put("phrases", "salam", {"title": "Baru"})
        assert await unknown_entries(store, target, begun=False) == ["phrases/salam"]
        assert await unknown_entries(store, target, begun=True) == []
        await copy_entries(store, target)
        assert await compare_entries(store, target) == []
        await target.put("views", "siti/1", {})
        assert await unknown_entries(store, target, begun=True) == ["views/siti/1"]


async def test_of_two_processes_that_add_a_substitute_for_the_same_days_one_is_refused(
    open_office: OpenOffice, tmp_path: Path
):
    accounts = SqliteAccountStore(SqliteDatabase(tmp_path / "accounts.db"))
    await accounts.prepare()
    for name, role in (("hasan", Role.STRUCTURAL), ("dewi", Role.OFFICER), ("ronal", Role.OFFICER)):
        await accounts.add(Account(name, name.title(), f"{name}@kantor.example", (role,), "-"))
    day = today(NOW)

    def substitution(name: str) -> Substitution:
        return Substitution(name, SubstitutionKind.PLH, name, "hasan", None, day, day, by="admin")

    async with open_office(lambda: NOW) as first, open_office(lambda: NOW) as second:
        await first.prepare()
        registers = [SubstituteRegister(office, accounts, lambda: NOW) for office in (first, second)]
        outcomes = await asyncio.gather(
            *(one.add(substitution(name)) for one, name in zip(registers, ("dewi", "ronal"), strict=True)),
            return_exceptions=True,
        )
        (refused,) = [outcome for outcome in outcomes if isinstance(outcome, SubstitutionRefused)]
        assert refused.code == "overlapping"
        (stored,) = await registers[0].substitutions()
        for register in registers:
            (capacity,) = await register.capacities(stored.substitute)
            assert (capacity.username, capacity.roles) == ("hasan", (Role.STRUCTURAL,))
        assert await registers[1].remove(stored.id, "admin")
        assert await registers[0].capacities(stored.substitute) == ()
