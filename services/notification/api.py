"""The JSON API of the message ledger, for administrators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from services.notification.domain import ResendMessage, State
from services.notification.queries import Place, messages
from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.platform import Platform
from shared.runtime.decider import Refusal
from shared.runtime.service import ServiceRuntime
from shared.web.access import signed_in
from shared.web.idempotency import command_key
from shared.web.lists import decode_cursor, encode_cursor
from shared.web.live import live
from shared.web.problems import Problem

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]
Status = Literal["queued", "sending", "sent", "failed", "unknown"]

SENTENCES = {
    "message_unknown": (404, "Surel itu tidak ditemukan."),
    "being_sent": (409, "Surel itu masih menunggu atau sedang dikirim, jadi belum dapat dikirim ulang."),
}


def router(runtime: ServiceRuntime[State], platform: Platform) -> APIRouter:
    """Routes under /api/notification."""
    routes = APIRouter(prefix="/api/notification", tags=["notification"])

    @routes.get("/messages")
    async def list_messages(
        admin: Admin,
        request: str = "",
        status: Status | None = None,
        after: str = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        """E-mails, those of the newest requests first; recipients are masked."""
        items, end = await messages(
            runtime.executor,
            request=request,
            status=status or "",
            after=_place(after),
            limit=limit,
            now=platform.clock(),
        )
        return {"items": items, "next": _cursor(end) if end else None}

    @routes.post("/messages/{message_id}/resend")
    async def resend(message_id: str, admin: Admin, request: Request) -> dict[str, Any]:
        """Queue a message again that was sent, failed, or whose outcome is unknown."""
        request_id = message_id.partition(".")[0]
        key = command_key(request, admin.username, "")
        try:
            answer = await runtime.executor.execute(request_id, ResendMessage(message_id, admin.staff), key)
        except Refusal as refusal:
            status, sentence = SENTENCES[refusal.code]
            raise Problem(status, sentence) from refusal
        return {"id": answer.id, "number": answer.number, "status": answer.status, "version": answer.version}

    @routes.get("/live")
    async def follow(admin: Admin, request: Request) -> Response:
        """Server-sent events: which request's messages changed, to what version."""

        async def allowed(request_id: str, version: int) -> dict[str, Any] | None:
            kept = await runtime.executor.read(request_id)
            return {"number": kept.state.number, "status": kept.state.course.status} if kept else None

        return await live(request, runtime.store, allowed)

    return routes


def _place(cursor: str) -> Place:
    if not cursor:
        return Place()
    newest, request_id, skip = decode_cursor(cursor, 3)
    return Place((str(newest), str(request_id)) if request_id else None, int(skip))


def _cursor(place: Place) -> str:
    newest, request_id = place.key or ("", "")
    return encode_cursor((newest, request_id, place.skip))
