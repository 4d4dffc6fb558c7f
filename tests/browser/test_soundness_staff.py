"""Every page of the staff, in every state, is sound: see `soundness.py`."""

from __future__ import annotations

import pytest

from tests.architecture.test_routes_by_role import PAGES, PUBLIC
from tests.browser.scenes import SCENES, Scene
from tests.browser.soundness import unseen, unsound
from tests.browser.visits import House, Visits
from tests.browser.world import World, world_of

OURS = [scene for scene in SCENES if scene.who]
ROUTES = [path for (method, path), allowed in PAGES.items() if method == "GET" and allowed != PUBLIC]
met: dict[str, str] = {}


@pytest.fixture(scope="module")
def world(house: House) -> World:
    return world_of(house)


@pytest.mark.parametrize("scene", OURS, ids=lambda scene: scene.name)
def test_a_page_is_sound(world: World, visits: Visits, scene: Scene):
    visit = visits(scene.who)
    scene.way(visit, world)
    met[scene.name] = visit.page.url
    wrong = unsound(visit.page)
    assert not wrong, "\n".join(wrong)


def test_every_page_was_looked_at():
    if len(met) < len(OURS):
        pytest.skip("Only who looks at all scenes can tell.")
    assert unseen(met.values(), ROUTES) == []
