"""Tracking links mailed again to whoever asks with an address; the work is done after the answer, which tells nobody anything."""

from __future__ import annotations

import logging

from services.intake.domain.commands import MailLink
from services.intake.domain.state import State
from services.intake.recipient_limit import RecipientLimit
from shared.clock import NewId
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandKey, Executor, Loaded
from shared.storage.port import RecordQuery, StoreUnavailable

logger = logging.getLogger(__name__)

MAX_LINKS = 10
"""Requests of one address, the newest, whose links are mailed at once."""


async def mail_links(executor: Executor[State], recipients: RecipientLimit, address: str, new_id: NewId) -> None:
    """Ask for the links of this address, as many as it may get; nobody waits for it, so what fails is only noted."""
    find = RecordQuery(order="submitted_at", where={"email": address.lower()}, limit=MAX_LINKS, descending=True)
    try:
        for loaded in (await executor.find(find)).items:
            counted_email = await recipients.count_link_email(address)
            if counted_email is None:
                logger.info("a recipient got as many tracking links as it may in an hour")
                return
            if not await _request_link(executor, loaded, CommandKey(new_id(), digest="")):
                await recipients.take_back(counted_email)
    except (StoreUnavailable, Refusal) as error:
        logger.warning("tracking links could not be asked for: %s", type(error).__name__)


async def _request_link(executor: Executor[State], loaded: Loaded[State], key: CommandKey) -> bool:
    """Whether an e-mail follows: not for a link that was mailed a moment ago."""
    try:
        return (await executor.execute(loaded.id, MailLink(), key)).version > loaded.version
    except Refusal as refusal:
        logger.warning("a tracking link could not be asked for: %s", refusal.code)
        return False
