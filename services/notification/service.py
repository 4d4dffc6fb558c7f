"""The ledger's desk: what its calls and its pages have in common."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import Request
from pydantic import Field

from services.notification.domain.decisions import ResendMessage, State
from services.notification.errors import REFUSAL_MESSAGES
from services.notification.projections import ListedMessage, MessageCursor, messages
from shared.identity.service import Principal
from shared.runtime.service_runtime import ServiceRuntime
from shared.web.api.commands import execute_command
from shared.web.api.lists import CursorText, decode_cursor, encode_cursor
from shared.web.api.validation import InputModel


class MessageQuery(InputModel):
    """`request` is a registration number, an id, or words of a name, unit, e-mail or lead; `status` one of the ledger's five."""

    request: str = Field("", max_length=100)
    status: Literal["", "queued", "sending", "sent", "failed", "unknown"] = ""
    after: CursorText = ""
    limit: int = Field(50, ge=1, le=200)


class NotificationService:
    """Lists messages and sends them again."""

    def __init__(self, runtime: ServiceRuntime[State]) -> None:
        self.store, self.executor = runtime.store, runtime.executor

    async def messages(self, query: MessageQuery) -> tuple[list[ListedMessage], str | None]:
        """A page of messages, and the `after` of the next one. Raises Problem 422."""
        found, end = await messages(
            self.executor,
            request=query.request,
            status=query.status,
            after=_decode_cursor(query.after),
            limit=query.limit,
        )
        return found, encode_cursor((end.newest, end.message)) if end else None

    async def resend(self, request: Request, message_id: str, admin: Principal) -> dict[str, Any]:
        """Queue a message again that was sent, failed, or whose outcome is unknown. Raises Problem 404 and 409."""
        command = ResendMessage(message_id, admin.staff)
        return await execute_command(
            request, self.executor, message_id.partition(".")[0], command, admin.username, REFUSAL_MESSAGES
        )


def _decode_cursor(cursor: str) -> MessageCursor | None:
    if not cursor:
        return None
    newest, message = decode_cursor(cursor)
    return MessageCursor(str(newest), str(message))
