"""The monthly register: its lines over the API, as page and as PDF."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest

from shared.contracts.facts import Scope
from tests.support.domain.request_events import verified, withdrawn
from tests.support.services.assignment_pages import ASSIGN, page, visible_text
from tests.support.services.services_harness import request_id, submission
from tests.support.services.staff_harness import StaffHarness, open_sessions, staff_harness

REGISTER = "/api/assignment/register"
API = "/api/assignment/requests"


async def fill(harness: StaffHarness) -> None:
    """Three requests at the edges of November in Halmahera Timur (UTC+9), and one of October."""
    for index, moment in enumerate(
        (
            datetime(2026, 10, 31, 14, 59, tzinfo=UTC),
            datetime(2026, 10, 31, 15, 0, tzinfo=UTC),
            datetime(2026, 11, 30, 14, 59, tzinfo=UTC),
            datetime(2026, 11, 30, 15, 0, tzinfo=UTC),
        ),
        start=1,
    ):
        harness.clock.now = moment
        await harness.publish(submission(index, scope=Scope.DATA), verified, subject=request_id(index))
    await harness.publish(withdrawn, subject=request_id(2))
    await open_sessions(harness.platform)
    assert (await harness.post("hasan", f"{API}/{request_id(3)}/assignment", ASSIGN)).status_code == 200


async def test_the_register_lists_the_requests_of_a_month_in_every_form(tmp_path: Path):
    async with staff_harness(tmp_path) as harness:
        await fill(harness)
        body = (await harness.get("hasan", REGISTER, params={"month": "2026-11"})).json()
        assert [item["number"] for item in body["items"]] == ["INT-2026-000002", "INT-2026-000003"]
        assert body["items"][1] == {
            "number": "INT-2026-000003",
            "submitted": "2026-11-30",
            "name": "Rahmat Contoh",
            "unit": "Dinas Perhubungan",
            "scope": "data",
            "letter_number": "500/1/DISHUB",
            "letter_date": "2026-11-20",
            "lead": "Dewi Andaian",
            "target_date": "2026-12-14",
            "status": "assigned",
            "ended": None,
        }
        assert (body["items"][0]["status"], body["items"][0]["ended"]) == ("withdrawn", "2026-12-01")

        text = visible_text(await page(harness, "hasan", "/dasbor/register?month=2026-11"))
        assert "November 2026, 2 permohonan" in text
        assert "Dibatalkan Pemohon, 01/12/2026" in text
        assert "Rahmat Contoh, Dinas Perhubungan" in text
        empty = visible_text(await page(harness, "hasan", "/dasbor/register?month=2025-01"))
        assert "Tidak ada permohonan pada bulan ini" in empty

        pdf = pypdfium2.PdfDocument((await harness.get("hasan", f"{REGISTER}.pdf?month=2026-11")).content)
        assert [round(side) for side in pdf[0].get_size()] == [842, 595]
        printed = " ".join(pdf[0].get_textpage().get_text_range().split())
        assert "BUKU REGISTER LAYANAN INTEGRASI SISTEM" in printed
        assert "30/11/2026" in printed
        assert "Kepala Dinas Komunikasi dan Informatika," in printed
        none = pypdfium2.PdfDocument((await harness.get("hasan", f"{REGISTER}.pdf?month=2025-01")).content)
        assert "Tidak ada permohonan yang diajukan" in none[0].get_textpage().get_text_range()

        for month in ("2026-13", "november", "1999-01"):
            assert (await harness.get("hasan", REGISTER, params={"month": month})).status_code == 422
        assert [(await harness.get(who, REGISTER)).status_code for who in ("", "dewi")] == [401, 403]


async def test_a_register_of_many_requests_is_shown_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.assignment.oversight.pages.REGISTER_PAGE_SIZE", 1)
    async with staff_harness(tmp_path) as harness:
        await fill(harness)
        november = {"month": "2026-11"}
        first = (await harness.get("hasan", REGISTER, params={**november, "limit": 1})).json()
        assert ([item["number"] for item in first["items"]], first["total"]) == (["INT-2026-000002"], 2)
        assert first["previous"] is None
        second = (await harness.get("hasan", REGISTER, params={**november, "limit": 1, "after": first["next"]})).json()
        assert ([item["number"] for item in second["items"]], second["next"]) == (["INT-2026-000003"], None)
        back = (
            await harness.get("hasan", REGISTER, params={**november, "limit": 1, "before": second["previous"]})
        ).json()
        assert back == first
        for refused in ({"limit": 1001}, {"after": "nowhere"}):
            assert (await harness.get("hasan", REGISTER, params={**november, **refused})).status_code == 422

        shown = await page(harness, "hasan", "/dasbor/register?month=2026-11")
        assert "November 2026, 2 permohonan" in visible_text(shown)
        assert "INT-2026-000003" not in shown.text
        [address] = re.findall(r'href="([^"]*)" rel="next"', shown.text)
        following = await page(harness, "hasan", html.unescape(address))
        assert "2 INT-2026-000003" in visible_text(following)
        assert "2-2 dari 2" in visible_text(following)
        assert 'rel="prev"' in following.text
        assert 'href="/api/assignment/register.pdf?month=2026-11"' in following.text

        part = await harness.get("hasan", f"{REGISTER}.pdf", params={**november, "limit": 1, "after": first["next"]})
        printed = " ".join(pypdfium2.PdfDocument(part.content)[0].get_textpage().get_text_range().split())
        assert "Nomor 2 sampai 2 dari 2" in printed
        assert "nomor%202%20sampai%202" in part.headers["content-disposition"]
