"""Port of the store of staff accounts, sessions and login attempts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

LOGIN_SUCCESS_TTL = timedelta(days=30)
"""Minimum time for which a store remembers a successful sign-in."""


class Role(StrEnum):
    OFFICER = "officer"
    STRUCTURAL = "structural"
    TECHNICAL = "technical"
    ADMIN = "admin"


class UsernameTaken(Exception):
    """An account with this username exists."""


class ConcurrentModification(Exception):
    """The stored account differs from the one that the change was based on."""


class LastAdmin(Exception):
    """The change would leave no active administrator."""


@dataclass(frozen=True, slots=True)
class Account:
    """A staff account. `password` is an Argon2id hash; `totp` is a base32 secret, or "" without a second factor."""

    username: str
    name: str
    email: str
    roles: tuple[Role, ...]
    password: str
    active: bool = True
    totp: str = ""

    @property
    def is_active_admin(self) -> bool:
        return self.active and Role.ADMIN in self.roles

    @property
    def digest(self) -> str:
        """SHA-256 of all fields in hex; a session is bound to it."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Session:
    """A session. `token_hash` is the SHA-256 of its token; only the client has the token itself."""

    token_hash: str
    username: str
    created_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Key of a request to add an account, with the digest of its content: a reused key must come with the same content."""

    key: str
    digest: str


class AccountStore(Protocol):
    """Store of accounts, sessions and login attempts.

    Every method may raise StoreUnavailable. Conformance suite: tests/adapters/test_account_store.py.
    """

    async def prepare(self) -> None: ...

    async def add(self, account: Account, idempotency_key: IdempotencyKey | None = None) -> Account:
        """Add an account and return it; a repeated key returns the account that was added first.

        Raises: UsernameTaken, IdempotencyKeyReused.
        """

    async def change(self, previous: Account, account: Account) -> None:
        """Replace `previous` with the account of the same username and end its sessions.

        Concurrent calls never remove the last active administrator. Raises: ConcurrentModification if `previous` is not the
        stored account; LastAdmin.
        """

    async def account(self, username: str) -> Account | None: ...

    async def accounts(self) -> list[Account]:
        """All accounts by username."""

    async def accounts_with_role(self, role: Role) -> list[Account]:
        """Active accounts with this role, by username."""

    async def open_session(self, session: Session, account: Account) -> None:
        """Open a session bound to this state of the account.

        Raises: ConcurrentModification if the stored account differs.
        """

    async def session(self, token_hash: str) -> tuple[Session, Account] | None:
        """The session with its account; None if there is none or the account has changed since the session was opened."""

    async def touch_session(self, token_hash: str, at: datetime) -> None:
        """Record that the session was used at this time; an earlier time than the stored one changes nothing."""

    async def close_session(self, token_hash: str) -> None: ...

    async def close_expired_sessions(self, seen_before: datetime, created_before: datetime) -> None: ...

    async def count_attempt(self, limits: Mapping[str, int], at: datetime, since: datetime) -> datetime | None:
        """Count one attempt under each key, unless a key has reached its limit since then.

        Returns None if the attempt was counted; otherwise the time of the attempt that must leave the window first.
        Concurrent calls never count more attempts than the limit.
        """

    async def clear_attempts(self, key: str) -> None: ...

    async def undo_attempt(self, key: str, at: datetime) -> None:
        """Remove one attempt that was counted under this key at this time."""

    async def record_success(self, key: str, at: datetime) -> None:
        """Remember a successful sign-in under this key for at least LOGIN_SUCCESS_TTL."""

    async def has_succeeded(self, key: str, since: datetime) -> bool:
        """Whether a sign-in under this key succeeded at this time or later."""

    async def use_totp_step(self, username: str, step: int) -> bool:
        """Mark the TOTP time step as used; False if the account has used this step or a later one."""
