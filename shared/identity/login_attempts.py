"""Limits on failed sign-ins: an attack locks out the address that it comes from, not the owner of the attacked account."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.identity.accounts import LOGIN_SUCCESS_TTL, AccountStore

logger = logging.getLogger(__name__)

ATTEMPT_WINDOW = timedelta(minutes=15)
MAX_FAILURES_PER_ACCOUNT_AND_ADDRESS = 10
MAX_FAILURES_PER_ACCOUNT = 100
"""Over all addresses; too few guesses in one window to find a password that `validate_password` accepts."""
MAX_FAILURES_PER_ADDRESS = 50
"""Over all accounts."""


class TooManyFailures(Exception):
    """Too many failed sign-ins; the next attempt is allowed after `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted attempt: `key` is the key of account and address together, `shared_keys` those of either alone."""

    key: str
    shared_keys: tuple[str, ...]
    at: datetime


class LoginAttempts:
    """Counts failed sign-ins in the store, for all processes."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store

    async def record(self, username: str, address: str, now: datetime) -> Attempt:
        """Count the attempt as failed until `record_success`, so that parallel attempts get no more guesses than serial ones.

        For an address from which the account has recently signed in only the limit of the two together applies: failures of
        others do not lock it out. Raises: TooManyFailures.
        """
        key = _key("account_and_address", username, address)
        known = await self._store.has_succeeded(key, now - LOGIN_SUCCESS_TTL)
        shared = {} if known else _shared_limits(username, address)
        limits = {**shared, key: MAX_FAILURES_PER_ACCOUNT_AND_ADDRESS}
        oldest = await self._store.count_attempt(limits, now, now - ATTEMPT_WINDOW)
        if oldest is not None:
            logger.warning("too many failed sign-ins, refused from %s", address)
            raise TooManyFailures(max(1, math.ceil((oldest + ATTEMPT_WINDOW - now).total_seconds())))
        return Attempt(key, tuple(shared), now)

    async def record_success(self, attempt: Attempt) -> None:
        """Clear the failures of this account at this address, and undo this attempt under the shared keys."""
        await self._store.record_success(attempt.key, attempt.at)
        await self._store.clear_attempts(attempt.key)
        for key in attempt.shared_keys:
            await self._store.undo_attempt(key, attempt.at)


def _shared_limits(username: str, address: str) -> Mapping[str, int]:
    return {
        f"address:{address}": MAX_FAILURES_PER_ADDRESS,
        _key("account", username): MAX_FAILURES_PER_ACCOUNT,
    }


def _key(kind: str, *parts: str) -> str:
    """Hash the names: users sometimes type a password into the username field."""
    return f"{kind}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"
