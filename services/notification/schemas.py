"""Queries and responses of the message list."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from shared.web.api.lists import CursorText
from shared.web.api.validation import InputModel


class MessageQuery(InputModel):
    """`request` is a registration number, an id, or words of a name, unit, email or lead."""

    request: str = Field("", max_length=100)
    status: Literal["", "queued", "sending", "sent", "failed", "unknown"] = ""
    after: CursorText = ""
    limit: int = Field(50, ge=1, le=200)


class MessageListQuery(MessageQuery):
    """The query of the page; `antre` is set after a message was queued again."""

    antre: str = Field("", max_length=1)
    limit: int = Field(25, ge=1, le=200)


Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class MessageResponse(BaseModel):
    """An email about a request; the recipient is masked. `retry_at` is set while the email will be sent again."""

    id: str
    request: str
    number: str
    kind: str
    recipient: str
    status: str
    reason: str
    tries: int
    planned_at: Timestamp
    settled_at: Timestamp | None
    retry_at: Timestamp | None
