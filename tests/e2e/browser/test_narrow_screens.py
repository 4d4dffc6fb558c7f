"""Narrow screens and large text: the menu of the public pages and the height of the filters."""

from __future__ import annotations

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.support.browser.browser_sessions import DESK, NARROW, PHONE, BrowserSessions, SiteUnderTest
from tests.support.browser.page_checks import ENLARGED, LEAST_TARGET
from tests.support.browser.sample_requests import SampleRequests, create_sample_requests

MENU = ("Ajukan", "Lacak")
WIDE_LETTERS = "document.body.style.letterSpacing = '.12em'"
"""Text spacing of WCAG 1.4.12, which is about as wide as the widest system font."""
FOLDED = 60
"""Height of an unused filter in pixels."""
CONSOLES = {"nurlaila": "/verifikasi", "hasan": "/penugasan"}


@pytest.fixture(scope="module")
def samples(site: SiteUnderTest) -> SampleRequests:
    return create_sample_requests(site)


def box(part: Locator) -> FloatRect:
    found = part.bounding_box()
    assert found is not None
    return found


def header(page: Page, width: int) -> tuple[FloatRect, list[FloatRect]]:
    """Return the boxes of logo and menu links; all are on the screen, and none overlaps another."""
    banner = page.get_by_role("banner")
    mark = box(banner.get_by_role("link", name="Simpul"))
    links = [box(banner.get_by_role("link", name=name, exact=True)) for name in MENU]
    for each in (mark, *links):
        assert 0 <= each["x"] < each["x"] + each["width"] <= width, each
        assert each["height"] >= LEAST_TARGET
    for one, other in zip([mark, *links], links, strict=False):
        assert one["x"] + one["width"] <= other["x"] or one["y"] + one["height"] <= other["y"], (one, other)
    return mark, links


@pytest.mark.parametrize("width", [PHONE, NARROW])
@pytest.mark.parametrize("letters", ["", WIDE_LETTERS])
def test_the_public_menu_keeps_to_one_row(sessions: BrowserSessions, width: int, letters: str):
    page = sessions(width=PHONE).open("/lacak")
    page.set_viewport_size({"width": width, "height": 844})
    page.evaluate(letters)
    mark, links = header(page, width)
    assert {link["y"] + link["height"] / 2 <= mark["y"] + mark["height"] for link in links} == {True}
    assert box(page.get_by_role("banner"))["height"] <= 60


@pytest.mark.parametrize("width", [PHONE, NARROW])
def test_in_letters_of_twice_the_size_the_menu_is_a_row_of_its_own(sessions: BrowserSessions, width: int):
    page = sessions(width=PHONE).open("/lacak")
    page.set_viewport_size({"width": width, "height": 844})
    page.evaluate(ENLARGED, "200%")
    mark, links = header(page, width)
    assert {link["y"] >= mark["y"] + mark["height"] for link in links} == {True}
    assert len({link["y"] for link in links}) == 1


LISTS = {**CONSOLES, "dewi": "/pekerjaan"}


@pytest.mark.parametrize(("who", "path"), LISTS.items())
@pytest.mark.parametrize("script", [True, False])
def test_on_a_phone_the_search_is_a_line_and_the_filters_are_a_menu(
    samples: SampleRequests, sessions: BrowserSessions, who: str, path: str, script: bool
):
    page = sessions(who, width=PHONE, script=script).open(path)
    menu, unit = page.locator("details.menu"), page.get_by_label("Dinas", exact=True)
    assert box(page.get_by_role("search"))["height"] <= FOLDED
    assert box(menu.locator("summary"))["height"] >= LEAST_TARGET
    expect(unit).to_be_hidden()
    menu.locator("summary").click()
    expect(unit).to_be_visible()
    page.get_by_role("searchbox").fill("tidak ada yang begini")
    menu.locator("button").click()
    expect(page.get_by_role("searchbox")).to_have_value("tidak ada yang begini")


def test_on_a_desk_the_search_is_in_the_line_of_the_title(sessions: BrowserSessions):
    page = sessions("hasan", width=DESK).open("/penugasan")
    title, search = box(page.get_by_role("heading", level=1)), box(page.get_by_role("search"))
    assert title["y"] < search["y"] + search["height"] <= title["y"] + 80
    expect(page.get_by_label("Dinas", exact=True)).to_be_hidden()
