"""Violations that no page may cause in any test."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

OWN_SCHEMES = ("data:", "blob:", "about:")


@dataclass
class PageMonitor:
    """Problems of one browser context.

    These are errors in the console (violations of the CSP among them), script errors, requests to other hosts, and responses of 500
    and above. A response of 4xx is shown to the user and is no problem, nor is a session that has ended when a live page
    reconnects.
    """

    origin: str
    complaints: list[str] = field(default_factory=list)
    expected: list[re.Pattern[str]] = field(default_factory=list)
    pages: set[str] = field(default_factory=set)
    document: Response | None = None
    """The response of the last page."""

    def attach_to(self, context: BrowserContext) -> PageMonitor:
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("response", self._response)
        return self

    def reset(self) -> None:
        self.complaints.clear()
        self.expected.clear()
        self.pages.clear()
        self.document = None

    def expect(self, *patterns: str) -> None:
        """Ignore violations that match one of these patterns from now on."""
        self.expected += map(re.compile, patterns)

    def _complain(self, text: str) -> None:
        if not any(pattern.search(text) for pattern in self.expected):
            self.complaints.append(text)

    def _console(self, message: ConsoleMessage) -> None:
        url, refused = message.location["url"], message.text.startswith("Failed to load resource")
        told = refused and (url in self.pages or (urlsplit(url).path.endswith("/live") and " 401 " in message.text))
        if message.type == "error" and not told:
            self._complain(f"console: {message.text} ({url})")

    def _error(self, error: WebError) -> None:
        self._complain(f"script: {error.error}")

    def _request(self, request: Request) -> None:
        if request.is_navigation_request():
            self.pages.add(request.url)
        if not request.url.startswith((self.origin + "/", *OWN_SCHEMES)):
            self._complain(f"elsewhere: {request.url}")

    def _response(self, response: Response) -> None:
        if response.request.is_navigation_request() and response.frame.parent_frame is None:
            self.document = response
        if response.status >= 500:
            self._complain(f"answered {response.status}: {response.url}")
