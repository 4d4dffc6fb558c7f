"""Limits on failed sign-ins: a flood of them locks out the address that it comes from, not the person whose account it tries."""

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
"""Over all addresses: so many guesses in a quarter of an hour find no password that we accept."""
MAX_FAILURES_PER_ADDRESS = 50
"""Over all accounts."""


class TooManyFailures(Exception):
    """Too many failed sign-ins; the next try is heard after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that was counted: under its own key, which is of this account and address alone, and under shared ones."""

    key: str
    shared_keys: tuple[str, ...]
    at: datetime


class LoginAttempts:
    """Failed sign-ins as they are counted in the store, for all processes."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store

    async def record(self, username: str, address: str, now: datetime) -> Attempt:
        """Count an attempt as failed until it succeeds, so that many at once are not heard more often than one by one.

        An address from which this account was signed in to lately meets the limit of the two together alone: what others fail
        at, there or elsewhere, does not lock it out. Raises TooManyFailures.
        """
        key = _key("account_and_address", username, address)
        known = await self._store.succeeded(key, now - LOGIN_SUCCESS_TTL)
        shared = {} if known else _shared_limits(username, address)
        limits = {**shared, key: MAX_FAILURES_PER_ACCOUNT_AND_ADDRESS}
        oldest = await self._store.count_attempt(limits, now, now - ATTEMPT_WINDOW)
        if oldest is not None:
            logger.warning("too many failed sign-ins, refused from %s", address)
            raise TooManyFailures(max(1, math.ceil((oldest + ATTEMPT_WINDOW - now).total_seconds())))
        return Attempt(key, tuple(shared), now)

    async def succeeded(self, attempt: Attempt) -> None:
        """Forget the failures of this account at this address, and that this attempt counted as one anywhere."""
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
    """Names are hashed, because people type their passwords into their field; nobody learns whether there is such an account."""
    return f"{kind}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"
