"""The application service of intake: what applicants do with a request, whether by page or by API."""

from __future__ import annotations

import logging
from datetime import date
from functools import partial
from typing import Any

from services.intake.domain.commands import ChangeContact, Command, ConfirmContact, MailLink
from services.intake.domain.state import State
from services.intake.errors import INVALID_CONTACT_CODE, REFUSAL_MESSAGES, intake_refusal_problem
from services.intake.recipient_limit import RecipientLimit
from services.intake.schemas import ContactBody, ContactConfirmationBody
from services.intake.submissions import SubmissionService
from shared.backends.platform import Platform
from shared.calendar import today
from shared.runtime.decider import Refusal
from shared.runtime.executor import CommandKey, Loaded
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import RecordQuery, StoreUnavailable
from shared.web.api.commands import command_key, command_result, execute_command, execute_with_key
from shared.web.api.idempotency import CommandContext
from shared.web.api.problems import Problem
from shared.web.api.validation import RequestBody
from shared.web.documents.previews import open_previews

logger = logging.getLogger(__name__)

MAX_LINKS = 10
"""Tracking links that are emailed to one address at once: those of its newest requests."""


class IntakeService:
    """Requests as applicants see them. Who holds the tracking token of a request may read and change it."""

    def __init__(self, runtime: ServiceRuntime[State], platform: Platform) -> None:
        self.platform, self.store, self.executor = platform, runtime.store, runtime.executor
        self.previews = open_previews(platform.documents)
        self._recipient_limit = RecipientLimit(platform)
        self.submissions = SubmissionService(runtime.executor, runtime.store, platform, self._recipient_limit)

    def today(self) -> date:
        """Return the current date in Halmahera Timur."""
        return today(self.platform.clock())

    async def find_request(self, number: str, token: str) -> Loaded[State] | None:
        """Return the request with this number if the token belongs to it."""
        loaded = await self.executor.find_one("number", number) if token else None
        return loaded if loaded is not None and self.platform.tracking.verify(loaded.id, token) else None

    async def execute(
        self, context: CommandContext, loaded: Loaded[State], command: Command, *content: RequestBody | str
    ) -> dict[str, Any]:
        """Execute a command of the applicant; `content` is what the request body said. Raises Problem."""
        actor = loaded.state.number
        return await execute_command(context, self.executor, loaded.id, command, actor, REFUSAL_MESSAGES, *content)

    async def change_contact(
        self, context: CommandContext, loaded: Loaded[State], body: ContactBody, network: str
    ) -> dict[str, Any]:
        """Request another contact; the email that this causes counts against the recipient's limit. Raises Problem."""
        command = ChangeContact(body.email, body.phone)
        key = command_key(context, loaded.id, loaded.state.number, body)
        result = await self.executor.find_result(loaded.id, key)
        if result is None:
            change = partial(execute_with_key, self.executor, loaded.id, command, key, REFUSAL_MESSAGES)
            result = await self._recipient_limit.count(body.email, network, change)
        return command_result(result)

    async def confirm_contact(
        self, context: CommandContext, loaded: Loaded[State], body: ContactConfirmationBody
    ) -> dict[str, Any]:
        """Put a requested contact into effect. Raises Problem 403 for a wrong code."""
        if not self.platform.tracking.verify_contact_code(loaded.id, body.change, body.code):
            raise Problem(403, INVALID_CONTACT_CODE)
        return await self.execute(context, loaded, ConfirmContact(body.change), body)

    async def refusal_problem(self, refusal: Refusal, request_id: str = "") -> Problem:
        """Return the problem that describes a refusal, with the current version of the request, if it exists."""
        loaded = await self.executor.read(request_id) if request_id else None
        return intake_refusal_problem(refusal, loaded.version if loaded else 0)

    async def email_tracking_links(self, address: str) -> None:
        """Email the tracking links of an address, as many as the limit allows.

        Runs after the response, so that its duration reveals nothing about the address; errors are only logged.
        """
        query = RecordQuery(order="submitted_at", where={"email": address.lower()}, limit=MAX_LINKS, descending=True)
        try:
            for loaded in (await self.executor.find(query)).items:
                counted = await self._recipient_limit.count_link_email(address)
                if counted is None:
                    logger.info("the hourly limit of tracking links for one recipient is reached")
                    return
                if not await self._request_link(loaded):
                    await self._recipient_limit.undo(counted)
        except (StoreUnavailable, Refusal) as error:
            logger.warning("tracking links could not be requested: %s", type(error).__name__)

    async def _request_link(self, loaded: Loaded[State]) -> bool:
        """Request the email with a tracking link; False if one was sent a short while ago."""
        key = CommandKey(self.platform.new_id(), digest="")
        try:
            return (await self.executor.execute(loaded.id, MailLink(), key)).version > loaded.version
        except Refusal as refusal:
            logger.warning("a tracking link could not be requested: %s", refusal.code)
            return False
