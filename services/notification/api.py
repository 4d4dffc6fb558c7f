"""The JSON API of the message ledger, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from services.notification.projections import row
from services.notification.service import MessageQuery, NotificationService
from shared.backends.platform import Platform
from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.web.api.commands import CommandResponse
from shared.web.api.live import live
from shared.web.api.openapi import STREAM_RESPONSES
from shared.web.auth.access import GuardedRoute, signed_in
from shared.web.views.labels import STATUS_LABELS

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]


def router(desk: NotificationService, platform: Platform) -> APIRouter:
    """Routes under /api/notification."""
    routes = APIRouter(prefix="/api/notification", tags=["notification"], route_class=GuardedRoute)

    @routes.get("/messages")
    async def list_messages(query: Annotated[MessageQuery, Query()], admin: Admin) -> dict[str, Any]:
        """E-mails, those of the latest told requests first; recipients are masked."""
        found, after = await desk.messages(query)
        return {"items": [row(*one) for one in found], "next": after, "previous": None}

    @routes.post("/messages/{message_id}/resend", response_model=CommandResponse)
    async def resend(message_id: str, admin: Admin, request: Request) -> dict[str, Any]:
        """Queue a message again that was sent, failed, or whose outcome is unknown."""
        return await desk.resend(request, message_id, admin)

    @routes.get("/live", response_class=Response, responses=STREAM_RESPONSES)
    async def follow(admin: Admin, request: Request) -> Response:
        """Server-sent events: which request's messages changed, to what version."""

        async def may_continue() -> bool:
            return await platform.identity.is_session_active(admin)

        async def allowed(request_id: str, version: int) -> dict[str, Any] | None:
            loaded = await desk.executor.read(request_id)
            if loaded is None:
                return None
            status = loaded.state.course.status
            return {"number": loaded.state.number, "status": status, "label": STATUS_LABELS[status]}

        return await live(request, desk.store, allowed, may_continue, reader=admin)

    return routes
