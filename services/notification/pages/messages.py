"""The page of the message ledger, on which administrators see and resend emails."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from services.notification.dependencies import Admin, Context, Notification, require_admin
from services.notification.domain.state import STATUSES
from services.notification.presenters import message_row
from services.notification.schemas import MessageListQuery
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.forms.posted_form import PostedForm
from shared.web.views.navigation import page_url
from shared.web.views.page_routes import PageRoute, add_form_action, see_other

_templates = AdminTemplates("services.notification")

MESSAGES_PATH = "/surel-keluar"
FILTERS = {"request", "status", "after"}

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class MessageList:
    """The page; made for one call."""

    def __init__(self, request: Request, notification: Notification) -> None:
        self._request, self._notification = request, notification

    async def render(self, query: MessageListQuery, posted: PostedForm) -> Response:
        cursor = await self._notification.store.latest_change()
        messages, after = await self._notification.list_messages(query)
        return await _templates(
            self._request,
            "messages.html",
            posted=posted,
            query=query,
            lines=[message_row(loaded, message) for loaded, message in messages],
            trouble=await self._notification.count_delivery_problems(),
            cursor=cursor,
            tabs=_status_tabs(query),
            files=[_list_url(query, f"/api/notification/requests.{kind}", after="") for kind in ("csv", "xlsx")],
            newest=_list_url(query, after="") if query.after else "",
            next=_list_url(query, after=after) if after else "",
        )


@router.get(MESSAGES_PATH)
async def show_messages(
    query: Annotated[MessageListQuery, Query()], _admin: Admin, page: Annotated[MessageList, Depends()]
) -> Response:
    return await page.render(query, PostedForm())


class ResendAction:
    """The button of a row; a refusal is shown on the list that the row is on."""

    def __init__(
        self,
        message_id: str,
        admin: Admin,
        notification: Notification,
        context: Context,
        page: Annotated[MessageList, Depends()],
    ) -> None:
        self._message_id = message_id
        self._admin = admin
        self._context = context
        self._notification, self._page = notification, page

    async def show(self, posted: PostedForm) -> Response:
        return await self._page.render(posted.validate(MessageListQuery), posted)

    async def submit(self, posted: PostedForm) -> Response:
        query = posted.validate(MessageListQuery)
        await self._notification.resend(self._context, self._message_id, self._admin)
        return see_other(_list_url(query, antre="1"))


add_form_action(router, f"{MESSAGES_PATH}/{{message_id}}/kirim-ulang", ResendAction, require_admin)


def _status_tabs(query: MessageListQuery) -> list[tuple[str, str, bool, None]]:
    """Return a tab for all emails and one per status: label, URL, whether it is selected, and no count."""
    labels: dict[str, str] = {
        "": _templates.words.ledger.all,
        **{str(status): _templates.words.status[status] for status in STATUSES},
    }
    return [
        (label, _list_url(query, status=status, after=""), (query.status or "") == status, None)
        for status, label in labels.items()
    ]


def _list_url(query: MessageListQuery, path: str = MESSAGES_PATH, **changes: str) -> str:
    """Return the URL of the list, or of its file, with the filters of the query and these changes."""
    return page_url(path, **{**query.model_dump(include=FILTERS), **changes})
