"""Lookups of recipients are cached for emails that are sent together."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.notification.email_composer import CACHE_TTL_SECONDS, CachedStaffDirectory, Recipient
from shared.identity.accounts import Account, Role
from shared.identity.sqlite import SqliteAccountStore
from shared.storage.sqlite.database import SqliteDatabase

DEWI = Account("dewi", "Dewi Andaian", "dewi@kantor.example", (Role.OFFICER,), "-", True, "")


@pytest.fixture
async def accounts(tmp_path: Path) -> SqliteAccountStore:
    store = SqliteAccountStore(SqliteDatabase(tmp_path / "simpul.db"))
    await store.prepare()
    return store


async def test_a_result_is_cached_for_a_second(accounts: SqliteAccountStore):
    now = [100.0]
    directory = CachedStaffDirectory(accounts, lambda: now[0])
    await accounts.add(DEWI)
    found = await directory.accounts_with_role("officer")
    await accounts.add(Account("rosmina", "Rosmina", "r@kantor.example", (Role.OFFICER,), "-", True, ""))
    assert found == [Recipient(DEWI.name, DEWI.email)] == await directory.accounts_with_role("officer")
    now[0] += CACHE_TTL_SECONDS
    assert len(await directory.accounts_with_role("officer")) == 2


async def test_an_empty_result_is_not_cached(accounts: SqliteAccountStore):
    directory = CachedStaffDirectory(accounts)
    assert await directory.person("dewi") is None
    await accounts.add(DEWI)
    assert await directory.person("dewi") == Recipient(DEWI.name, DEWI.email)
