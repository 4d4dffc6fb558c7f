"""Every public page in every state passes the checks of `page_checks.py`."""

from __future__ import annotations

import pytest

from tests.architecture.test_routes_by_role import PAGES, PUBLIC
from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.html_checker import find_checker
from tests.support.browser.page_checks import page_problems, unvisited_pages
from tests.support.browser.page_states import PAGE_STATES, PageState
from tests.support.browser.sample_requests import SampleRequests, create_sample_requests

OURS = [scene for scene in PAGE_STATES if not scene.who]
ROUTES = [path for (method, path), allowed in PAGES.items() if method == "GET" and allowed == PUBLIC]
met: dict[str, str] = {}
sent: dict[str, str] = {}
"""The HTML of each scene, as the server sent it."""


@pytest.fixture(scope="module")
def samples(site: SiteUnderTest) -> SampleRequests:
    return create_sample_requests(site)


@pytest.mark.parametrize("scene", OURS, ids=lambda scene: scene.name)
def test_a_page_is_sound(samples: SampleRequests, sessions: BrowserSessions, scene: PageState):
    session = sessions(scene.who)
    scene.way(session, samples)
    met[scene.name], sent[scene.name] = session.page.url, session.html()
    wrong = page_problems(session.page)
    assert not wrong, "\n".join(wrong)


def test_every_page_was_looked_at():
    if len(met) < len(OURS):
        pytest.skip("Only who looks at all scenes can tell.")
    assert unvisited_pages(met.values(), ROUTES) == []


def test_every_page_is_valid_html():
    checker = find_checker()
    if checker is None:
        pytest.skip("The Nu Html Checker needs Java and its jar (make html fetches it).")
    assert checker.problems(sent) == []
