"""Presence: who has the page of a request open, in all processes. While the store is down, nobody is shown, and pages work."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.contracts.facts import Staff
from shared.office.port import OfficeEntry, OfficeStore
from shared.storage.port import StoreUnavailable

logger = logging.getLogger(__name__)

COLLECTION = "presence"
PRESENCE_TTL = timedelta(seconds=75)
"""Time after which somebody who did not renew it no longer has the page open; live streams renew it every 10 s."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A member of staff who has the page of a request open, and since when."""

    username: str
    name: str
    since: datetime


class PresenceRegister:
    """Records who has which request open."""

    def __init__(self, store: OfficeStore, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def enter(self, request_id: str, staff: Staff) -> list[Viewer]:
        """Record that this person has the request open, and return who else has, by name."""
        key = f"{request_id}/{staff.username}"
        try:
            entries = await self._store.entries(COLLECTION, f"{request_id}/")
            since = next((entry.body["since"] for entry in entries if entry.key == key), self._clock().isoformat())
            body = {"name": staff.name, "since": since}
            await self._store.put(COLLECTION, key, body, expires_at=self._clock() + PRESENCE_TTL)
        except StoreUnavailable as error:
            logger.warning("who has %s open is not recorded: %s", request_id, error)
            return []
        return _viewers(entries, staff.username)

    async def by_request(self, username: str) -> Mapping[str, list[Viewer]]:
        """Return who has which requests open, without this person."""
        by_request: dict[str, list[OfficeEntry]] = defaultdict(list)
        try:
            for entry in await self._store.entries(COLLECTION):
                by_request[entry.key.partition("/")[0]].append(entry)
        except StoreUnavailable as error:
            logger.warning("who has requests open is not known: %s", error)
        found = {request_id: _viewers(entries, username) for request_id, entries in by_request.items()}
        return {request_id: viewers for request_id, viewers in found.items() if viewers}


def _viewers(entries: list[OfficeEntry], without: str) -> list[Viewer]:
    viewers = [
        Viewer(entry.key.partition("/")[2], entry.body["name"], datetime.fromisoformat(entry.body["since"]))
        for entry in entries
    ]
    return sorted((viewer for viewer in viewers if viewer.username != without), key=lambda viewer: viewer.name)


def viewer_names(viewers: Mapping[str, list[Viewer]], request_id: str) -> list[str]:
    return [viewer.name for viewer in viewers.get(request_id, ())]
