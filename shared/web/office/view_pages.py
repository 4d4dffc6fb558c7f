"""The page of the saved views: the form that saves one, and those that rename it, make it the default one, and delete it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.web.admin.admin_pages import AdminTemplates
from shared.web.forms.posted_form import PostedForm
from shared.web.office.views import (
    LIST_PATHS,
    PAGE_PATH,
    STAFF,
    Context,
    ListName,
    Staff,
    ViewBody,
    ViewUpdate,
    add_view,
    views_of,
)
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

SAVED = "tersimpan"

templates = AdminTemplates("shared.web.office")
router = APIRouter(route_class=PageRoute, include_in_schema=False)


class ViewsPage:
    """All saved views of the signed-in person; opened from a list, also the form that saves what the list shows."""

    def __init__(self, request: Request, staff: Staff, context: Context) -> None:
        self._request = request
        self._staff = staff
        self._context = context

    async def show(self, posted: PostedForm) -> Response:
        query: Any = self._request.query_params
        chosen = posted.text("list", query.get("list", ""))
        return await templates(
            self._request,
            "views.html",
            posted=posted,
            views=await views_of(self._request, self._staff).all(),
            list_name=chosen if chosen in list(ListName) and not posted.text("id") else "",
            query=posted.text("query", query.get("query", "")),
            back=LIST_PATHS[ListName(chosen)] if chosen in list(ListName) else "",
            saved=SAVED in query and not posted.sent,
        )

    async def submit(self, posted: PostedForm) -> Response:
        default = bool(posted.text("default"))
        if not (view_id := posted.text("id")):
            body = posted.validate(ViewBody, default=default)
            return see_other((await add_view(self._request, self._staff, body, self._context)).url)
        views = views_of(self._request, self._staff)
        if posted.button == "delete":
            await views.remove(view_id)
        else:
            await views.update(view_id, posted.validate(ViewUpdate, "id", default=default))
        return see_other(f"{PAGE_PATH}?{SAVED}")


add_form_page(router, PAGE_PATH, ViewsPage, STAFF)
