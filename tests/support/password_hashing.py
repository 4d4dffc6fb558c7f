"""Argon2 at the lowest cost: a real hash takes a tenth of a second, and `unit/identity/test_passwords.py` tests that cost."""

from __future__ import annotations

from functools import cache

import pytest
from argon2 import PasswordHasher

from shared.identity import passwords

REAL_HASHER, REAL_DUMMY_HASH = passwords._hasher, passwords._DUMMY_HASH
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def use_cheap_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", CHEAP_HASHER)
    monkeypatch.setattr(passwords, "_DUMMY_HASH", passwords._make_dummy_hash())


def use_real_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", REAL_HASHER)
    monkeypatch.setattr(passwords, "_DUMMY_HASH", REAL_DUMMY_HASH)


def hash_of(password: str) -> str:
    """Return the hash of the current hasher, cached per hasher."""
    return _hash(passwords._hasher, password)


@cache
def _hash(hasher: PasswordHasher, password: str) -> str:
    return hasher.hash(password)
