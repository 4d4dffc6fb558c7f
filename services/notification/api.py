"""The JSON API of the message ledger, for administrators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from services.notification.domain import ResendMessage, State
from services.notification.queries import Place, messages
from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.platform import Platform
from shared.runtime.service import ServiceRuntime
from shared.web.access import GuardedRoute, signed_in
from shared.web.bodies import Fields
from shared.web.commands import Sentences, obey
from shared.web.lists import decode_cursor, encode_cursor
from shared.web.live import live

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]

SENTENCES: Sentences = {
    "message_unknown": (404, "", "Surel itu tidak ditemukan."),
    "being_sent": (409, "", "Surel itu masih menunggu atau sedang dikirim, jadi belum dapat dikirim ulang."),
}


class MessageQuery(Fields):
    """`request` is a registration number or an id; `status` is one of the five of the ledger."""

    request: str = Field("", max_length=100)
    status: Literal["", "queued", "sending", "sent", "failed", "unknown"] = ""
    after: str = Field("", max_length=1000)
    limit: int = Field(50, ge=1, le=200)


def router(runtime: ServiceRuntime[State], platform: Platform) -> APIRouter:
    """Routes under /api/notification."""
    routes = APIRouter(prefix="/api/notification", tags=["notification"], route_class=GuardedRoute)
    executor = runtime.executor

    @routes.get("/messages")
    async def list_messages(query: Annotated[MessageQuery, Query()], admin: Admin) -> dict[str, Any]:
        """E-mails, those of the latest told requests first; recipients are masked."""
        items, end = await messages(
            executor,
            request=query.request,
            status=query.status,
            after=_place(query.after),
            limit=query.limit,
        )
        return {"items": items, "next": _cursor(end) if end else None, "previous": None}

    @routes.post("/messages/{message_id}/resend")
    async def resend(message_id: str, admin: Admin, request: Request) -> dict[str, Any]:
        """Queue a message again that was sent, failed, or whose outcome is unknown."""
        command = ResendMessage(message_id, admin.staff)
        return await obey(request, executor, message_id.partition(".")[0], command, admin.username, SENTENCES)

    @routes.get("/live")
    async def follow(admin: Admin, request: Request) -> Response:
        """Server-sent events: which request's messages changed, to what version."""

        async def still_allowed() -> bool:
            return await platform.identity.still_signed_in(admin)

        async def allowed(request_id: str, version: int) -> dict[str, Any] | None:
            kept = await executor.read(request_id)
            return {"number": kept.state.number, "status": kept.state.course.status} if kept else None

        return await live(request, runtime.store, allowed, still_allowed)

    return routes


def _place(cursor: str) -> Place | None:
    if not cursor:
        return None
    newest, message = decode_cursor(cursor)
    return Place(str(newest), str(message))


def _cursor(place: Place) -> str:
    return encode_cursor((place.newest, place.message))
