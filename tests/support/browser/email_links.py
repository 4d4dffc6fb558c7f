"""Tracking links of emails, from the SMTP server or from the mail viewer."""

from __future__ import annotations

import contextlib
import re
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from playwright.sync_api import TimeoutError as TooLate
from playwright.sync_api import expect

from tests.support.browser.browser_sessions import TIMEOUT_MILLISECONDS, BrowserSession, SiteUnderTest
from tests.support.e2e.server_process import Inbox

ASTRAY = 5_000
"""Milliseconds after which a click without effect is repeated."""


def open_tracking_link(session: BrowserSession, address: str, number: str) -> None:
    """Find the email about this request to this address, and open its tracking link."""
    if session.site.inbox is None:
        _opens_link_in_mail_viewer(session, address, number)
    else:
        session.open(_link_from_inbox(session.site.inbox, address, number))


def arrived(site: SiteUnderTest) -> set[tuple[str, int]]:
    """Return the emails so far, each with its position, because a repeated email has the same id."""
    if site.inbox is not None:
        return {(str(letter["Message-ID"]), place) for place, letter in enumerate(site.inbox.messages)}
    return {(path.name, path.stat().st_mtime_ns) for path in (site.harness.server.data / "mail").glob("*.eml")}


def open_contact_link(session: BrowserSession, address: str) -> None:
    """Open the link of the email that confirms this address."""
    found: list[str] = []

    def there() -> bool:
        for email in _emails_to(session.site, address):
            part = email.get_body(("plain",))
            found.extend(
                re.findall(r"http://[^/]+(/lacak/\S+/kontak/\d+\?kode=\S+)", part.get_content() if part else "")
            )
        return bool(found)

    session.until(there)
    session.open(found[0])


def _emails_to(site: SiteUnderTest, address: str) -> list[EmailMessage]:
    """Return the emails to this address, from the SMTP server or from the folder of stored emails."""
    if site.inbox is not None:
        return site.inbox.to(address)
    stored = (site.harness.server.data / "mail").glob("*.eml")
    emails = [message_from_bytes(path.read_bytes(), policy=default) for path in stored]
    return [email for email in emails if address in str(email["To"])]


def _link_from_inbox(inbox: Inbox, address: str, number: str) -> str:
    """Return the path of the tracking link in the first email about this request."""
    ends = time.monotonic() + TIMEOUT_MILLISECONDS / 1000
    while True:
        for letter in inbox.to(address):
            part = letter.get_body(("plain",))
            found = re.search(rf"http://[^/]+(/lacak/{number}\S+)", str(part.get_content()) if part else "")
            if found:
                return found[1]
        assert time.monotonic() < ends, f"no letter to {address} about {number}"
        time.sleep(0.05)


def _opens_link_in_mail_viewer(session: BrowserSession, address: str, number: str) -> None:
    """Open the email in the mail viewer and click its link."""
    subject = re.compile(re.escape(f"[{number}]"))

    def there() -> bool:
        session.open("/surel")
        return session.page.get_by_role("row").filter(has_text=address).filter(has_text=subject).count() > 0

    session.until(there)
    row = session.page.get_by_role("row").filter(has_text=address).filter(has_text=subject).last
    row.get_by_role("link").first.click()
    expect(session.page.get_by_role("heading", level=1)).to_contain_text(number)
    session.until(lambda: _follows(session))


def _follows(session: BrowserSession) -> bool:
    """Return whether the click opened the link; a click into a frame that is still loading may be lost."""
    with contextlib.suppress(TooLate):
        session.page.frame_locator("iframe").get_by_role("link", name="Lacak").first.click(timeout=ASTRAY)
        session.page.wait_for_url(re.compile("/lacak/"), timeout=ASTRAY)
    return "/lacak/" in session.page.url
