"""Browser sessions of users, each with a monitored context."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser.page_monitor import PageMonitor
from tests.support.e2e.server_process import PASSWORD, Inbox
from tests.support.e2e.server_session import ServerHarness

DESK, PHONE, NARROW = 1280, 390, 320
THIN, WIDE = 250_000, -1
"""Bytes a second."""
TIMEOUT_MILLISECONDS = 30_000
"""An upper bound for a busy machine; benchmarks measure how long a page takes."""

expect.set_options(timeout=TIMEOUT_MILLISECONDS)


@dataclass
class SiteUnderTest:
    """The server under test, its API, its inbox and its signed-in staff."""

    harness: ServerHarness
    inbox: Inbox | None = None
    """None where the server stores emails and shows them in its mail viewer."""
    sessions: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.harness.server.url

    def session(self, who: str) -> str:
        """Return the session of a member of staff that tests share."""
        return self.sessions.get(who) or self.sessions.setdefault(who, self.new_session(who))

    def new_session(self, who: str) -> str:
        answer = self.harness.call("", "POST", "/api/session", json={"username": who, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.harness.http.cookies.clear()
        return str(answer.json()["token"])

    def end_session(self, token: str) -> None:
        assert self.harness.call(token, "DELETE", "/api/session").status_code == 200


@dataclass
class BrowserSession:
    """A browser context of one user with one page."""

    site: SiteUnderTest
    context: BrowserContext
    monitor: PageMonitor
    page: Page
    script: bool

    def restart(self, who: str) -> None:
        """Go on as another user, of whom nothing is known; a new context takes two seconds of CPU."""
        if self.page.url.startswith(self.site.url):
            self.page.evaluate("() => sessionStorage.clear()")
        self.page.goto("about:blank")
        self.page.unroute_all()
        session = self.context.new_cdp_session(self.page)
        session.send("Storage.clearDataForOrigin", {"origin": self.site.url, "storageTypes": "all"})
        session.detach()
        self.context.clear_cookies()
        self.page.set_viewport_size({"width": DESK, "height": 900})
        self.page.emulate_media(color_scheme="light")
        self.monitor.reset()
        if who:
            self.use_session(self.site.session(who))

    def open(self, path: str) -> Page:
        self.page.goto(self.site.url + path)
        return self.page

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a condition that the page does not show, while the browser's events are processed."""
        ends = time.monotonic() + TIMEOUT_MILLISECONDS / 1000
        while not holds():
            assert time.monotonic() < ends, "it did not come to pass"
            self.page.wait_for_timeout(20)

    def limit_bandwidth(self, bytes_a_second: int) -> None:
        """Limit the bandwidth in both directions; -1 removes the limit."""
        session = self.context.new_cdp_session(self.page)
        session.send("Network.enable")
        rates = {"downloadThroughput": bytes_a_second, "uploadThroughput": bytes_a_second}
        session.send("Network.emulateNetworkConditions", {"offline": False, "latency": 0, **rates})

    def html(self) -> str:
        """Return the page as the server sent it."""
        assert self.monitor.document is not None
        return self.monitor.document.text()

    def use_session(self, token: str) -> None:
        """Set the cookie of this session."""
        self.context.add_cookies([{"name": "simpul", "value": token, "url": self.site.url, "httpOnly": True}])


@dataclass
class BrowserSessions:
    """All browser contexts of one test; at its end no page may have a violation."""

    site: SiteUnderTest
    browser: Browser
    open: list[BrowserSession] = field(default_factory=list)

    def __call__(
        self,
        who: str = "",
        *,
        width: int = DESK,
        script: bool = True,
        scheme: Literal["light", "dark"] = "light",
    ) -> BrowserSession:
        """Open a context; the staff account `who` is signed in, "" is an anonymous visitor."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900 if width == DESK else 844},
            java_script_enabled=script,
            color_scheme=scheme,
            locale="id-ID",
            timezone_id="Asia/Jayapura",
            reduced_motion="reduce",
        )
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        watch = PageMonitor(self.site.url).attach_to(context)
        session = BrowserSession(self.site, context, watch, context.new_page(), script)
        if who:
            session.use_session(self.site.session(who))
        self.open.append(session)
        return session

    def close(self) -> list[str]:
        """Close all contexts and return their violations."""
        for session in self.open:
            session.context.close()
        return [complaint for session in self.open for complaint in session.monitor.complaints]
