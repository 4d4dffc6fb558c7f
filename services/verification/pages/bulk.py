"""The form around the queue that claims the ticked requests or assigns them to a colleague, and the page of its outcomes."""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.verification.dependencies import require_officer
from services.verification.errors import TEXTS
from services.verification.pages import QUEUE_PATH
from services.verification.pages.officer_page import OfficerPage
from services.verification.schemas import BulkClaim
from shared.web.api.problems import validation_problem
from shared.web.api.validation import FieldError
from shared.web.forms.posted_form import PostedForm
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

router = APIRouter(prefix=QUEUE_PATH, route_class=PageRoute, include_in_schema=False)


class BulkPage(OfficerPage):
    """Claims many requests; without ticked rows it leads back to the queue."""

    async def show(self, posted: PostedForm) -> Response:
        if posted.problem is not None:
            raise posted.problem
        return see_other(QUEUE_PATH)

    async def submit(self, posted: PostedForm) -> Response:
        if not posted.many("ids"):
            return see_other(QUEUE_PATH)
        assigning = posted.button == "assign"
        if assigning and not posted.text("officer"):
            raise validation_problem([FieldError("officer", TEXTS.team.choose)])
        body = BulkClaim(ids=tuple(posted.many("ids")), officer=posted.text("officer") if assigning else None)
        results = await self.verification.execute_bulk(self.context, body, self.officer.staff)
        return await self.render("bulk_results.html", results=results, base=QUEUE_PATH)


add_form_page(router, "/massal", BulkPage, require_officer)
