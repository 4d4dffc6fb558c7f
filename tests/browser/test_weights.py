"""Light enough for a thin link: what a page costs with everything that it loads, the first time that somebody comes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bench.pages import Line, Weight, lines, weight_of
from tests.browser.visits import House, Visits
from tests.browser.world import World, world_of

TRACKING, FORM, STAFF = 30_000, 60_000, 60_000


@pytest.fixture(scope="module")
def world(house: House) -> World:
    return world_of(house)


@pytest.fixture
def weighed(world: World, visits: Visits) -> Mapping[str, tuple[Line, Weight]]:
    return {line.path: (line, weight_of(visits, world, line)) for line in lines(world)}


def test_no_page_is_heavy_or_loads_anything_from_elsewhere(world: World, weighed: Mapping[str, tuple[Line, Weight]]):
    own = world.house.url.partition("//")[2]
    for path, (line, weight) in weighed.items():
        most = TRACKING if path.startswith("/lacak") else FORM if path == "/" else STAFF
        assert {"page", "style"} <= weight.parts.keys(), (line, weight)
        assert 3_000 < weight.whole < most, (line, weight)
        assert weight.hosts == {own}, line
