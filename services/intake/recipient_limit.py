"""How many e-mails anybody without an account may have sent to one recipient in an hour."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.intake.schemas import words
from shared.backends.platform import Platform
from shared.storage.port import StoreUnavailable
from shared.web.api.problems import Problem

WINDOW = timedelta(hours=1)
MAX_SUBMISSIONS_FROM_NETWORK = 10
"""For one recipient from one network, so that a flood from elsewhere does not stop those who use the mailbox."""
MAX_SUBMISSIONS = 40
"""For one recipient from all networks."""
MAX_LINK_EMAILS = 10
_DOT_INSENSITIVE_DOMAINS = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class CountedEmail:
    """One e-mail that was counted, under these keys."""

    keys: tuple[str, ...]
    at: datetime


class RecipientLimit:
    """Counted in the store of accounts, for all processes; off with the limit of addresses."""

    def __init__(self, platform: Platform) -> None:
        self._store, self._clock = platform.accounts, platform.clock
        self._enabled = platform.settings.public_rate > 0

    async def count_submission(self, address: str, network: str) -> CountedEmail:
        """Count a submission from this network, whether or not the address is known to us. Raises Problem 429."""
        mailbox = _normalize_mailbox(address)
        limits = {_key("submissions", mailbox): MAX_SUBMISSIONS}
        limits[_key("submissions_from", mailbox, network)] = MAX_SUBMISSIONS_FROM_NETWORK
        now = self._clock()
        oldest = await self._count(limits, now)
        if oldest is not None:
            raise _too_many_emails(max(1, math.ceil((oldest + WINDOW - now).total_seconds())))
        return CountedEmail(tuple(limits), now)

    async def count_link_email(self, address: str) -> CountedEmail | None:
        """Count an e-mail with a tracking link; None if there were too many already."""
        limits, now = {_key("links", _normalize_mailbox(address)): MAX_LINK_EMAILS}, self._clock()
        return None if await self._count(limits, now) else CountedEmail(tuple(limits), now)

    async def take_back(self, counted: CountedEmail) -> None:
        """Count an e-mail no longer, since it is not sent."""
        if self._enabled:
            with suppress(StoreUnavailable):  # it is forgotten within the hour, and what failed before is told instead
                for key in counted.keys:
                    await self._store.undo_attempt(key, counted.at)

    async def _count(self, limits: Mapping[str, int], now: datetime) -> datetime | None:
        return await self._store.count_attempt(limits, now, now - WINDOW) if self._enabled else None


def _too_many_emails(seconds: int) -> Problem:
    sentence = str(words.wrong.recipient_often).format(minutes=math.ceil(seconds / 60))
    return Problem(429, sentence, headers={"Retry-After": str(seconds)})


def _key(kind: str, *parts: str) -> str:
    return f"recipient_{kind}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"


def _normalize_mailbox(address: str) -> str:
    """The same for the ways of writing an address that lead into one mailbox nearly everywhere."""
    name, _, domain = address.lower().rpartition("@")
    name = name.partition("+")[0] or name
    return f"{name.replace('.', '') if domain in _DOT_INSENSITIVE_DOMAINS else name}@{domain}"
