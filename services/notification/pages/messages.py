"""The pages of the message ledger, for administrators: what was sent to whom, what became of it, and sending it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypedDict
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.notification.domain.decisions import STATUSES, Message, State
from services.notification.domain.notification_rules import APPLICANT
from services.notification.projections import recipient, trouble
from services.notification.service import MessageQuery, NotificationService
from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.runtime.executor import Loaded
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.auth.access import signed_in
from shared.web.forms.posted_form import PostedForm
from shared.web.views.labels import ROLE_LABELS
from shared.web.views.page_routes import PageRoute, add_action, see_other

_page = AdminTemplates("services.notification")

MESSAGES_PATH = "/surel-keluar"
FILTERS = ("request", "status", "after")

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]


class MessageListQuery(MessageQuery):
    """`antre` says that a message has just been queued again."""

    antre: str = Field("", max_length=1)
    limit: int = Field(25, ge=1, le=200)


class MessageRow(TypedDict):
    """A row of the list. `version` is another one whenever something that is shown has changed."""

    id: str
    request: str
    version: str
    number: str
    kind: str
    recipient: str
    status: str
    reason: str
    tries: int
    planned_at: datetime
    retry_at: datetime | None
    resendable: bool


def pages(desk: NotificationService) -> APIRouter:
    """Routes under /surel-keluar."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)

    @routes.get(MESSAGES_PATH)
    async def messages(request: Request, query: Annotated[MessageListQuery, Query()], admin: Admin) -> Response:
        return await _render_messages(request, desk, query, PostedForm())

    add_action(routes, f"{MESSAGES_PATH}/{{message_id}}/kirim-ulang", ResendAction(desk), signed_in(Role.ADMIN))
    return routes


class ResendAction:
    """The button of a row; the list that it stands in comes back with it."""

    def __init__(self, desk: NotificationService) -> None:
        self._service = desk

    async def show(self, request: Request, posted: PostedForm) -> Response:
        return await _render_messages(request, self._service, posted.validate(MessageListQuery), posted)

    async def act(self, request: Request, posted: PostedForm) -> Response:
        query = posted.validate(MessageListQuery)
        await self._service.resend(request, request.path_params["message_id"], request.state.principal)
        return see_other(_list_url(query, antre="1"))


async def _render_messages(
    request: Request, desk: NotificationService, query: MessageListQuery, posted: PostedForm
) -> Response:
    cursor = await desk.store.latest_change()
    found, after = await desk.messages(query)
    return await _page(
        request,
        "messages.html",
        posted=posted,
        query=query,
        lines=[_message_row(*one) for one in found],
        trouble=await trouble(desk.executor),
        cursor=cursor,
        statuses=[(status, _page.words.status[status]) for status in STATUSES],
        newest=_list_url(query, after="") if query.after else "",
        next=_list_url(query, after=after) if after else "",
    )


def _list_url(query: MessageListQuery, **changes: str) -> str:
    """The list with the filters of the query and these changes."""
    parameters: Mapping[str, Any] = {**query.model_dump(include=set(FILTERS)), **changes}
    query_string = urlencode({name: value for name, value in parameters.items() if value})
    return f"{MESSAGES_PATH}?{query_string}" if query_string else MESSAGES_PATH


def _message_row(loaded: Loaded[State], message: Message) -> MessageRow:
    settled = message.settled_at.isoformat() if message.settled_at else ""
    return {
        "id": message.id,
        "request": loaded.id,
        "version": f"{message.status} {message.tries} {settled}",
        "number": loaded.state.number,
        "kind": _page.words.kinds.get(message.kind, message.kind),
        "recipient": _recipient_label(loaded.state, message),
        "status": message.status,
        "reason": message.reason if message.status in ("failed", "unknown") else "",
        "tries": message.tries,
        "planned_at": message.planned_at,
        "retry_at": message.due if message.status in ("failed", "unknown") else None,
        "resendable": message.status not in ("queued", "sending"),
    }


def _recipient_label(state: State, message: Message) -> str:
    """In words, whatever it is: a masked address, everybody of a role, or one member of staff."""
    whom = recipient(state, message)
    if message.to == APPLICANT:
        return whom
    if message.to.startswith("role:"):
        return str(_page.words.recipients.role).format(role=ROLE_LABELS.get(whom, whom))
    return str(_page.words.recipients.staff).format(username=whom)
