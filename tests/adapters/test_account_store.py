"""Conformance suite of account stores, run against every implementation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.identity.accounts import (
    LOGIN_SUCCESS_TTL,
    Account,
    AccountStore,
    ConcurrentModification,
    IdempotencyKey,
    LastAdmin,
    Role,
    Session,
    UsernameTaken,
)
from shared.runtime.executor import IdempotencyKeyReused
from tests.support.adapters.stores_and_logs import OpenAccounts, mongo_accounts, sqlite_accounts

NOW = datetime(2026, 7, 10, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NURLAILA = Account("nurlaila", "Nurlaila Contoh", "nurlaila@dinas.example", (Role.OFFICER, Role.STRUCTURAL), "hash-1")
HASAN = Account("hasan", "Hasan Contoh", "hasan@dinas.example", (Role.ADMIN,), "hash-2")
SITI = Account("siti", "Siti Contoh", "siti@dinas.example", (Role.ADMIN, Role.TECHNICAL), "hash-3", totp="JBSWY3DP")


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=[pytest.mark.slow, pytest.mark.engines("mongo")])])
def open_accounts(request: pytest.FixtureRequest, tmp_path: Path) -> OpenAccounts:
    if request.param == "mongo":
        return partial(mongo_accounts, *request.getfixturevalue("mongo_database"))
    return partial(sqlite_accounts, tmp_path)


@pytest.fixture
async def store(open_accounts: OpenAccounts) -> AsyncIterator[AccountStore]:
    async with open_accounts() as accounts:
        await accounts.prepare()
        await accounts.prepare()
        yield accounts


async def added(store: AccountStore, *accounts: Account) -> None:
    for account in accounts:
        await store.add(account)


async def test_an_account_comes_back_as_it_was_added(store: AccountStore):
    await added(store, NURLAILA, SITI)
    assert await store.account("nurlaila") == NURLAILA
    assert await store.account("siti") == SITI
    assert await store.account("nobody") is None


async def test_accounts_are_listed_by_username(store: AccountStore):
    await added(store, SITI, NURLAILA, HASAN)
    assert await store.accounts() == [HASAN, NURLAILA, SITI]


async def test_a_username_is_unique(store: AccountStore):
    await added(store, NURLAILA)
    with pytest.raises(UsernameTaken):
        await store.add(replace(HASAN, username="nurlaila"))
    assert await store.accounts() == [NURLAILA]


async def test_concurrent_adds_of_a_username_succeed_once(store: AccountStore):
    tries = [store.add(replace(NURLAILA, name=f"Nomor {number}")) for number in range(20)]
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(end, UsernameTaken) for end in ends) == 19


async def test_a_repeated_key_returns_the_account_that_was_added(store: AccountStore):
    idempotency_key = IdempotencyKey("key", "digest")
    assert await store.add(NURLAILA, idempotency_key) == NURLAILA
    assert await store.add(replace(NURLAILA, password="another salt"), idempotency_key) == NURLAILA
    assert await store.accounts() == [NURLAILA]


async def test_a_reused_key_with_other_content_is_refused(store: AccountStore):
    await store.add(NURLAILA, IdempotencyKey("key", "digest"))
    with pytest.raises(IdempotencyKeyReused):
        await store.add(HASAN, IdempotencyKey("key", "another digest"))
    assert await store.accounts() == [NURLAILA]


async def test_the_key_of_a_refused_add_is_not_stored(store: AccountStore):
    await added(store, NURLAILA)
    with pytest.raises(UsernameTaken):
        await store.add(NURLAILA, IdempotencyKey("key", "digest"))
    assert await store.add(HASAN, IdempotencyKey("key", "another digest")) == HASAN


async def test_accounts_with_a_role_are_active_and_have_it(store: AccountStore):
    await added(store, SITI, NURLAILA, HASAN)
    assert await store.accounts_with_role(Role.ADMIN) == [HASAN, SITI]
    assert await store.accounts_with_role(Role.STRUCTURAL) == [NURLAILA]
    await store.change(HASAN, replace(HASAN, active=False))
    assert await store.accounts_with_role(Role.ADMIN) == [SITI]


async def test_a_change_replaces_everything(store: AccountStore):
    await added(store, NURLAILA, HASAN)
    changed = Account("nurlaila", "Nama Baru", "baru@dinas.example", (Role.TECHNICAL,), "hash-9", False, "ABC")
    await store.change(NURLAILA, changed)
    assert await store.account("nurlaila") == changed
    assert await store.account("hasan") == HASAN


async def test_a_change_based_on_an_outdated_account_is_refused(store: AccountStore):
    await added(store, NURLAILA)
    await store.change(NURLAILA, replace(NURLAILA, name="Nama Baru"))
    with pytest.raises(ConcurrentModification):
        await store.change(NURLAILA, replace(NURLAILA, active=False))
    assert await store.account("nurlaila") == replace(NURLAILA, name="Nama Baru")
    with pytest.raises(ConcurrentModification):
        await store.change(HASAN, HASAN)


@pytest.mark.parametrize("after", [replace(HASAN, active=False), replace(HASAN, roles=(Role.OFFICER,))])
async def test_the_last_active_admin_cannot_be_removed(store: AccountStore, after: Account):
    await added(store, HASAN, replace(SITI, active=False), NURLAILA)
    with pytest.raises(LastAdmin):
        await store.change(HASAN, after)
    assert await store.account("hasan") == HASAN


async def test_other_accounts_can_change_while_there_is_no_admin(store: AccountStore):
    await added(store, NURLAILA)
    await store.change(NURLAILA, replace(NURLAILA, active=False))


async def test_admins_who_disable_each_other_concurrently_leave_one(store: AccountStore):
    admins = [replace(HASAN, username=f"admin{number}") for number in range(8)]
    await added(store, *admins)
    ends = await asyncio.gather(
        *(store.change(admin, replace(admin, active=False)) for admin in admins), return_exceptions=True
    )
    assert sum(isinstance(end, LastAdmin) for end in ends) == 1
    assert len(await store.accounts_with_role(Role.ADMIN)) == 1


def session(token: str = "token", of: Account = NURLAILA, created: datetime = NOW) -> Session:
    return Session(token, of.username, created, created)


async def test_a_session_comes_back_with_its_account(store: AccountStore):
    await added(store, NURLAILA)
    await store.open_session(session(), NURLAILA)
    assert await store.session("token") == (session(), NURLAILA)
    assert await store.session("another") is None


async def test_touching_a_session_never_moves_its_time_back(store: AccountStore):
    await added(store, NURLAILA)
    await store.open_session(session(), NURLAILA)
    await store.touch_session("token", NOW + 5 * MINUTE)
    await store.touch_session("token", NOW + 2 * MINUTE)
    found = await store.session("token")
    assert found is not None
    assert found[0] == replace(session(), seen_at=NOW + 5 * MINUTE)


async def test_closing_a_session_leaves_the_others(store: AccountStore):
    await added(store, NURLAILA)
    await store.open_session(session("one"), NURLAILA)
    await store.open_session(session("two"), NURLAILA)
    await store.close_session("one")
    await store.close_session("one")
    assert await store.session("one") is None
    assert await store.session("two") is not None


async def test_a_change_of_an_account_ends_only_its_sessions(store: AccountStore):
    await added(store, NURLAILA, HASAN)
    for token, account in (("one", NURLAILA), ("two", NURLAILA), ("three", HASAN)):
        await store.open_session(session(token, account), account)
    await store.change(NURLAILA, replace(NURLAILA, password="hash-9"))
    assert [await store.session(token) is not None for token in ("one", "two", "three")] == [False, False, True]


@pytest.mark.parametrize(
    "change",
    [{"password": "hash-9"}, {"totp": "ABC"}, {"active": False}, {"roles": (Role.TECHNICAL,)}, {"name": "Nama Baru"}],
)
async def test_no_session_is_opened_for_an_account_that_has_changed(store: AccountStore, change: dict[str, Any]):
    await added(store, NURLAILA, HASAN)
    await store.change(NURLAILA, replace(NURLAILA, **change))
    with pytest.raises(ConcurrentModification):
        await store.open_session(session(), NURLAILA)
    assert await store.session("token") is None
    with pytest.raises(ConcurrentModification):
        await store.open_session(session(of=SITI), SITI)


async def test_no_session_survives_a_concurrent_change(store: AccountStore):
    await added(store, NURLAILA)
    previous = NURLAILA
    for turn in range(10):
        changed = replace(NURLAILA, password=f"hash-{turn}-new")
        await asyncio.gather(
            *(store.open_session(session(f"{turn}-{number}", previous), previous) for number in range(5)),
            store.change(previous, changed),
            return_exceptions=True,
        )
        assert [await store.session(f"{turn}-{number}") for number in range(5)] == [None] * 5
        previous = changed


async def test_expired_sessions_are_removed_by_last_use_and_by_age(store: AccountStore):
    await added(store, NURLAILA)
    for token, minutes in (("idle", 0), ("old", 0), ("fresh", 50)):
        await store.open_session(session(token, created=NOW + minutes * MINUTE), NURLAILA)
    await store.touch_session("old", NOW + 60 * MINUTE)
    await store.close_expired_sessions(NOW + 30 * MINUTE, NOW - MINUTE)
    assert [await store.session(token) is not None for token in ("idle", "old", "fresh")] == [False, True, True]
    await store.close_expired_sessions(NOW + 30 * MINUTE, NOW + 10 * MINUTE)
    assert [await store.session(token) is not None for token in ("idle", "old", "fresh")] == [False, False, True]


async def test_attempts_are_counted_up_to_the_limit(store: AccountStore):
    limits, since = {"name:a": 3}, NOW - 15 * MINUTE
    assert [await store.count_attempt(limits, NOW + n * MINUTE, since) for n in range(3)] == [None] * 3
    assert await store.count_attempt(limits, NOW + 3 * MINUTE, since) == NOW
    assert await store.count_attempt({"name:b": 3}, NOW, since) is None


async def test_a_refused_attempt_is_not_counted(store: AccountStore):
    limits = {"name:a": 2}
    for n in range(20):
        await store.count_attempt(limits, NOW + n * MINUTE, NOW - 15 * MINUTE)
    assert await store.count_attempt(limits, NOW + 16 * MINUTE, NOW + MINUTE + timedelta(seconds=1)) is None


async def test_one_full_key_refuses_and_nothing_is_counted_under_the_others(store: AccountStore):
    since = NOW - 15 * MINUTE
    assert await store.count_attempt({"address:x": 1}, NOW, since) is None
    for _ in range(5):
        assert await store.count_attempt({"name:a": 2, "address:x": 1}, NOW + MINUTE, since) == NOW
    assert [await store.count_attempt({"name:a": 2}, NOW, since) for _ in range(2)] == [None, None]


async def test_concurrent_attempts_are_counted_up_to_the_limit(store: AccountStore):
    tries = [store.count_attempt({"name:a": 10}, NOW, NOW - 15 * MINUTE) for _ in range(50)]
    assert (await asyncio.gather(*tries)).count(None) == 10


async def test_cleared_attempts_no_longer_count(store: AccountStore):
    since = NOW - 15 * MINUTE
    for _ in range(3):
        await store.count_attempt({"name:a": 3, "name:b": 3}, NOW, since)
    await store.clear_attempts("name:a")
    assert await store.count_attempt({"name:a": 3}, NOW, since) is None
    assert await store.count_attempt({"name:b": 3}, NOW, since) == NOW


async def test_one_attempt_is_undone_even_if_another_has_the_same_time(store: AccountStore):
    since = NOW - 15 * MINUTE
    for _ in range(3):
        await store.count_attempt({"address:x": 3}, NOW, since)
    await store.undo_attempt("address:x", NOW)
    assert await store.count_attempt({"address:x": 3}, NOW, since) is None
    assert await store.count_attempt({"address:x": 3}, NOW, since) == NOW


async def test_a_success_is_remembered_by_its_key_and_from_its_time_on(store: AccountStore):
    await store.record_success("budi at 192.0.2.1", NOW)
    await store.record_success("budi at 192.0.2.1", NOW - MINUTE)
    assert await store.has_succeeded("budi at 192.0.2.1", NOW)
    assert not await store.has_succeeded("budi at 192.0.2.1", NOW + MINUTE)
    assert not await store.has_succeeded("budi at 192.0.2.2", NOW - MINUTE)


async def test_a_success_is_remembered_for_the_promised_time(store: AccountStore):
    await store.record_success("a", NOW)
    await store.record_success("b", NOW + LOGIN_SUCCESS_TTL)
    assert await store.has_succeeded("a", NOW)


async def test_a_code_is_used_once_and_no_older_one_afterwards(store: AccountStore):
    await added(store, SITI, HASAN)
    assert [await store.use_totp_step("siti", step) for step in (10, 10, 9, 11, 10)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert await store.use_totp_step("hasan", 10)


async def test_concurrent_uses_of_a_code_succeed_once(store: AccountStore):
    await added(store, SITI)
    assert sum(await asyncio.gather(*(store.use_totp_step("siti", 10) for _ in range(20)))) == 1


async def test_accounts_and_sessions_survive_a_restart(open_accounts: OpenAccounts):
    for first in (True, False):
        async with open_accounts() as store:
            await store.prepare()
            if first:
                await added(store, SITI)
                await store.open_session(session(of=SITI), SITI)
            assert await store.session("token") == (session(of=SITI), SITI)


async def test_concurrent_adds_with_one_key_return_one_account(store: AccountStore):
    idempotency_key = IdempotencyKey("key", "digest")
    tries = [store.add(replace(NURLAILA, password=f"salt {number}"), idempotency_key) for number in range(20)]
    made = await asyncio.gather(*tries)
    assert made == [await store.account("nurlaila")] * 20


async def test_admins_of_two_processes_who_disable_each_other_concurrently_leave_one(open_accounts: OpenAccounts):
    async with open_accounts() as one, open_accounts() as other:
        await one.prepare()
        await added(one, HASAN)
        for turn in range(10):
            [left] = await one.accounts_with_role(Role.ADMIN)
            new = replace(HASAN, username=f"admin{turn}")
            await added(other, new)
            ends = await asyncio.gather(
                one.change(left, replace(left, active=False)),
                other.change(new, replace(new, roles=())),
                return_exceptions=True,
            )
            assert sorted(type(end).__name__ for end in ends) == ["LastAdmin", "NoneType"]


async def test_concurrent_attempts_under_two_keys_stop_at_the_smaller_limit(store: AccountStore):
    limits, since = {"address:x": 30, "name:a": 10}, NOW - 15 * MINUTE
    ends = await asyncio.gather(*(store.count_attempt(limits, NOW, since) for _ in range(40)))
    assert ends.count(None) <= 10
    more = 0
    while await store.count_attempt({"address:x": 30}, NOW, since) is None:
        more += 1
    assert ends.count(None) + more == 30
