"""Follows the live streams of the services, so that the load knows when a request has arrived without asking for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping

ROLES = {"verification": "officer", "assignment": "structural"}
"""The services whose lists staff watch, and the role that watches them."""
ARRIVAL_TIMEOUT_SECONDS = 30.0


class LiveFeed:
    """The live stream of one service; it goes on until cancelled."""

    def __init__(self, service: str, ports: Mapping[str, int], token: str) -> None:
        self._path, self._token = f"/api/{service}/live", token
        self._port = ports[""] if "" in ports else ports[service]
        self._statuses: dict[str, str] = {}
        self._arrivals: dict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)

    async def follow(self, opened: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            head = f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {self._token}\r\n\r\n"
            writer.write(head.encode())
            while line := await reader.readline():
                if line.startswith(b"retry:"):
                    opened.set()
                elif line.startswith(b"data: {"):
                    self._arrived(json.loads(line[len("data: ") :]))
        finally:
            writer.close()

    def _arrived(self, change: Mapping[str, str]) -> None:
        key = change["id"], change.get("status", "")
        self._statuses[key[0]] = key[1]
        if key in self._arrivals:
            self._arrivals[key].set()

    async def wait_for(self, request: str, status: str) -> None:
        """Wait until the service shows this status of the request; give up after a while."""
        if self._statuses.get(request) == status:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ARRIVAL_TIMEOUT_SECONDS):
                await self._arrivals[request, status].wait()
        del self._arrivals[request, status]


@contextlib.asynccontextmanager
async def live_feeds(ports: Mapping[str, int], tokens: Mapping[str, str]) -> AsyncIterator[Mapping[str, LiveFeed]]:
    """Follow the streams of the services; yield them by service."""
    feeds = {service: LiveFeed(service, ports, tokens[role]) for service, role in ROLES.items()}
    opened = [asyncio.Event() for _ in feeds]
    tasks = [asyncio.create_task(feed.follow(one)) for feed, one in zip(feeds.values(), opened, strict=True)]
    try:
        async with asyncio.timeout(ARRIVAL_TIMEOUT_SECONDS):
            await asyncio.gather(*(one.wait() for one in opened))
        yield feeds
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
