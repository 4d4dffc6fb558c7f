"""One office and one browser for each module, and a context for each person in each test."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser import chromium
from tests.browser.visits import House, Visits
from tests.journeys.gate import gate

NONE = (
    "Every journey in a browser was skipped: no Chromium on this machine, and Playwright could not download its own. "
    "Install the package chromium."
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """All that is skipped for want of a browser is told in one line, not in one for each test."""
    report = yield
    if report.skipped and NONE in str(report.longrepr):
        report.longrepr = (__file__, 1, NONE)
    return report


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with gate(tmp_path_factory.mktemp("house")) as opened:
        yield House(opened)


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """Started for each module, because other tests of this process have event loops of their own."""
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
def visits(house: House, browser: Browser) -> Iterator[Visits]:
    visits = Visits(house, browser)
    yield visits
    assert visits.close() == []
