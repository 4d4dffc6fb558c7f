"""The JSON API of the message ledger, for administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.notification.dependencies import Admin, Context, Notification
from services.notification.presenters import message_response
from services.notification.schemas import MessageQuery, MessageResponse
from shared.web.api.commands import CommandResponse
from shared.web.api.exports import EXPORT_RESPONSES, PAGE_SIZE, ExportKind, export
from shared.web.api.lists import PageResponse
from shared.web.api.live import live_for_staff
from shared.web.api.openapi import STREAM_RESPONSES
from shared.web.api.serializers import change_notice
from shared.web.auth.access import GuardedRoute

EXPORTED = ("number", "kind", "recipient", "status", "reason", "tries", "planned_at", "settled_at", "retry_at")
"""The columns of the exported list, by the names of the API."""

router = APIRouter(prefix="/api/notification", tags=["notification"], route_class=GuardedRoute)


@router.get("/messages", response_model=PageResponse[MessageResponse])
async def list_messages(
    query: Annotated[MessageQuery, Query()], _admin: Admin, notification: Notification
) -> dict[str, Any]:
    """List emails, those of the requests with the latest email first; recipients are masked."""
    messages, after = await notification.list_messages(query)
    items = [message_response(loaded, message) for loaded, message in messages]
    return {"items": items, "next": after, "previous": None}


@router.get("/requests.{kind}", response_class=Response, responses=EXPORT_RESPONSES)
@router.get("/messages.{kind}", response_class=Response, include_in_schema=False)  # its name in earlier versions
async def export_messages(
    kind: ExportKind, query: Annotated[MessageQuery, Query()], admin: Admin, notification: Notification
) -> Response:
    """Download the whole list of emails as CSV or XLSX; recipients are masked."""

    async def rows() -> AsyncIterator[list[str]]:
        part = query.model_copy(update={"after": "", "limit": PAGE_SIZE})
        while True:
            messages, after = await notification.list_messages(part)
            for loaded, message in messages:
                item = message_response(loaded, message)
                yield ["" if item[name] is None else str(item[name]) for name in EXPORTED]
            if after is None:
                return
            part = part.model_copy(update={"after": after})

    return await export(kind, admin.username, "surel", EXPORTED, rows())


@router.post("/messages/{message_id}/resend", response_model=CommandResponse)
async def resend(message_id: str, admin: Admin, notification: Notification, context: Context) -> dict[str, Any]:
    """Queue an email again that was sent, failed, or whose outcome is unknown."""
    return await notification.resend(context, message_id, admin)


@router.get("/live", response_class=Response, responses=STREAM_RESPONSES)
async def follow(admin: Admin, notification: Notification, request: Request) -> Response:
    """Stream server-sent events: which request's emails changed, to what version."""

    async def change(request_id: str, _version: int) -> dict[str, Any] | None:
        loaded = await notification.get_request(request_id)
        return change_notice(loaded.state.number, loaded.state.course.status) if loaded else None

    return await live_for_staff(request, notification.store, change, admin)
