"""Every staff page in every state passes the checks of `page_checks.py`."""

from __future__ import annotations

import pytest

from tests.architecture.test_routes_by_role import PAGES, PUBLIC
from tests.support.browser.browser_sessions import BrowserSession, SiteUnderTest
from tests.support.browser.page_review import PageReview
from tests.support.browser.page_states import PAGE_STATES, PageState
from tests.support.browser.sample_requests import SampleRequests, create_sample_requests

REVIEW = PageReview(
    [scene for scene in PAGE_STATES if scene.who],
    [path for (method, path), allowed in PAGES.items() if method == "GET" and allowed != PUBLIC],
)


@pytest.fixture(scope="module")
def samples(site: SiteUnderTest) -> SampleRequests:
    return create_sample_requests(site)


@pytest.mark.parametrize("scene", REVIEW.scenes, ids=lambda scene: scene.name)
def test_a_page_is_sound(samples: SampleRequests, lasting_session: BrowserSession, scene: PageState):
    wrong = REVIEW.problems(samples, lasting_session, scene)
    assert not wrong, "\n".join(wrong)


def test_every_page_was_looked_at():
    assert REVIEW.unvisited() == []


def test_every_page_is_valid_html():
    assert REVIEW.html_problems() == []
