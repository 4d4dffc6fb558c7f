"""The clock and the maker of ids that are handed to whoever needs them; nobody else reads either."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
NewId = Callable[[], str]


def system_clock() -> datetime:
    """Now, in UTC with its zone."""
    return datetime.now(UTC)


def random_id() -> str:
    """A random UUID as text."""
    return str(uuid.uuid4())
