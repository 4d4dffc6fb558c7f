"""Heads and leads read the documents of a request page by page, as officers do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contracts.facts import DocumentKind
from shared.web.documents import previews
from tests.support.domain.given_when_then import REQUEST
from tests.support.services.assignment_pages import advance_to, page
from tests.support.services.staff_harness import StaffHarness, pdf, staff_harness

HEAD, LEAD, API = f"/penugasan/{REQUEST}", f"/pekerjaan/{REQUEST}", f"/api/assignment/requests/{REQUEST}/documents"


@pytest.fixture
async def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StaffHarness]:
    monkeypatch.setattr(previews, "RENDER_WAIT_SECONDS", 30.0)  # however busy the machine is
    async with staff_harness(tmp_path) as opened:
        yield opened


async def test_heads_and_leads_read_documents_as_pages(harness: StaffHarness):
    letter = await harness.store_document("surat.pdf", pdf(3), DocumentKind.LETTER)
    data = await harness.store_document("kamus.pdf", pdf(1))
    await advance_to(harness, "in_progress", letter, data)
    for who, path in (("hasan", HEAD), ("dewi", LEAD)):
        listed = await page(harness, who, path)
        assert f'href="{path}/lihat?dokumen={data.id}"' in listed.text, who
        shown = await page(harness, who, f"{path}/lihat?dokumen={letter.id}&halaman=2&putar=180")
        assert "Halaman 2 dari 3" in shown.text, who
        [image] = re.findall(r'<img class="paper" src="([^"]+)"', shown.text)
        assert image == f"{API}/{letter.id}/pages/2?rotation=180", who
        assert (await page(harness, who, image)).headers["content-type"] == "image/png", who
        assert f'href="{path}/dokumen/{letter.id}"' in shown.text, who
        found = await page(harness, who, f"{path}/lihat?dokumen={letter.id}&kata=halaman+3")
        assert "<button class" not in found.text.partition('class="found"')[2].partition("</div>")[0], who
        assert f'href="?dokumen={letter.id}&amp;halaman=3&amp;kata=halaman+3"' in found.text, who
        assert (await page(harness, who, f"{API}/{letter.id}/matches?search=halaman")).json()["matches"][2]["page"] == 3
        assert "_do" not in shown.text.partition('id="viewer"')[2], "there is no form whose input could be lost"


async def test_documents_of_another_lead_are_not_found(harness: StaffHarness):
    letter = await harness.store_document("surat.pdf", pdf(1), DocumentKind.LETTER)
    await advance_to(harness, "in_progress", letter)
    for path in (f"{LEAD}/lihat", f"{API}/{letter.id}/pages/1", f"{API}/{letter.id}/matches?search=halaman"):
        assert (await page(harness, "jafar", path)).status_code == 404, path
    assert (await page(harness, "hasan", f"{API}/unknown/pages/1")).status_code == 404
    assert (await page(harness, "nurlaila", f"{HEAD}/lihat")).status_code == 403
