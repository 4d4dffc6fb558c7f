"""Every page for everybody, in every state, is sound: see `soundness.py`."""

from __future__ import annotations

import pytest

from tests.browser.scenes import SCENES, Scene
from tests.browser.soundness import unsound
from tests.browser.visits import House, Visits
from tests.browser.world import World, world_of


@pytest.fixture(scope="module")
def world(house: House) -> World:
    return world_of(house)


@pytest.mark.parametrize("scene", [scene for scene in SCENES if not scene.who], ids=lambda scene: scene.name)
def test_a_page_is_sound(world: World, visits: Visits, scene: Scene):
    visit = visits(scene.who)
    scene.way(visit, world)
    wrong = unsound(visit.page)
    assert not wrong, "\n".join(wrong)
