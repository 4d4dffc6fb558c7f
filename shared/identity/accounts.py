"""Staff accounts and sessions as they are kept: the port."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from shared.runtime.executor import IdempotencyKeyReused as IdempotencyKeyReused

LOGIN_SUCCESS_TTL = timedelta(days=30)
"""How long a store remembers at least that a sign-in succeeded."""


class Role(StrEnum):
    OFFICER = "officer"
    STRUCTURAL = "structural"
    TECHNICAL = "technical"
    ADMIN = "admin"


class UsernameTaken(Exception):
    """There is an account of this name already."""


class ConcurrentModification(Exception):
    """Somebody else changed the account meanwhile."""


class LastAdmin(Exception):
    """Nobody would be left who can look after accounts."""


@dataclass(frozen=True, slots=True)
class Account:
    """A member of staff who may sign in. `password` is an Argon2id hash, `totp` a base32 secret or ""."""

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
        """The SHA-256 of everything in it, in hexadecimal digits: what a session is bound to."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in; `token_hash` is the SHA-256 of the token, which nobody keeps but its owner."""

    token_hash: str
    username: str
    created_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a repeated order for an account is known by: the same key must ask for the same thing."""

    key: str
    digest: str


class AccountStore(Protocol):
    """Every call may raise StoreUnavailable. Contract suite: tests/adapters/test_account_store.py."""

    async def prepare(self) -> None: ...

    async def add(self, account: Account, idempotency_key: IdempotencyKey | None = None) -> Account:
        """The account as it is kept; of a repeated order the one that it made first. Raises UsernameTaken, KeyReused."""

    async def change(self, previous: Account, account: Account) -> None:
        """Replace `was` by the account of the same username, and end its sessions.

        Raises Outdated if `was` is not what is stored, and LastAdmin if it is the only active administrator and the new one
        is none. Of several calls at once at least one administrator is left.
        """

    async def account(self, username: str) -> Account | None: ...

    async def accounts(self) -> list[Account]:
        """All accounts by username."""

    async def accounts_with_role(self, role: Role) -> list[Account]:
        """The active accounts that have this role, by username."""

    async def open_session(self, session: Session, account: Account) -> None:
        """Open a session that is bound to the account exactly as it is given. Raises Outdated if that is not what is stored."""

    async def session(self, token_hash: str) -> tuple[Session, Account] | None:
        """The session with its account, None if there is none, or if the account is not what the session was opened for."""

    async def touch_session(self, token_hash: str, at: datetime) -> None:
        """The session was used at this time; an earlier time than the one known changes nothing."""

    async def close_session(self, token_hash: str) -> None: ...

    async def close_expired_sessions(self, seen_before: datetime, created_before: datetime) -> None: ...

    async def count_attempt(self, limits: Mapping[str, int], at: datetime, since: datetime) -> datetime | None:
        """Count one try under each key, unless one of them had as many as its limit since then.

        Then nothing is counted, and the answer is the time of the try that has to grow old before the next is allowed. Of
        several calls at once no more than the limit are counted.
        """

    async def clear_attempts(self, key: str) -> None: ...

    async def undo_attempt(self, key: str, at: datetime) -> None:
        """Forget one try of this key that was counted at this time."""

    async def record_success(self, key: str, at: datetime) -> None:
        """Remember for SUCCESS_REMEMBERED_FOR or longer that a sign-in succeeded under this key."""

    async def succeeded(self, key: str, since: datetime) -> bool:
        """Whether a sign-in succeeded under this key at this time or later."""

    async def use_totp_step(self, username: str, step: int) -> bool:
        """Whether this account never used a code of this time step or a later one; from now on it did."""
