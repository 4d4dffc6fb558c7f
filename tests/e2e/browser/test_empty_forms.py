"""Every empty form is refused in the same way: the fields by name at the top, and a message beside each field."""

from __future__ import annotations

import re

import pytest

from tests.support.browser.browser_sessions import BrowserSession, SiteUnderTest
from tests.support.browser.page_states import PAGE_STATES, PageState, refused
from tests.support.browser.sample_requests import SampleRequests, create_sample_requests

INSTRUCTION = r"(Isi|Pilih|Unggah) \S.*\."
ABOVE = re.compile(rf"\S.* wajib (diisi|diunggah)\.|{INSTRUCTION}")
BESIDE = re.compile(rf"Wajib diisi\.|Wajib diunggah\.|{INSTRUCTION}")
OF_THEIR_OWN = {
    "officer request refused",
    "complete refused",
    "correct refused",
    "contact refused",
    "survey refused",
    "own account refused",
    "sign in refused",
}
"""Messages of fields that ask for a choice or have another rule."""
FILLED_IN = {"form refused", "account new refused"}
EMPTY = [
    scene
    for scene in PAGE_STATES
    if re.search("refused( bare)?$", scene.name) and scene.name not in OF_THEIR_OWN | FILLED_IN
]


@pytest.fixture(scope="module")
def samples(site: SiteUnderTest) -> SampleRequests:
    return create_sample_requests(site)


def told(session: BrowserSession) -> tuple[list[str], list[str]]:
    """Return the messages at the top and those beside the fields."""
    page = session.page
    above = page.get_by_role("alert").get_by_role("link").all_inner_texts()
    return above, [text.strip() for text in page.locator("p.err:visible").all_inner_texts()]


def agree(session: BrowserSession) -> None:
    above, beside = told(session)
    assert above
    assert [line for line in above if not ABOVE.fullmatch(line)] == []
    assert [line for line in beside if not BESIDE.fullmatch(line)] == []
    assert len(above) == len(beside)
    assert session.monitor.complaints == []


@pytest.mark.parametrize("scene", EMPTY, ids=lambda scene: scene.name)
def test_a_form_without_anything_in_it(samples: SampleRequests, lasting_session: BrowserSession, scene: PageState):
    lasting_session.restart(scene.who)
    scene.way(lasting_session, samples)
    agree(lasting_session)


@pytest.mark.parametrize(
    ("who", "path", "button"),
    [("", "/masuk", "Masuk"), ("admin", "/akun/baru", "Tambah akun"), ("admin", "/akun-saya", "Simpan")],
)
def test_a_form_of_an_account_without_anything_in_it(
    samples: SampleRequests, lasting_session: BrowserSession, who: str, path: str, button: str
):
    lasting_session.restart(who)
    lasting_session.open(path)
    for box in lasting_session.page.get_by_role("main").get_by_role("textbox").all():
        box.fill("")
    refused(lasting_session, button)
    agree(lasting_session)
