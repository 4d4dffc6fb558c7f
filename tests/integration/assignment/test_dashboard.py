"""The dashboard: figures counted by hand, their projection in the background, and who may see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from services.assignment.oversight import projection
from shared.contracts.facts import ChecklistItem, Fact, Scope
from tests.support.domain.request_events import APPLICANT, returned_for, surveyed, verified, withdrawn
from tests.support.services.assignment_pages import ASSIGN, page, visible_text
from tests.support.services.services_harness import request_id, submission
from tests.support.services.staff_harness import StaffHarness, open_sessions, staff_harness

DASHBOARD = "/api/assignment/dashboard"
API = "/api/assignment/requests"
# A Monday; the harness knows the holidays of Indonesia, and there are none until the 21st.
START = datetime(2026, 11, 2, 1, tzinfo=UTC)


@pytest.fixture
async def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StaffHarness]:
    monkeypatch.setattr(projection, "MIN_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(projection, "PAUSE_FACTOR", 0)
    async with staff_harness(tmp_path) as opened:
        opened.clock.now = START
        yield opened


async def on_day(harness: StaffHarness, days: int, index: int, *facts: Fact) -> None:
    """Publish facts about a request so many days after the start."""
    harness.clock.now = START + timedelta(days=days)
    await harness.publish(*facts, subject=request_id(index))


async def dashboard(harness: StaffHarness, **query: Any) -> dict[str, Any]:
    await open_sessions(harness.platform)
    found = await harness.get("hasan", DASHBOARD, params=query)
    assert found.status_code == 200, found.text
    body: dict[str, Any] = found.json()
    return body


async def dashboard_with(harness: StaffHarness, month: str, submitted: int, **query: Any) -> dict[str, Any]:
    """Wait until the projection has counted so many submissions in a month."""
    body: dict[str, Any] = {}

    async def counted() -> bool:
        body.update(await dashboard(harness, **query))
        return bool({"month": month, "submitted": submitted}.items() <= body["months"][-1].items())

    await harness.wait_until(counted)
    return body


async def fill(harness: StaffHarness) -> None:
    """One request returned, verified and withdrawn, one verified and open, one only submitted."""
    applicant = APPLICANT.model_copy(update={"unit": "Dinas Sosial"})
    await on_day(harness, 0, 1, submission(1, scope=Scope.DATA))
    await on_day(harness, 0, 2, submission(2, scope=Scope.APPLICATION, applicant=applicant))
    await on_day(harness, 2, 1, returned_for(ChecklistItem.LETTER, ChecklistItem.FORM))
    await on_day(harness, 3, 2, verified)
    await on_day(harness, 4, 1, withdrawn)
    await on_day(harness, 14, 3, submission(3, scope=Scope.DATA))


async def test_open_requests_are_counted_by_stage_age_and_due_date(harness: StaffHarness):
    await fill(harness)
    harness.clock.now = START + timedelta(days=15)
    body = await dashboard_with(harness, "2026-11", 3)
    shown = {stage["stage"]: (stage["ages"], stage["total"], stage["overdue"]) for stage in body["open"]}
    # Appointing was due on Monday the 9th and has lasted from Thursday the 5th: 8 working days.
    assert shown["appoint"] == ([0, 0, 1, 0], 1, 1)
    assert shown["verify"] == ([1, 0, 0, 0], 1, 0)
    assert shown["reply"] == ([0, 0, 0, 0], 0, 0)
    assert body["oldest_due"] == "2026-11-09"
    narrowed = await dashboard(harness, scope="data")
    assert [stage["total"] for stage in narrowed["open"]] == [1, 0, 0, 0, 0, 0]
    narrowed = await dashboard(harness, unit="Dinas Sosial")
    assert [stage["total"] for stage in narrowed["open"]] == [0, 1, 0, 0, 0, 0]


async def test_months_durations_and_returns_follow_the_events(harness: StaffHarness):
    await fill(harness)
    body = await dashboard_with(harness, "2026-11", 3)
    assert [month["month"] for month in body["months"]][::11] == ["2025-12", "2026-11"]
    assert body["months"][-1] == {"month": "2026-11", "submitted": 3, "completed": 0, "ended": 1}
    stages = {stage["stage"]: stage for stage in body["stages"]}
    # Verified after 2 and 3 working days.
    assert stages["verify"] == {"stage": "verify", "count": 2, "median": 2.5, "p90": 3, "target": 1}
    assert stages["reply"] == {"stage": "reply", "count": 0, "median": None, "p90": None, "target": 10}
    assert body["returned"] == 1
    failed = {item["item"]: item["count"] for item in body["failed_items"]}
    assert failed == {"letter": 1, "form": 1, "scope": 0, "documents": 0}
    one_unit = await dashboard(harness, unit="Dinas Sosial", **{"from": "2026-11-15", "to": "2026-11-20"})
    assert (one_unit["from"], one_unit["to"]) == ("2026-11-01", "2026-11-30")
    assert one_unit["months"] == [{"month": "2026-11", "submitted": 1, "completed": 0, "ended": 0}]


async def test_each_lead_has_a_load_and_answers_to_the_survey_an_index(harness: StaffHarness):
    subject = request_id(1)
    await on_day(harness, 0, 1, submission(1), verified, surveyed)
    await open_sessions(harness.platform)
    assert (await harness.post("hasan", f"{API}/{subject}/assignment", ASSIGN)).status_code == 200
    body = await dashboard_with(harness, "2026-11", 1)
    loads = {lead["name"]: lead for lead in body["leads"]}
    expected = {"username": "dewi", "name": "Dewi Andaian", "open": 1, "overdue": 0, "target": 6}
    assert loads["Dewi Andaian"] == expected
    assert [lead["open"] for lead in loads.values()].count(0) == len(loads) - 1
    survey = body["survey"]
    assert (survey["n"], survey["ikm"], survey["band"], survey["ikm_before"]) == (1, 80.56, "B", None)
    assert survey["elements"][3] == {"code": "U4", "name": "Biaya", "mean": 4.0, "band": "A"}


async def another_projection(harness: StaffHarness) -> projection.FiguresProjection:
    """Return the projection of another process, once the running one has stored everything."""
    runtime, office = harness.services["assignment"].runtime, harness.platform.office
    while True:
        stored = await office.get(projection.COLLECTION, projection.UPDATED_AT_KEY)
        if stored and stored.body["cursor"] == await runtime.store.latest_change():
            break
        await asyncio.sleep(0.05)
    return projection.FiguresProjection(runtime.store, office, lambda: harness.platform.calendar, harness.clock)


async def test_a_start_reads_only_what_has_changed_since_the_last_figures(harness: StaffHarness):
    await fill(harness)
    await dashboard_with(harness, "2026-11", 3)
    again = await another_projection(harness)
    office = harness.platform.office
    before = await office.get(projection.COLLECTION, "2026-11")
    await office.put(projection.COLLECTION, "2026-11", {"cells": []})
    await again.update()
    unread = await office.get(projection.COLLECTION, "2026-11")
    assert unread is not None
    assert unread.body == {"cells": []}
    await on_day(harness, 16, 3, verified)
    await again.update()
    after = await office.get(projection.COLLECTION, "2026-11")
    assert before is not None
    assert after is not None
    assert len(after.body["cells"]) == len(before.body["cells"]) > 0


async def test_figures_by_other_rules_are_replaced_and_nothing_is_counted_twice(harness: StaffHarness):
    await fill(harness)
    await dashboard_with(harness, "2026-11", 3)
    again = await another_projection(harness)
    await harness.platform.office.put(projection.COLLECTION, projection.UPDATED_AT_KEY, {"at": "2026-11-01T00:00:00Z"})
    before = await harness.platform.office.get(projection.COLLECTION, "2026-11")
    await harness.platform.office.put(projection.COLLECTION, "2026-11", {"cells": []})
    await harness.platform.office.put(projection.COLLECTION, "2020-01", {"cells": []})
    await again.update()
    after = await harness.platform.office.get(projection.COLLECTION, "2026-11")
    assert before is not None
    assert after is not None
    assert after.body == before.body
    await on_day(harness, 16, 3, verified)
    await again.update()
    await again.update()
    body = await dashboard(harness)
    assert body["months"][-1]["submitted"] == 3
    assert {stage["stage"]: stage["count"] for stage in body["stages"]}["verify"] == 3


async def test_the_page_shows_each_chart_with_its_table(harness: StaffHarness):
    await fill(harness)
    harness.clock.now = START + timedelta(days=15)
    await dashboard_with(harness, "2026-11", 3)
    shown = await page(harness, "hasan", "/dasbor")
    assert shown.status_code == 200, shown.text
    text = visible_text(shown)
    assert "Permohonan terbuka 2 bulan ini masuk 3, selesai 0" in text
    assert "Lewat batas 1 1 di penugasan, paling lama 6 hari kerja" in text
    assert "2 terbuka, 1 lewat batas. Terbanyak di verifikasi, 1." in text
    assert "Penugasan 0 0 1 0 1 1" in text
    assert "November 2026 3 0 +3" in text
    assert "Verifikasi 2,5 3 1" in text
    assert "Mediannya melewati target pada: verifikasi." in text
    assert "2 butir pada 1 pengembalian." in text
    assert "Dewi Andaian 0 0 6 +6" in text
    assert "Belum ada jawaban pada periode ini." in text
    assert shown.text.count("<details>") == shown.text.count('role="img"') == 5
    assert "style=" not in shown.text
    narrowed = await page(harness, "hasan", "/dasbor?unit=Dinas+Sosial&scope=&from=2026-11-01&to=2026-11-30")
    assert '<option value="Dinas Sosial" selected>' in narrowed.text
    assert "1 terbuka, 1 lewat batas. Terbanyak di penugasan, 1." in visible_text(narrowed)
    pdf = (await harness.get("hasan", f"{DASHBOARD}.pdf")).content
    pages = pypdfium2.PdfDocument(pdf)
    printed = " ".join("".join(one.get_textpage().get_text_range() for one in pages).split())
    assert "DASBOR LAYANAN Periode Desember 2025 sampai November 2026" in printed
    assert "Verifikasi 1 0 0 0 1 0" in printed
    assert "November 2026 3 0 +3" in printed
    assert (await page(harness, "hasan", "/dasbor?from=2026-12-01&to=2026-11-01")).status_code == 422
    assert (await page(harness, "dewi", "/dasbor")).status_code == 403


async def test_the_query_is_checked_and_only_the_head_reads_it(harness: StaffHarness):
    for query in ({"from": "2010-01-01"}, {"from": "2021-01-01", "to": "2032-12-31"}, {"period": "all"}):
        assert (await harness.get("hasan", DASHBOARD, params=query)).status_code == 422
    assert [(await harness.get(who, DASHBOARD)).status_code for who in ("", "dewi", "nurlaila")] == [401, 403, 403]


async def test_everybody_reads_the_public_figures_of_past_months(harness: StaffHarness):
    await fill(harness)
    await dashboard_with(harness, "2026-11", 3)
    assert (await harness.get("", "/api/public/figures")).json()["requests"] == 0
    harness.clock.now = START + timedelta(days=35)
    found = await harness.get("", "/api/public/figures")
    assert found.headers["cache-control"] == "public, max-age=3600"
    assert found.json() == {
        "from": "2025-12-01",
        "to": "2026-11-30",
        "requests": 3,
        "completed": 0,
        "median_working_days": None,
        "survey_from": "2025-10-01",
        "survey_to": "2026-09-30",
        "n": None,
        "ikm": None,
        "band": None,
    }
    shown = await page(harness, "", "/kinerja")
    assert "Permohonan 3 diterima dalam dua belas bulan" in visible_text(shown)
    assert "Jawaban survei belum cukup untuk ditampilkan." in visible_text(shown)
    assert shown.headers["cache-control"] == "public, max-age=3600"
    assert "set-cookie" not in shown.headers
    assert "Rahmat" not in shown.text
