"""The daily digests in the office store: assignment plans those of overdue work, notification sends them."""

from __future__ import annotations

from datetime import date, timedelta

DIGESTS = "digests"
"""An entry by day says that all digests of that day are planned; those by day and username are the digests."""
DIGEST_ITEMS = "digest_items"
"""What a person wants to read in the next digest, by username and message."""
PREFERENCES = "notification_preferences"
"""By username, when each moment is mailed."""
DIGEST_LIFETIME = timedelta(days=14)


def digest_key(day: date, username: str) -> str:
    return f"{day.isoformat()}/{username}"
