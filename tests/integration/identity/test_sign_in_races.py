"""Sign-ins during changes of the account: a session never outlives the credentials that it was opened with."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.identity.accounts import Account, Role
from shared.identity.principal import Principal
from shared.identity.service import IdentityService, InvalidCredentials
from shared.identity.sqlite import SqliteAccountStore
from tests.support.services.identity_harness import ANOTHER, PASSWORD, SECRET, IdentityHarness, open_identity_harness

pytestmark = pytest.mark.slow

HERE = "192.0.2.1"
THIRD = "gajah duduk di atas awan"

Change = Callable[[Account], Awaitable[None]]


class CrossedStore(SqliteAccountStore):
    """A store that runs a callback right after an account was read, in the time that hashing takes."""

    crossing: Change | None = None

    async def account(self, username: str) -> Account | None:
        return await self._crossed(await super().account(username))

    async def session(self, token_hash: str) -> Any:
        found = await super().session(token_hash)
        if found is not None:
            await self._crossed(found[1])
        return found

    async def _crossed(self, account: Account | None) -> Account | None:
        crossing, self.crossing = self.crossing, None
        if account is not None and crossing is not None:
            await crossing(account)
        return account


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[IdentityHarness]:
    opened = await open_identity_harness(tmp_path)
    await opened.staff("budi", Role.OFFICER)
    await opened.staff("hasan", Role.ADMIN)
    yield opened
    opened.file.close()


def identity_over(harness: IdentityHarness, store: SqliteAccountStore) -> IdentityService:
    return IdentityService(store, harness.clock, SECRET)


def changing(harness: IdentityHarness, **changes: Any) -> Change:
    async def change(account: Account) -> None:
        await harness.store.change(account, replace(account, **changes))

    return change


@pytest.mark.parametrize("changes", [{"password": "-"}, {"totp": "JBSWY3DP"}, {"active": False}])
async def test_a_sign_in_during_a_change_of_credentials_opens_no_session(
    harness: IdentityHarness, changes: dict[str, Any]
):
    store = CrossedStore(harness.file)
    store.crossing = changing(harness, **changes)
    with pytest.raises(InvalidCredentials):
        await identity_over(harness, store).sign_in("budi", PASSWORD, "", HERE)
    assert not harness.file.read("SELECT 1 FROM sessions", ())


async def test_a_session_has_the_role_that_changed_during_the_sign_in(harness: IdentityHarness):
    store = CrossedStore(harness.file)
    store.crossing = changing(harness, roles=(Role.TECHNICAL,), name="Nama Baru")
    token, principal = await identity_over(harness, store).sign_in("budi", PASSWORD, "", HERE)
    assert (principal.roles, principal.name) == ((Role.TECHNICAL,), "Nama Baru")
    assert await harness.identity.authenticate(token) == principal


async def signed_in(harness: IdentityHarness, username: str = "budi") -> tuple[str, Principal]:
    return await harness.identity.sign_in(username, PASSWORD, "", HERE)


@pytest.mark.parametrize("own", [{"name": None, "password": ANOTHER}, {"name": "Nama Baru", "password": None}])
async def test_an_own_change_loses_against_a_concurrent_one(harness: IdentityHarness, own: dict[str, Any]):
    token, principal = await signed_in(harness)
    store = CrossedStore(harness.file)
    store.crossing = changing(harness, password="-", active=False)
    changed = await identity_over(harness, store).change_own_account(
        principal, **own, current_password=PASSWORD, address=HERE
    )
    assert changed is None
    account = await harness.store.account("budi")
    assert account is not None
    assert (account.password, account.active, account.name) == ("-", False, "Budi Contoh")
    assert await harness.identity.authenticate(token) is None


async def test_a_stolen_session_ends_when_an_administrator_resets_the_password(
    harness: IdentityHarness,
):
    _, principal = await signed_in(harness)
    await harness.identity.change_staff("budi", password=THIRD)
    assert (
        await harness.identity.change_own_account(
            principal, name=None, password=ANOTHER, current_password=PASSWORD, address=HERE
        )
        is None
    )
    assert not harness.file.read("SELECT 1 FROM sessions", ())
    await harness.identity.sign_in("budi", THIRD, "", HERE)


async def test_unbound_sessions_of_earlier_versions_stay_valid_until_the_account_changes(tmp_path: Path):
    harness = await open_identity_harness(tmp_path)
    await harness.staff("budi", Role.OFFICER)
    now = harness.clock.now.timestamp()
    harness.file.close()
    with sqlite3.connect(tmp_path / "simpul.db") as old:
        old.execute("ALTER TABLE sessions DROP COLUMN account_digest")
        hashed = hashlib.sha256(b"token").hexdigest()
        old.execute("INSERT INTO sessions VALUES (?,?,?,?)", (hashed, "budi", now, now))
    old.close()
    again = await open_identity_harness(tmp_path)
    try:
        assert await again.identity.authenticate("token") is not None
        await again.identity.change_staff("budi", name="Nama Baru")
        assert await again.identity.authenticate("token") is None
        await again.identity.sign_in("budi", PASSWORD, "", HERE)
    finally:
        again.file.close()
