"""The satisfaction report: its figures over the API, its files, its page, and who may see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pypdfium2
import pytest

from shared.contracts.facts import Scope
from shared.contracts.intake import SurveyAnswered
from tests.support.domain.request_events import COMPLETED
from tests.support.services.assignment_pages import page, visible_text
from tests.support.services.services_harness import request_id, submission
from tests.support.services.staff_harness import StaffHarness, open_sessions, staff_harness

REPORT = "/api/assignment/survey"
FIRST = SurveyAnswered(answers=(3, 3, 3, 4, 3, 3, 4, 3, 3), comment="=Terima kasih")
SECOND = SurveyAnswered(answers=(4, 3, 2, 4, 3, 3, 4, 2, 2), comment="Mohon <lebih> cepat")


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        yield opened


async def answer(harness: StaffHarness, index: int, survey: SurveyAnswered, scope: Scope) -> None:
    subject = request_id(index)
    await harness.publish(submission(index, scope=scope), *COMPLETED[1:], survey, subject=subject)


async def report(harness: StaffHarness, **query: Any) -> dict[str, Any]:
    found = await harness.get("hasan", REPORT, params=query)
    assert found.status_code == 200, found.text
    body: dict[str, Any] = found.json()
    return body


async def test_the_report_has_means_index_and_comments_of_the_period_and_scope(harness: StaffHarness):
    await answer(harness, 1, FIRST, Scope.DATA)
    harness.clock.advance(days=10)
    await answer(harness, 2, SECOND, Scope.APPLICATION)
    await open_sessions(harness.platform)
    day = harness.clock().date()

    both = await report(harness)
    assert (both["n"], both["from"], both["to"]) == (2, "2026-01-01", "2026-12-31")
    means = {element["code"]: element["mean"] for element in both["elements"]}
    expected = {"U1": 3.5, "U2": 3, "U3": 2.5, "U4": 4, "U5": 3, "U6": 3, "U7": 4, "U8": 2.5, "U9": 2.5}
    assert means == expected
    assert (both["ikm"], both["band"]) == (77.78, "B")  # 28 / 9 x 25
    assert both["comments"] == ["=Terima kasih", "Mohon <lebih> cepat"]

    data = await report(harness, scope="data")
    assert (data["n"], data["ikm"], data["band"]) == (1, 80.56, "B")
    late = await report(harness, **{"from": str(day), "to": str(day)})
    assert (late["n"], late["ikm"], late["band"]) == (1, 75.0, "C")  # 27 / 9 x 25
    # Whole months, because the answer of a single day could be that of a known request.
    assert (late["from"], late["to"]) == ("2026-12-01", "2026-12-31")
    assert late == await report(harness, **{"from": "2026-12-01", "to": "2026-12-01"})
    none = await report(harness, **{"from": "2025-01-01"})
    assert (none["n"], none["ikm"], none["band"], none["comments"]) == (0, None, None, [])
    assert {element["mean"] for element in none["elements"]} == {None}


async def test_the_report_is_read_in_pages(harness: StaffHarness, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.assignment.oversight.counted_requests.PAGE_SIZE", 2)
    for index in range(1, 6):
        await answer(harness, index, FIRST, Scope.DATA)
    assert (await report(harness))["n"] == 5


@pytest.mark.parametrize(
    "query", [{}, {"scope": "data"}, {"from": "2026-11-20", "to": "2026-12-05"}, {"to": "2026-11-26"}]
)
async def test_very_many_answers_are_summed_up_from_the_stored_months(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
):
    await answer(harness, 1, FIRST, Scope.DATA)
    await answer(harness, 2, SECOND, Scope.APPLICATION)
    harness.clock.advance(days=10)
    await answer(harness, 3, FIRST, Scope.DATA)
    await open_sessions(harness.platform)
    expected = await report(harness, **query)
    assert expected["n"] > 0
    monkeypatch.setattr("services.assignment.oversight.service.MAX_ANSWERS_READ", 0)
    async with asyncio.timeout(60):
        while True:
            found = await report(harness, **query)
            if found["n"] == expected["n"]:
                break
            await asyncio.sleep(0.1)
    assert found == expected


async def test_the_files_hold_the_same_figures_and_no_formula(harness: StaffHarness):
    await answer(harness, 1, FIRST, Scope.DATA)
    pdf = await harness.get("hasan", f"{REPORT}.pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["content-disposition"].startswith("attachment")
    text = pypdfium2.PdfDocument(pdf.content)[0].get_textpage().get_text_range()
    assert "LAPORAN SURVEI KEPUASAN MASYARAKAT" in text
    assert "IKM 80,56, mutu layanan B (Baik)." in text
    book = openpyxl.load_workbook(BytesIO((await harness.get("hasan", f"{REPORT}.xlsx")).content))
    figures = [[cell.value for cell in row] for row in book["SKM"].iter_rows(min_row=5, max_row=16)]
    assert figures[3] == ["U4", "Biaya", 4, "A"]
    assert figures[10][1:] == ["IKM", 80.56, "B"]
    assert figures[11][1:3] == ["Jumlah jawaban", 1]
    [comment] = book["Saran"]["A"]
    assert (comment.value, comment.data_type) == ("=Terima kasih", "s")


async def test_the_page_shows_the_index_and_no_answer_beside_its_request(harness: StaffHarness):
    await answer(harness, 1, SECOND, Scope.DATA)
    shown = await page(harness, "hasan", "/dasbor/kepuasan")
    assert shown.status_code == 200, shown.text
    text = visible_text(shown)
    assert "75,00" in text
    assert "Mutu C, Kurang baik" in text
    assert "Mohon <lebih> cepat" in text
    assert "U3 Waktu 2,00" in text
    assert "style=" not in shown.text
    request = await page(harness, "hasan", f"/penugasan/{request_id(1)}")
    assert request.status_code == 200
    assert "Survei" not in visible_text(request)
    assert "cepat" not in request.text
    empty = await page(harness, "hasan", "/dasbor/kepuasan?from=2025-01-01&scope=")
    assert "Belum ada jawaban pada periode ini" in visible_text(empty)


async def test_a_reversed_or_unknown_period_is_refused(harness: StaffHarness):
    reversed_days = await harness.get("hasan", REPORT, params={"from": "2026-12-31", "to": "2026-01-01"})
    assert reversed_days.status_code == 422
    assert "sama dengan atau sesudah" in reversed_days.text
    assert (await harness.get("hasan", REPORT, params={"from": "kemarin"})).status_code == 422
    assert (await harness.get("hasan", REPORT, params={"dari": "2026-01-01"})).status_code == 422


async def test_only_the_structural_head_reads_the_report(harness: StaffHarness):
    for path in (REPORT, f"{REPORT}.pdf", f"{REPORT}.xlsx"):
        statuses = [(await harness.get(who, path)).status_code for who in ("", "dewi", "nurlaila")]
        assert statuses == [401, 403, 403]
