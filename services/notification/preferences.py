"""The notifications of staff: each person chooses which are mailed at once, in the daily digest, or not at all.

A *moment* is an occasion for a notification, like a new request; it has the name of its email.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from services.notification.errors import WORDS
from shared.identity.accounts import Role
from shared.office.digests import DIGEST_ITEMS, PREFERENCES
from shared.office.port import EntryConflict, OfficeStore

Timing = Literal["now", "digest", "never"]
TIMINGS: tuple[Timing, ...] = get_args(Timing)
OVERDUE = "overdue"
"""The moment of overdue work, which is never mailed request by request."""

MOMENTS: Mapping[str, frozenset[Role]] = {
    "staff_submitted": frozenset({Role.OFFICER}),
    "staff_resubmitted": frozenset({Role.OFFICER}),
    "staff_verified": frozenset({Role.STRUCTURAL}),
    "staff_recommended": frozenset({Role.STRUCTURAL}),
    "staff_assigned": frozenset({Role.TECHNICAL}),
    "staff_reassigned_new": frozenset({Role.TECHNICAL}),
    "staff_reassigned_old": frozenset({Role.TECHNICAL}),
    "staff_target_changed": frozenset({Role.TECHNICAL}),
    "staff_answered": frozenset({Role.TECHNICAL}),
    "staff_contested": frozenset({Role.TECHNICAL}),
    "staff_withdrawn": frozenset({Role.OFFICER, Role.STRUCTURAL, Role.TECHNICAL}),
    OVERDUE: frozenset({Role.OFFICER, Role.STRUCTURAL, Role.TECHNICAL}),
}
"""The moments for which staff choose a timing, with the roles that are notified; all others are mailed at once."""


def moments_of(roles: Iterable[Role]) -> list[str]:
    """Return the moments of which members of these roles are notified."""
    return [moment for moment, recipients in MOMENTS.items() if recipients & set(roles)]


def choices_of(moment: str) -> tuple[Timing, ...]:
    return ("digest", "never") if moment == OVERDUE else TIMINGS


def moment_label(moment: str) -> str:
    labels: Any = WORDS.preferences.moments
    return str(labels.get(moment, moment))


class NotificationPreferences:
    """The choices of staff, stored in the office store."""

    def __init__(self, office: OfficeStore) -> None:
        self._office = office

    async def timing(self, username: str, moment: str) -> Timing:
        return (await self.timings(username)).get(moment, choices_of(moment)[0])

    async def timings(self, username: str) -> dict[str, Timing]:
        """Return what this person has chosen; a moment that is missing has the first of its choices."""
        entry = await self._office.get(PREFERENCES, username)
        return dict(entry.body) if entry else {}

    async def update(self, username: str, changes: Mapping[str, Timing]) -> None:
        """Store choices; those of other moments stay."""
        while True:
            entry = await self._office.get(PREFERENCES, username)
            body = {**(entry.body if entry else {}), **changes}
            try:
                await self._office.put(PREFERENCES, username, body, expected=entry.version if entry else 0)
            except EntryConflict:
                continue
            return

    async def add_digest_item(self, username: str, message: str, kind: str, number: str) -> None:
        """Store a notification for the next digest of this person; a repeat changes nothing."""
        await self._office.put(DIGEST_ITEMS, f"{username}/{message}", {"kind": kind, "number": number})

    async def describe(self, username: str, roles: Iterable[Role]) -> list[dict[str, Any]]:
        """Return the moments of these roles with their label, the timing, and the timings to choose from."""
        chosen = await self.timings(username)
        return [
            {
                "moment": moment,
                "label": moment_label(moment),
                "timing": chosen.get(moment, choices_of(moment)[0]),
                "choices": list(choices_of(moment)),
            }
            for moment in moments_of(roles)
        ]
