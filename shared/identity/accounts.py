"""Staff accounts and sessions as they are kept: the port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Role(StrEnum):
    OFFICER = "officer"
    STRUCTURAL = "structural"
    TECHNICAL = "technical"
    ADMIN = "admin"


class UsernameTaken(Exception):
    """There is an account of this name already."""


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


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in; `token_hash` is the SHA-256 of the token, which nobody keeps but its owner."""

    token_hash: str
    username: str
    created_at: datetime
    seen_at: datetime


class AccountStore(Protocol):
    """Every call may raise StoreUnavailable. Contract suite: tests/contracts/test_account_store.py."""

    async def prepare(self) -> None: ...

    async def add(self, account: Account) -> None:
        """Raises UsernameTaken."""

    async def change(self, account: Account) -> None:
        """Replace the account of this username and end its sessions."""

    async def account(self, username: str) -> Account | None: ...

    async def accounts(self) -> list[Account]:
        """All accounts by username."""

    async def with_role(self, role: Role) -> list[Account]:
        """The active accounts that have this role, by username."""

    async def open_session(self, session: Session) -> None: ...

    async def session(self, token_hash: str) -> tuple[Session, Account] | None: ...

    async def touch(self, token_hash: str, at: datetime) -> None: ...

    async def close_session(self, token_hash: str) -> None: ...

    async def close_old_sessions(self, seen_before: datetime, created_before: datetime) -> None: ...

    async def note_failure(self, keys: Sequence[str], at: datetime) -> None:
        """A failed sign-in, counted under each key."""

    async def failures(self, key: str, since: datetime) -> int: ...

    async def forget_failures(self, key: str) -> None: ...
