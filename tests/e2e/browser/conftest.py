"""One server per module, and the browser sessions that use it."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser.browser_sessions import BrowserSession, BrowserSessions, SiteUnderTest
from tests.support.browser.fixtures import NONE, browser, sessions
from tests.support.e2e.server_session import running_server

__all__ = ["browser", "sessions"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report all tests skipped without a browser in one line."""
    report = yield
    if report.skipped and NONE in str(report.longrepr):
        report.longrepr = (__file__, 1, NONE)
    return report


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteUnderTest]:
    with running_server(tmp_path_factory.mktemp("house")) as opened:
        yield SiteUnderTest(opened)


@pytest.fixture(scope="module")
def lasting_session(site: SiteUnderTest, browser: Browser) -> Iterator[BrowserSession]:
    """One for the tests of a module, each of which restarts it."""
    sessions = BrowserSessions(site, browser)
    yield sessions()
    sessions.close()
