"""People in browsers of their own: who they are, what they look through, and that no page misbehaved before them."""

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
"""Milliseconds that a page may take on a busy machine; how long it takes on an idle one is for benchmarks."""

expect.set_options(timeout=TIMEOUT_MILLISECONDS)


@dataclass
class SiteUnderTest:
    """The office: a server, what happens there behind the pages, where its e-mails go, and who is signed in."""

    harness: ServerHarness
    inbox: Inbox | None = None
    """None where the server keeps e-mails and shows them."""
    sessions: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.harness.server.url

    def session(self, who: str) -> str:
        """The one session of somebody that tests share."""
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
    """A browser context of somebody's, with one page open."""

    site: SiteUnderTest
    context: BrowserContext
    monitor: PageMonitor
    page: Page
    script: bool

    def open(self, path: str) -> Page:
        self.page.goto(self.site.url + path)
        return self.page

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the page itself does not show, and let the browser's news come in meanwhile."""
        ends = time.monotonic() + TIMEOUT_MILLISECONDS / 1000
        while not holds():
            assert time.monotonic() < ends, "it did not come to pass"
            self.page.wait_for_timeout(20)

    def limit_bandwidth(self, bytes_a_second: int) -> None:
        """How much the network carries either way; -1 is all that it can."""
        session = self.context.new_cdp_session(self.page)
        session.send("Network.enable")
        rates = {"downloadThroughput": bytes_a_second, "uploadThroughput": bytes_a_second}
        session.send("Network.emulateNetworkConditions", {"offline": False, "latency": 0, **rates})

    def use_session(self, token: str) -> None:
        """Hold this session, as if signed in."""
        self.context.add_cookies([{"name": "simpul", "value": token, "url": self.site.url, "httpOnly": True}])


@dataclass
class BrowserSessions:
    """Every context of one test. At its end none of them may have a complaint."""

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
        """Somebody comes; `who` of the staff is signed in already, "" is nobody in particular."""
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
        """Everybody leaves; what there was to complain about."""
        for session in self.open:
            session.context.close()
        return [complaint for session in self.open for complaint in session.monitor.complaints]
