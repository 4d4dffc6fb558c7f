"""How often anybody without an account may have an e-mail sent to one recipient, whichever address the calls come from."""

from __future__ import annotations

import hashlib
import math
from datetime import timedelta

from services.intake.fields import words
from shared.platform import Platform
from shared.web.problems import Problem

WINDOW = timedelta(hours=1)
MAX_EMAILS_PER_RECIPIENT = 10
_DOTS_DO_NOT_COUNT = frozenset({"gmail.com", "googlemail.com"})


class RecipientLimit:
    """Counted in the store of accounts, for all processes; off with the limit of addresses."""

    def __init__(self, platform: Platform):
        self._store, self._clock = platform.accounts, platform.clock
        self._on = platform.settings.public_rate > 0

    async def count(self, address: str) -> None:
        """Count one e-mail, whether or not the address is known to us. Raises Problem 429."""
        if not self._on:
            return
        now = self._clock()
        key = f"recipient:{hashlib.sha256(_mailbox(address).encode()).hexdigest()}"
        oldest = await self._store.count_try({key: MAX_EMAILS_PER_RECIPIENT}, now, now - WINDOW)
        if oldest is not None:
            raise _too_often(max(1, math.ceil((oldest + WINDOW - now).total_seconds())))


def _too_often(seconds: int) -> Problem:
    sentence = str(words.wrong.recipient_often).format(minutes=math.ceil(seconds / 60))
    return Problem(429, sentence, headers={"Retry-After": str(seconds)})


def _mailbox(address: str) -> str:
    """The same for the ways of writing an address that lead into one mailbox nearly everywhere."""
    name, _, domain = address.lower().rpartition("@")
    name = name.partition("+")[0] or name
    return f"{name.replace('.', '') if domain in _DOTS_DO_NOT_COUNT else name}@{domain}"
