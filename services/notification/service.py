"""The application service of notification: it lists messages and queues them again."""

from __future__ import annotations

from typing import Any

from services.notification.domain.commands import ResendMessage
from services.notification.domain.state import State
from services.notification.errors import REFUSAL_MESSAGES
from services.notification.projections import (
    DeliveryProblems,
    ListedMessage,
    MessageCursor,
    count_delivery_problems,
    list_messages,
)
from services.notification.schemas import MessageQuery
from shared.identity.principal import Principal
from shared.runtime.executor import Loaded
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import StateStore
from shared.web.api.commands import execute_command
from shared.web.api.idempotency import CommandContext
from shared.web.api.lists import decode_cursor, encode_cursor


class NotificationService:
    def __init__(self, runtime: ServiceRuntime[State]) -> None:
        self.store: StateStore = runtime.store
        self._executor = runtime.executor

    async def get_request(self, request_id: str) -> Loaded[State] | None:
        return await self._executor.read(request_id)

    async def list_messages(self, query: MessageQuery) -> tuple[list[ListedMessage], str | None]:
        """Return a page of messages and the `after` of the next one. Raises Problem 422."""
        messages, cursor = await list_messages(
            self._executor,
            request=query.request,
            status=query.status,
            after=_decode_cursor(query.after),
            limit=query.limit,
        )
        return messages, encode_cursor((cursor.newest, cursor.message)) if cursor else None

    async def count_delivery_problems(self) -> DeliveryProblems:
        return await count_delivery_problems(self._executor)

    async def resend(self, context: CommandContext, message_id: str, admin: Principal) -> dict[str, Any]:
        """Queue a message again that was sent, failed, or whose outcome is unknown. Raises Problem 404 and 409."""
        command, request_id = ResendMessage(message_id, admin.staff), message_id.partition(".")[0]
        return await execute_command(context, self._executor, request_id, command, admin.username, REFUSAL_MESSAGES)


def _decode_cursor(cursor: str) -> MessageCursor | None:
    if not cursor:
        return None
    newest, message = decode_cursor(cursor)
    return MessageCursor(str(newest), str(message))
