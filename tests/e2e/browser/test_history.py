"""Pages about many requests, over the demo's past month: what is overdue, the dashboard, the survey and the register."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import Head
from tests.support.e2e.server_session import running_server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteUnderTest]:
    with running_server(tmp_path_factory.mktemp("house"), history_months=1) as opened:
        yield SiteUnderTest(opened)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_the_head_sees_what_is_late_reminds_once_a_day_and_reads_the_figures(sessions: BrowserSessions, script: bool):
    head = Head(sessions("hasan", script=script))
    page = head.session.open("/penugasan")
    page.get_by_role("navigation", name="Utama").get_by_role("link", name="Lewat batas").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^Lewat batas: [1-9]\d* permohonan$"))
    remind = page.get_by_role("button", name="Ingatkan")
    count = remind.count()
    assert count > 1
    remind.first.click()
    head.expect_success("Pengingat dikirim lewat surel.")
    expect(remind).to_have_count(count - 1)
    page.get_by_role("link", name=re.compile("Lebih dari 5 hari")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Lewat batas")

    head.session.open("/penugasan?tab=open")
    page.get_by_role("navigation", name="Tampilan").get_by_role("link", name="Lewat batas").click()
    rows = page.locator("tbody tr")
    assert rows.count() > 1
    expect(rows.filter(has_text="lewat")).to_have_count(rows.count())

    page.get_by_role("navigation", name="Utama").get_by_role("link", name="Dasbor").click()
    head.session.until(lambda: _reloaded(head).get_by_text("Sedang dihitung").count() == 0)
    page.locator("summary").filter(has_text="Lihat angkanya dalam tabel").first.click()
    expect(page.get_by_role("table").first.get_by_role("row").filter(has_text="Pengerjaan")).to_be_visible()
    page.get_by_role("link", name="Buku register").click()
    expect(page.get_by_role("row").filter(has_text="INT-").first).to_be_visible()
    with page.expect_download() as coming:
        page.get_by_role("link", name="PDF").click()
    assert coming.value.path().read_bytes().startswith(b"%PDF")
    head.session.open("/dasbor/kepuasan")
    expect(page.get_by_role("heading", name="Indeks Kepuasan Masyarakat (IKM)")).to_be_visible()


def _reloaded(head: Head) -> Page:
    head.page.reload()
    return head.page
