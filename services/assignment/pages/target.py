"""The page on which the structural head changes the target of the work."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from services.assignment.dependencies import require_head
from services.assignment.domain.commands import ChangeTarget
from services.assignment.domain.decisions import ASSIGNED_STATUSES
from services.assignment.pages import QUEUE_PATH
from services.assignment.pages.head import RequestPage, request_url
from services.assignment.pages.offered_target import target_offer, validate_target
from services.assignment.pages.staff_page import url
from services.assignment.schemas import TargetBody
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class TargetPage(RequestPage):
    """The form for another target; the lead stays."""

    async def show(self, posted: PostedForm) -> Response:
        cursor = await self.assignment.store.latest_change()
        loaded = await self.assignment.get_request(self.request_id)
        if loaded.state.status not in ASSIGNED_STATUSES and not posted.sent:
            return see_other(request_url(loaded))
        return await self.render(
            "target.html",
            posted=posted,
            cursor=cursor,
            request=self.request_context(loaded),
            request_url=request_url(loaded),
            back=request_url(loaded),
            offer=target_offer(posted, self.assignment.rules.calendar),
        )

    async def submit(self, posted: PostedForm) -> Response:
        loaded = await self.assignment.get_request(self.request_id)
        body = validate_target(posted, TargetBody, self.assignment.rules.calendar)
        command = ChangeTarget(self.principal.staff, body.target_date, body.reason)
        await self.assignment.execute(self.context, loaded.id, command, body)
        return see_other(url(QUEUE_PATH, tab="running", done="target", number=loaded.state.number))


add_form_page(router, f"{QUEUE_PATH}/{{request_id}}/target", TargetPage, require_head)
