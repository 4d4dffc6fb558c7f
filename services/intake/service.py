"""What applicants do by page and by program alike: a key opens a request, and commands are obeyed for it."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import Request
from starlette.background import BackgroundTask

from services.intake.domain.state import State
from services.intake.errors import SENTENCES, intake_refusal_problem
from services.intake.presenters import find_by_token
from services.intake.recipient_limit import RecipientLimit
from services.intake.submissions import SubmissionService
from services.intake.tracking_links import mail_links
from shared.backends.platform import Platform
from shared.calendar import today
from shared.runtime.decider import Refusal
from shared.runtime.executor import Loaded
from shared.runtime.service_runtime import ServiceRuntime
from shared.web.api.commands import execute_command
from shared.web.api.problems import Problem
from shared.web.api.validation import RequestBody


class IntakeService:
    """The applicants' side of intake on this platform."""

    def __init__(self, runtime: ServiceRuntime[State], platform: Platform) -> None:
        self.platform, self.store, self.executor = platform, runtime.store, runtime.executor
        self._recipient_limit = RecipientLimit(platform)
        self.reception = SubmissionService(runtime.executor, runtime.store, platform, self._recipient_limit)

    @property
    def day(self) -> date:
        """Today in Halmahera Timur."""
        return today(self.platform.clock())

    async def opened(self, number: str, key: str) -> Loaded[State] | None:
        """The request with this number, for whoever holds its key."""
        return await find_by_token(self.executor, self.platform.tracking, number, key) if key else None

    async def execute_command(
        self, request: Request, loaded: Loaded[State], command: object, *parts: RequestBody | str
    ) -> dict[str, Any]:
        """What the applicant's command is answered; `parts` are what was asked for. Raises Problem."""
        return await execute_command(request, self.executor, loaded.id, command, loaded.state.number, SENTENCES, *parts)

    async def problem_of(self, refusal: Refusal, request_id: str = "") -> Problem:
        """The refusal with where the request stands now, if there is one yet."""
        now = await self.executor.read(request_id) if request_id else None
        return intake_refusal_problem(refusal, now.version if now else 0)

    def link_email_task(self, address: str) -> BackgroundTask:
        """To be done after an answer that is the same for every address, whatever becomes of it."""
        return BackgroundTask(mail_links, self.executor, self._recipient_limit, address, self.platform.new_id)
