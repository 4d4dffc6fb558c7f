"""No page is wider than the screen, however long its texts are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.browser_sessions import PHONE, BrowserSession, BrowserSessions, SiteUnderTest
from tests.support.browser.long_texts import UNBROKEN, WORDS, create_long_text_requests, naming, page_tours
from tests.support.browser.page_checks import OVERFLOWING
from tests.support.browser.sample_requests import SampleRequests
from tests.support.browser.user_actions import CHECK, PROGRAM, Applicant, field, payloads
from tests.support.e2e.server_session import running_server

TABLET, LAPTOP = 768, 1366
WIDTHS = (PHONE, TABLET, LAPTOP)
LOOKERS = ("applicants", "everybody", "nurlaila", "hasan", "dewi", "admin")


@pytest.fixture(scope="module", params=WORDS)
def samples(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleRequests]:
    words = WORDS[request.param]
    with running_server(tmp_path_factory.mktemp("house"), naming(words)) as opened:
        yield create_long_text_requests(SiteUnderTest(opened), words)


@pytest.fixture
def site(samples: SampleRequests) -> SiteUnderTest:
    return samples.site


def too_wide(page: Page) -> list[str]:
    """Return what overflows the screen at each width, beginning with the one that it has."""
    found = []
    for width in sorted(WIDTHS, reverse=page.viewport_size == {"width": LAPTOP, "height": 900}):
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{page.url} at {width}: {told}" for told in page.evaluate(OVERFLOWING)]
    return found


def looked_at(session: BrowserSession, path: str) -> list[str]:
    session.open(path)
    expect(session.page.get_by_role("heading", level=1)).to_have_count(1)
    return too_wide(session.page)


@pytest.mark.parametrize("looker", LOOKERS)
def test_no_page_scrolls_sideways(samples: SampleRequests, sessions: BrowserSessions, looker: str):
    found = []
    for walk in page_tours(samples):
        who = "applicants" if walk.who in samples.asked else walk.who or "everybody"
        if who == looker:
            session = sessions(walk.who if looker == who == walk.who else "")
            for path in walk.paths:
                found += looked_at(session, path)
    assert not found, "\n".join(found)


def test_no_email_scrolls_sideways(samples: SampleRequests, sessions: BrowserSessions):
    session = sessions()
    session.open("/surel")
    links = session.page.locator("tbody a").evaluate_all("links => links.map(link => [link.textContent, link.href])")
    one_of_each = {re.sub(r"\[.*\]", "", subject): urlsplit(address).path for subject, address in links}
    assert len(one_of_each) > 10
    found = []
    for path in one_of_each.values():
        found += looked_at(session, path)
        session.open(f"{path}/html")
        found += too_wide(session.page)
    assert not found, "\n".join(found)


def test_no_form_that_is_shown_again_scrolls_sideways(samples: SampleRequests, sessions: BrowserSessions):
    applicant = Applicant(sessions())
    applicant.start()
    applicant.fill(**{"Nama": UNBROKEN, "Jabatan": UNBROKEN, "Alamat surel": UNBROKEN, "Nomor Pegawai": UNBROKEN[:90]})
    page = applicant.page
    long = [{**payload, "name": f"{UNBROKEN[:180]}.exe"} for payload in payloads(PROGRAM)]
    field(page, "Dokumen Persyaratan").set_input_files(long)  # type: ignore[arg-type]
    page.get_by_role("button", name=CHECK).click()
    expect(page.get_by_role("alert").filter(has_text="belum dikirim")).to_be_visible()
    found = too_wide(page)
    page.get_by_role("form", name="Formulir permohonan").evaluate("form => form.submit()")
    expect(page.get_by_role("alert").first).to_be_focused()
    assert not [*found, *too_wide(page)], "\n".join(found)
