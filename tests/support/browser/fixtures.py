"""One browser for each module of tests, and a context for each person in each test; whose house they visit is said elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import chromium
from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest

NONE = (
    "Every journey in a browser was skipped: no Chromium on this machine, and Playwright could not download its own. "
    "Install the package chromium."
)


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """Launch a browser per module, because other tests of this process use event loops of their own."""
    assert pytestconfig.cache is not None
    with sync_playwright() as playwright:
        opened = chromium.launched(playwright, pytestconfig.cache.mkdir("browser"))
        if opened is None and chromium.REQUIRED:
            pytest.fail(NONE, pytrace=False)
        if opened is None:
            pytest.skip(NONE)
        yield opened
        opened.close()


@pytest.fixture
def sessions(site: SiteUnderTest, browser: Browser) -> Iterator[BrowserSessions]:
    sessions = BrowserSessions(site, browser)
    yield sessions
    complaints = sessions.close()
    assert not complaints, complaints
