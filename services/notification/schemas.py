"""Queries of the message list."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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
