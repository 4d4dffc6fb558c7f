"""The page on which the head appoints or replaces the lead of the requests that were ticked in a list, and its outcomes."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from services.assignment.dependencies import require_head
from services.assignment.domain.decisions import suggested_target
from services.assignment.errors import WORDS
from services.assignment.pages import QUEUE_PATH
from services.assignment.pages.offered_target import validate_with_target
from services.assignment.pages.staff_page import HeadPage
from services.assignment.schemas import BulkAssignment, BulkReassignment
from shared.web.api.bulk import MAX_BULK
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class BulkPage(HeadPage):
    """Appoints or replaces one lead for many requests; without ticked rows it leads back to the list."""

    async def show(self, posted: PostedForm) -> Response:
        query = self.request.query_params
        ids = list(posted.many("ids") or query.getlist("ids"))[:MAX_BULK]
        replacing = (posted.text("action") or query.get("action", "")) == "reassignment"
        chosen = [self.request_context(loaded) for loaded in await self.assignment.executor.read_many(ids)]
        if not chosen:
            return see_other(QUEUE_PATH)
        return await self.render(
            "bulk.html",
            posted=posted,
            title=WORDS.bulk.replace if replacing else WORDS.bulk.appoint,
            action="reassignment" if replacing else "assignment",
            chosen=chosen,
            people=await self.assignment.list_workloads(),
            suggested=suggested_target(self.assignment.today(), self.assignment.rules),
        )

    async def submit(self, posted: PostedForm) -> Response:
        body: BulkAssignment | BulkReassignment
        replacing = posted.text("action") == "reassignment"
        ids = tuple(posted.many("ids"))[:MAX_BULK]
        if replacing:
            body = validate_with_target(posted, BulkReassignment, ids=ids)
        else:
            body = validate_with_target(posted, BulkAssignment, ids=ids)
        results = await self.assignment.execute_bulk(self.context, body, self.principal.staff)
        return await self.render("bulk_results.html", results=results, base=QUEUE_PATH)


add_form_page(router, f"{QUEUE_PATH}/massal", BulkPage, require_head)
