"""Tracking links mailed again to whoever asks with an address; the work is done after the answer, which tells nobody anything."""

from __future__ import annotations

import logging

from services.intake.domain import MailLink
from services.intake.state import State
from shared.clock import NewId
from shared.runtime.decider import Refusal
from shared.runtime.execution import CommandKey, Executor
from shared.storage.port import Find, StoreUnavailable

logger = logging.getLogger(__name__)

MOST = 10
"""Requests of one address, the newest, whose links are mailed at once."""


async def mail_links(executor: Executor[State], address: str, new_id: NewId) -> None:
    """Ask for the links of this address; nobody waits for it, so what fails is only noted."""
    find = Find(order="submitted_at", where={"email": address.lower()}, limit=MOST, descending=True)
    try:
        for kept in (await executor.find(find)).items:
            await executor.execute(kept.id, MailLink(), CommandKey(new_id(), digest=""))
    except (StoreUnavailable, Refusal) as error:
        logger.warning("tracking links could not be asked for: %s", type(error).__name__)
