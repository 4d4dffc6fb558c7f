"""The page on which the structural head changes the target of the work."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from services.assignment.dependencies import require_head
from services.assignment.domain.commands import ChangeTarget
from services.assignment.domain.decisions import ASSIGNED_STATUSES
from services.assignment.domain.state import State
from services.assignment.pages import QUEUE_PATH
from services.assignment.pages.offered_target import target_offer, validate_target
from services.assignment.pages.staff_page import HeadRequestPage
from services.assignment.schemas import TargetBody
from shared.runtime.executor import Loaded
from shared.web.forms.posted_form import PostedForm
from shared.web.views.navigation import page_url
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class TargetPage(HeadRequestPage):
    """The form for another target; the lead stays."""

    template = "target.html"
    statuses = ASSIGNED_STATUSES

    async def extra_context(self, _loaded: Loaded[State], posted: PostedForm) -> dict[str, Any]:
        return {"offer": target_offer(posted, self.assignment.rules.calendar)}

    async def submit(self, posted: PostedForm) -> Response:
        loaded = await self.load()
        body = validate_target(posted, TargetBody, self.assignment.rules.calendar)
        command = ChangeTarget(self.principal.staff, body.target_date, body.reason)
        await self.assignment.execute(self.context, loaded.id, command, body)
        return see_other(page_url(QUEUE_PATH, tab="running", done="target", number=loaded.state.number))


add_form_page(router, f"{QUEUE_PATH}/{{request_id}}/target", TargetPage, require_head)
