"""The transfer size of pages with all their resources on a first visit."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bench.page_weight import PageSpec, PageWeight, measure_weight, page_specs
from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.sample_requests import SampleRequests, create_sample_requests

TRACKING, PUBLIC, STAFF = 15_000, 24_000, 26_000
"""Bytes with gzip and response headers."""


@pytest.fixture(scope="module")
def samples(site: SiteUnderTest) -> SampleRequests:
    return create_sample_requests(site)


@pytest.fixture
def weighed(samples: SampleRequests, sessions: BrowserSessions) -> Mapping[str, tuple[PageSpec, PageWeight]]:
    return {line.path: (line, measure_weight(sessions, samples, line)) for line in page_specs(samples)}


def test_no_page_is_heavy_or_loads_anything_from_elsewhere(
    samples: SampleRequests, weighed: Mapping[str, tuple[PageSpec, PageWeight]]
):
    own = samples.site.url.partition("//")[2]
    for path, (line, weight) in weighed.items():
        is_tracking_page = line.who in samples.asked and not path.endswith("/diterima")
        most = TRACKING if is_tracking_page else PUBLIC if line.who in ("", *samples.asked) else STAFF
        assert {"page", "style"} <= weight.parts.keys(), (line, weight)
        assert 3_000 < weight.whole < most, (line, weight)
        assert weight.hosts == {own}, line
