"""The clock and the id generator, passed to all code that needs them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
NewId = Callable[[], str]


def system_clock() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def random_id() -> str:
    """Return a random UUID as text."""
    return str(uuid.uuid4())
