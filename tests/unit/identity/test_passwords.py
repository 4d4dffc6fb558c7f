"""Password rules and hashes."""

from __future__ import annotations

import re
import statistics
import time

import pytest

from shared.identity.passwords import (
    MAX_LENGTH,
    WeakPassword,
    generate_password,
    hash_new_password,
    password_matches,
    validate_password,
)
from tests.support.password_hashing import use_cheap_hashing

GOOD = "kuda laut menari tenang"
KNOWN = ("nurlaila", "Nurlaila Ahmad", "nurlaila@dinas.example")


@pytest.fixture
def cheap_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    use_cheap_hashing(monkeypatch)


@pytest.mark.parametrize("password", ["", "x", "Xq7-vR2_pL9", "ééééééééééé"])
def test_fewer_than_twelve_characters_are_refused(password: str):
    with pytest.raises(WeakPassword, match="paling sedikit 12"):
        validate_password(password)


def test_twelve_characters_are_enough():
    validate_password("Xq7-vR2_pL9z")


def test_no_character_class_is_required_or_forbidden():
    validate_password("tanpa angka dan besar")
    validate_password("ヒガシハルマヘラ県庁の鍵です")
    validate_password("spasi\tdan\x00nol \U0001f40e boleh")


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password123!",
        "123456789012",
        "qwertyuiop12",
        "aaaaaaaaaaaa",
        "administrator",
        "katasandi123",
        "bismillah123",
        "rahasia12345",
        "sayangku1234",
        "terimakasih1",
        "akucintakamu",
        "halmaheratimur",
        "kominfo12345",
        "simpul123456",
    ],
)
def test_common_passwords_are_refused(password: str):
    with pytest.raises(WeakPassword, match="mudah ditebak"):
        validate_password(password)


@pytest.mark.parametrize("password", ["nurlaila1985", "NurlailaAhmad", "nurlaila@dinas.example"])
def test_a_password_derived_from_its_owner_is_refused(password: str):
    with pytest.raises(WeakPassword, match="mudah ditebak"):
        validate_password(password, *KNOWN)


def test_a_password_over_the_maximum_length_is_refused_and_not_truncated():
    with pytest.raises(WeakPassword, match="paling banyak 256"):
        validate_password("kuda laut " * 26)


def test_a_generated_password_is_accepted_and_unique():
    made = {generate_password() for _ in range(100)}
    assert len(made) == 100
    validate_password(made.pop())


def test_a_lone_surrogate_is_refused():
    with pytest.raises(WeakPassword, match="tidak sah"):
        validate_password("kuda laut menari \ud800")


async def test_a_hash_is_argon2id_with_64_mib_three_passes_and_its_own_salt():
    one, other = [await hash_new_password(GOOD) for _ in range(2)]
    assert re.fullmatch(r"\$argon2id\$v=19\$m=65536,t=3,p=1\$[\w+/]{22}\$[\w+/]{43}", one)
    assert one != other
    assert GOOD not in one


async def test_a_weak_password_is_never_hashed():
    with pytest.raises(WeakPassword):
        await hash_new_password("password1234")


async def test_every_character_counts_up_to_the_maximum_length(cheap_hashing: None):
    longest = (GOOD * 20)[: MAX_LENGTH - 1]
    hashed = await hash_new_password(longest + "a")
    assert await password_matches(longest + "a", hashed)
    for wrong in (longest, longest + "b", longest + "aa", longest + "a" * 5000):
        assert not await password_matches(wrong, hashed)


async def test_case_and_surrounding_spaces_are_significant(cheap_hashing: None):
    hashed = await hash_new_password(GOOD)
    for wrong in (GOOD.upper(), f" {GOOD}", f"{GOOD} ", f"{GOOD}\n"):
        assert not await password_matches(wrong, hashed)


async def test_no_password_matches_a_missing_account_or_hash(cheap_hashing: None):
    assert not await password_matches(GOOD, None)
    assert not await password_matches("", None)
    assert not await password_matches(GOOD, "not a hash")
    assert not await password_matches("\ud800" * 12, None)


async def test_a_missing_account_takes_as_long_as_a_wrong_password():
    hashed = await hash_new_password(GOOD)
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(3):
        for exists, times in taken.items():
            start = time.process_time()  # whatever else the machine does
            await password_matches("wrong but long enough", hashed if exists else None)
            times.append(time.process_time() - start)
    with_account, without = (statistics.median(taken[exists]) for exists in (True, False))
    assert 0.5 < without / with_account < 2


async def test_a_very_long_password_is_validated_quickly():
    start = time.perf_counter()
    with pytest.raises(WeakPassword):
        await hash_new_password("a1" * 128)
    assert time.perf_counter() - start < 5
