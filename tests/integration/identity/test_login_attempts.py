"""Failed sign-ins lock out the address that they come from, not the owner of the attacked account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.identity.accounts import Role
from shared.identity.login_attempts import LoginAttempts, TooManyFailures
from shared.identity.sqlite import SqliteAccountStore
from shared.storage.sqlite.database import SqliteDatabase
from tests.support.services.identity_harness import PASSWORD, open_identity_harness

NOW = datetime(2026, 7, 10, 1, 0, tzinfo=UTC)
WRONG = "wrong but long enough"
HOME, OFFICE, ATTACKER = "192.0.2.1", "192.0.2.2", "198.51.100.1"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteAccountStore]:
    file = SqliteDatabase(tmp_path / "simpul.db")
    opened = SqliteAccountStore(file)
    await opened.prepare()
    yield opened
    file.close()


@pytest.fixture
def attempts(store: SqliteAccountStore) -> LoginAttempts:
    return LoginAttempts(store)


async def failures(attempts: LoginAttempts, username: str, address: str, count: int, at: datetime = NOW) -> int:
    """Return how many of these failing attempts are let through."""
    for heard in range(count):
        try:
            await attempts.record(username, address, at)
        except TooManyFailures:
            return heard
    return count


async def is_heard(attempts: LoginAttempts, username: str, address: str, at: datetime = NOW) -> bool:
    return await failures(attempts, username, address, 1, at) == 1


async def signed_in(attempts: LoginAttempts, username: str, address: str, at: datetime = NOW) -> None:
    await attempts.record_success(await attempts.record(username, address, at))


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_ten_failures_lock_the_account_out_at_this_address_only(attempts: LoginAttempts):
    assert await failures(attempts, "budi", ATTACKER, 11) == 10
    assert await is_heard(attempts, "budi", HOME)
    assert await is_heard(attempts, "siti", ATTACKER)


async def test_an_account_allows_a_hundred_failures_in_fifteen_minutes_from_all_addresses(attempts: LoginAttempts):
    heard = [await failures(attempts, "budi", f"198.51.100.{number}", 10) for number in range(12)]
    assert heard == [10] * 10 + [0] * 2
    assert not await is_heard(attempts, "budi", HOME)
    assert await is_heard(attempts, "siti", HOME)
    assert await is_heard(attempts, "budi", HOME, NOW + timedelta(minutes=15, seconds=1))


async def test_an_address_with_a_recent_success_is_not_locked_out_by_other_addresses(attempts: LoginAttempts):
    await signed_in(attempts, "budi", HOME)
    later = NOW + timedelta(days=29)
    for number in range(11):
        await failures(attempts, "budi", f"198.51.100.{number}", 10, later)
    assert not await is_heard(attempts, "budi", OFFICE, later)
    assert await failures(attempts, "budi", HOME, 11, later) == 10


async def test_an_address_with_a_recent_success_is_not_locked_out_by_failures_at_other_accounts(
    attempts: LoginAttempts,
):
    await signed_in(attempts, "budi", OFFICE)
    heard = [await failures(attempts, f"name{number}", OFFICE, 10) for number in range(6)]
    assert heard == [10] * 5 + [0]
    assert not await is_heard(attempts, "siti", OFFICE)
    assert await is_heard(attempts, "budi", OFFICE)


async def test_a_success_is_forgotten_after_a_month(attempts: LoginAttempts):
    await signed_in(attempts, "budi", HOME)
    later = NOW + timedelta(days=30, seconds=1)
    for number in range(10):
        await failures(attempts, "budi", f"198.51.100.{number}", 10, later)
    assert not await is_heard(attempts, "budi", HOME, later)


async def test_signing_in_to_ones_own_account_clears_no_failures_at_others(attempts: LoginAttempts):
    for number in range(5):
        await failures(attempts, f"name{number}", ATTACKER, 10)
        await signed_in(attempts, "own", ATTACKER)
    assert not await is_heard(attempts, "budi", ATTACKER)


async def test_a_success_clears_the_failures_of_this_account_at_this_address(attempts: LoginAttempts):
    for _ in range(5):
        assert await failures(attempts, "budi", HOME, 9) == 9
        await signed_in(attempts, "budi", HOME)


async def test_several_processes_count_together(tmp_path: Path, store: SqliteAccountStore, attempts: LoginAttempts):
    file = SqliteDatabase(tmp_path / "simpul.db")
    try:
        other = LoginAttempts(SqliteAccountStore(file))
        assert await failures(attempts, "budi", ATTACKER, 6) + await failures(other, "budi", ATTACKER, 6) == 10
        await signed_in(attempts, "siti", HOME)
        for number in range(10):
            await failures(attempts, "siti", f"198.51.100.{number}", 10)
        assert await is_heard(other, "siti", HOME)
    finally:
        file.close()


async def test_usernames_of_attempts_are_not_stored(store: SqliteAccountStore, tmp_path: Path):
    await failures(LoginAttempts(store), "my secret in the wrong field", HOME, 1)
    assert b"my secret" not in on_disk(tmp_path)


@pytest.mark.slow
async def test_a_user_signs_in_during_an_attack_from_elsewhere(tmp_path: Path):
    harness = await open_identity_harness(tmp_path)
    try:
        await harness.staff("budi", Role.OFFICER)
        body = {"username": "budi", "password": WRONG}
        async with harness.client(ATTACKER) as attacker, harness.client(HOME) as home:
            answers = [(await attacker.post("/api/session", json=body)).status_code for _ in range(11)]
            assert answers == [401] * 10 + [429]
            right = await home.post("/api/session", json={**body, "password": PASSWORD})
            assert right.status_code == 200
    finally:
        harness.file.close()


@pytest.mark.slow
@pytest.mark.parametrize("username", ["budi", "nobody"])
async def test_lockout_does_not_reveal_whether_an_account_exists(tmp_path: Path, username: str):
    harness = await open_identity_harness(tmp_path)
    try:
        await harness.staff("budi", Role.OFFICER)
        for number in range(10):
            await failures(LoginAttempts(harness.store), username, f"198.51.100.{number}", 10, harness.clock.now)
        async with harness.client(HOME) as home:
            answer = await home.post("/api/session", json={"username": username, "password": WRONG})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    finally:
        harness.file.close()
