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

from services.notification.desk import Desk, MessageQuery
from services.notification.domain import STATUSES, Message, State
from services.notification.planning import APPLICANT
from services.notification.queries import recipient, trouble
from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.runtime.execution import Kept
from shared.web.access import signed_in
from shared.web.admin_pages import AdminPages
from shared.web.labels import ROLE_LABELS
from shared.web.page_routes import PageRoute, add_action, see
from shared.web.posted import Posted

_page = AdminPages("services.notification")

MESSAGES = "/surel-keluar"
FILTERS = ("request", "status", "after")

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]


class LedgerQuery(MessageQuery):
    """`antre` says that a message has just been queued again."""

    antre: str = Field("", max_length=1)
    limit: int = Field(25, ge=1, le=200)


class Line(TypedDict):
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


def pages(desk: Desk) -> APIRouter:
    """Routes under /surel-keluar."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)

    @routes.get(MESSAGES)
    async def messages(request: Request, query: Annotated[LedgerQuery, Query()], admin: Admin) -> Response:
        return await _shown(request, desk, query, Posted())

    add_action(routes, f"{MESSAGES}/{{message_id}}/kirim-ulang", Resend(desk), signed_in(Role.ADMIN))
    return routes


class Resend:
    """The button of a row; the list that it stands in comes back with it."""

    def __init__(self, desk: Desk):
        self._desk = desk

    async def show(self, request: Request, posted: Posted) -> Response:
        return await _shown(request, self._desk, posted.judged(LedgerQuery), posted)

    async def act(self, request: Request, posted: Posted) -> Response:
        query = posted.judged(LedgerQuery)
        await self._desk.resend(request, request.path_params["message_id"], request.state.principal)
        return see(_address(query, antre="1"))


async def _shown(request: Request, desk: Desk, query: LedgerQuery, posted: Posted) -> Response:
    cursor = await desk.store.latest_change()
    found, after = await desk.messages(query)
    return await _page(
        request,
        "messages.html",
        posted=posted,
        query=query,
        lines=[_line(*one) for one in found],
        trouble=await trouble(desk.executor),
        cursor=cursor,
        statuses=[(status, _page.words.status[status]) for status in STATUSES],
        newest=_address(query, after="") if query.after else "",
        next=_address(query, after=after) if after else "",
    )


def _address(query: LedgerQuery, **changes: str) -> str:
    """The list with the filters of the query and these changes."""
    chosen: Mapping[str, Any] = {**query.model_dump(include=set(FILTERS)), **changes}
    given = urlencode({name: value for name, value in chosen.items() if value})
    return f"{MESSAGES}?{given}" if given else MESSAGES


def _line(kept: Kept[State], message: Message) -> Line:
    settled = message.settled_at.isoformat() if message.settled_at else ""
    return {
        "id": message.id,
        "request": kept.id,
        "version": f"{message.status} {message.tries} {settled}",
        "number": kept.state.number,
        "kind": _page.words.kinds.get(message.kind, message.kind),
        "recipient": _recipient(kept.state, message),
        "status": message.status,
        "reason": message.reason if message.status in ("failed", "unknown") else "",
        "tries": message.tries,
        "planned_at": message.planned_at,
        "retry_at": message.due if message.status in ("failed", "unknown") else None,
        "resendable": message.status not in ("queued", "sending"),
    }


def _recipient(state: State, message: Message) -> str:
    """In words, whatever it is: a masked address, everybody of a role, or one member of staff."""
    whom = recipient(state, message)
    if message.to == APPLICANT:
        return whom
    if message.to.startswith("role:"):
        return str(_page.words.recipients.role).format(role=ROLE_LABELS.get(whom, whom))
    return str(_page.words.recipients.staff).format(username=whom)
