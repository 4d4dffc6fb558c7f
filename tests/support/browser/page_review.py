"""The review of all pages of one audience: each scene alone, then that no page was left out and that all HTML is valid."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from tests.support.browser.browser_sessions import BrowserSession
from tests.support.browser.empty_forms import EMPTY_FORMS, message_problems
from tests.support.browser.html_checker import find_checker
from tests.support.browser.page_checks import page_problems, unvisited_pages
from tests.support.browser.page_states import PageState
from tests.support.browser.sample_requests import SampleRequests


class PageReview:
    """What was seen of the scenes; `routes` are the paths that they have to visit."""

    def __init__(self, scenes: Sequence[PageState], routes: Collection[str]) -> None:
        self.scenes = scenes
        self._routes = routes
        self._addresses: dict[str, str] = {}
        self._html: dict[str, str] = {}
        self._passed: set[str] = set()

    def problems(self, samples: SampleRequests, session: BrowserSession, scene: PageState) -> list[str]:
        """Open a scene and return what is wrong with it."""
        session.restart(scene.who)
        scene.way(session, samples)
        self._addresses[scene.name], self._html[scene.name] = session.page.url, session.html()
        messages = message_problems(session.page) if scene.name in EMPTY_FORMS else []
        return [*messages, *page_problems(session.page, self._passed), *session.monitor.complaints]

    def unvisited(self) -> list[str]:
        """Return the routes that no scene visits; skips the test unless all scenes were looked at."""
        if len(self._addresses) < len(self.scenes):
            pytest.skip("Only who looks at all scenes can tell.")
        return unvisited_pages(self._addresses.values(), self._routes)

    def html_problems(self) -> list[str]:
        """Return what the Nu Html Checker says about the HTML of each scene, as the server sent it."""
        checker = find_checker()
        if checker is None:
            pytest.skip("The Nu Html Checker needs Java and its jar (make html fetches it).")
        return checker.problems(self._html)
