"""Hourly limit of emails to one recipient that anonymous callers can trigger."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.intake.schemas import texts
from shared.backends.platform import Platform
from shared.runtime.executor import CommandResult
from shared.storage.port import StoreUnavailable
from shared.web.api.problems import Problem

WINDOW = timedelta(hours=1)
MAX_SUBMISSIONS_FROM_NETWORK = 10
"""For one recipient from one network; a flood from other networks does not lock out the owner of the mailbox."""
MAX_SUBMISSIONS = 40
"""For one recipient from all networks."""
MAX_LINK_EMAILS = 10
_DOT_INSENSITIVE_DOMAINS = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class CountedEmail:
    """An email that was counted under these keys."""

    keys: tuple[str, ...]
    counted_at: datetime


class RecipientLimit:
    """Counts emails in the account store, shared by all processes; disabled together with the public rate limit."""

    def __init__(self, platform: Platform) -> None:
        self._store, self._clock = platform.accounts, platform.clock
        self._enabled = platform.settings.public_rate > 0

    async def count(self, address: str, network: str, execute: Callable[[], Awaitable[CommandResult]]) -> CommandResult:
        """Count the email that a command causes, then execute it; one that fails or was executed before does not count.

        Raises Problem 429 over the limit, whether or not the address is known, and what `execute` raises.
        """
        counted = await self._count_submission(address, network)
        try:
            result = await execute()
        except Exception:
            await self.undo(counted)
            raise
        if result.repeated:
            await self.undo(counted)
        return result

    async def _count_submission(self, address: str, network: str) -> CountedEmail:
        mailbox = _normalize_mailbox(address)
        limits = {_key("submissions", mailbox): MAX_SUBMISSIONS}
        limits[_key("submissions_from", mailbox, network)] = MAX_SUBMISSIONS_FROM_NETWORK
        now = self._clock()
        oldest = await self._count_attempt(limits, now)
        if oldest is not None:
            raise _too_many_emails(max(1, math.ceil((oldest + WINDOW - now).total_seconds())))
        return CountedEmail(tuple(limits), now)

    async def count_link_email(self, address: str) -> CountedEmail | None:
        """Count an email with a tracking link; None if the limit is reached."""
        limits, now = {_key("links", _normalize_mailbox(address)): MAX_LINK_EMAILS}, self._clock()
        return None if await self._count_attempt(limits, now) else CountedEmail(tuple(limits), now)

    async def undo(self, counted: CountedEmail) -> None:
        """Stop counting an email that is not sent after all."""
        if self._enabled:
            with suppress(StoreUnavailable):  # the count expires within the hour, and the original error matters more
                for key in counted.keys:
                    await self._store.undo_attempt(key, counted.counted_at)

    async def _count_attempt(self, limits: Mapping[str, int], now: datetime) -> datetime | None:
        return await self._store.count_attempt(limits, now, now - WINDOW) if self._enabled else None


def _too_many_emails(seconds: int) -> Problem:
    detail = str(texts.wrong.recipient_often).format(minutes=math.ceil(seconds / 60))
    return Problem(429, detail, headers={"Retry-After": str(seconds)})


def _key(kind: str, *parts: str) -> str:
    return f"recipient_{kind}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"


def _normalize_mailbox(address: str) -> str:
    """Return one spelling for the variants of an address that most servers deliver to the same mailbox."""
    name, _, domain = address.lower().rpartition("@")
    name = name.partition("+")[0] or name
    return f"{name.replace('.', '') if domain in _DOT_INSENSITIVE_DOMAINS else name}@{domain}"
