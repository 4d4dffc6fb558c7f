"""Looks through what is kept for damage, of which a part that is seldom read would tell nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random, SystemRandom

logger = logging.getLogger(__name__)

FIRST_CHECK_SECONDS = 300.0, 1800.0
"""A check reads the whole file: not beside the first requests, nor in all processes that were started together."""
CHECK_INTERVAL_SECONDS = 5.5 * 3600, 6.5 * 3600
MAX_LOGGED_FINDINGS = 5

Check = Callable[[bool], Awaitable[list[str]]]


async def check_storage(check: Check, rng: Random | None = None) -> None:
    """Check now and then until cancelled, and log what is found."""
    rng = rng or SystemRandom()
    await asyncio.sleep(rng.uniform(*FIRST_CHECK_SECONDS))
    while True:
        try:
            for line in (await check(False))[:MAX_LOGGED_FINDINGS]:
                logger.error("the database is damaged, restore a backup: %s", line)
        except Exception as error:
            logger.warning("the database could not be checked for damage: %r", error)
        await asyncio.sleep(rng.uniform(*CHECK_INTERVAL_SECONDS))
