"""The queue of the structural head and the workload of leads: content, order and filters."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contracts.facts import Scope
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import recommended, resubmitted, returned, verified, withdrawn
from tests.support.services.assignment_pages import API, ASSIGN, QUEUE, advance_to, page, rows
from tests.support.services.staff_harness import StaffHarness, staff_harness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        yield opened


def id_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


async def several(harness: StaffHarness, *statuses: str) -> list[str]:
    """Create requests 101, 102 ... in these statuses, in order of submission."""
    ids = [id_of(number) for number in range(101, 101 + len(statuses))]
    for number, (request_id, status) in enumerate(zip(ids, statuses, strict=True), 101):
        await advance_to(harness, status, subject=request_id, number=f"INT-2026-{number:06d}")
        harness.clock.advance(minutes=1)
    return ids


async def test_the_queue_shows_what_waits_for_a_lead_oldest_first(harness: StaffHarness):
    ids = await several(harness, "verified", "assigned", "verified", "submitted")
    shown = await page(harness, "hasan", "/penugasan")
    assert rows(shown) == [ids[0], ids[2]]
    assert shown.headers["cache-control"] == "no-store"
    assert re.search(
        r'href="/penugasan" aria-current="page">Penugasan <span class="badge" data-count="/penugasan">2<', shown.text
    )
    assert "Batas tunjuk (internal)" in shown.text
    assert re.search(r'data-live="/api/assignment/live\?last_event_id=[^"]+"', shown.text)
    assert 'class="toast"' in shown.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?tab=appoint", [0]),
        ("?tab=submitted", [1]),
        ("?tab=running", [2, 3, 4]),
        ("?tab=open", [0, 1, 2, 3, 4]),
        ("?tab=archive", [5, 4, 3, 2, 1, 0]),
        ("?tab=nowhere", [0]),
        ("?lead=dewi", [2, 3, 4]),
        ("?lead=jafar", []),
        ("?status=on_hold", [4]),
        ("?tab=running&status=assigned", [2]),
        ("?tab=archive&status=withdrawn", [5]),
        ("?tab=open&search=int-2026-000104", [3]),
        ("?tab=open&search=perhubungan+rahmat", [0, 1, 2, 3, 4]),
        ("?tab=open&search=kesehatan", []),
    ],
)
async def test_tabs_and_filters_select_requests(harness: StaffHarness, query: str, found: list[int]):
    ids = await several(harness, "verified", "submitted", "assigned", "in_progress", "on_hold", "submitted")
    await harness.publish(withdrawn, subject=ids[5])
    shown = await page(harness, "hasan", f"/penugasan{query}")
    assert rows(shown) == [ids[place] for place in found]


async def test_tabs_count_what_is_open(harness: StaffHarness):
    ids = await several(harness, "verified", "submitted", "submitted", "assigned", "submitted")
    await harness.publish(recommended, subject=ids[1])
    await harness.publish(withdrawn, subject=ids[4])
    shown = await page(harness, "hasan", "/penugasan")
    counts = re.findall(r'">([^<]+) <span class="badge" data-count="tab \d">(\d+)<', shown.text)
    assert counts == [
        ("Perlu ditunjuk", "1"),
        ("Penolakan disarankan", "1"),
        ("Diajukan", "2"),
        ("Berjalan", "1"),
        ("Lewat batas", "0"),
        ("Semua terbuka", "4"),
    ]
    assert ">Arsip</a>" in shown.text


async def test_a_scope_filters_requests_that_need_a_lead(harness: StaffHarness):
    await advance_to(harness, "verified", scope=Scope.APPLICATION)
    assert rows(await page(harness, "hasan", "/penugasan?scope=application")) == [REQUEST]
    assert rows(await page(harness, "hasan", "/penugasan?scope=data")) == []


@pytest.mark.parametrize("tab", ["appoint", "advised", "submitted", "running", "overdue", "open", "archive"])
async def test_a_filter_form_with_empty_fields_selects_everything(harness: StaffHarness, tab: str):
    await advance_to(harness, "verified")
    shown = await page(harness, "hasan", f"/penugasan?tab={tab}")
    form = shown.text[shown.text.index('<form class="find"') :]
    names = [name for name in re.findall(r'name="(\w+)"', form[: form.index("</details>")]) if name != "overdue"]
    assert {"search", "tab", "unit", "scope", "from", "to"} <= set(names)
    asked = "&".join(f"{name}={tab if name == 'tab' else ''}" for name in names)
    answer = await page(harness, "hasan", f"/penugasan?{asked}")
    assert (answer.status_code, rows(answer)) == (200, rows(shown))


async def test_a_recommendation_is_marked_until_the_next_round(harness: StaffHarness):
    await harness.submitted()
    await harness.publish(recommended)
    for tab in ("advised", "submitted", "open"):
        shown = await page(harness, "hasan", f"/penugasan?tab={tab}")
        assert (rows(shown), '<span class="tag warnt w">Disarankan ditolak</span>' in shown.text) == (
            [REQUEST],
            True,
        ), tab
    await harness.publish(returned, resubmitted)
    assert rows(await page(harness, "hasan", "/penugasan?tab=advised")) == []
    again = await page(harness, "hasan", "/penugasan?tab=submitted")
    assert (rows(again), '<span class="tag warnt w">Disarankan ditolak</span>' in again.text) == ([REQUEST], False)
    assert "Saran penolakan pada putaran 1" in (await page(harness, "hasan", QUEUE)).text


async def test_overdue_requests_show_the_days_beside_their_status(harness: StaffHarness):
    await advance_to(harness, "assigned")
    await harness.sign_in_again_after(days=24)
    shown = await page(harness, "hasan", "/penugasan?tab=overdue")
    assert rows(shown) == [REQUEST]
    assert '<span class="st assigned">Ditugaskan</span>' in shown.text
    assert '<span class="num late">lewat 16</span>' in shown.text
    assert "Melewati target 16 hari kerja" in (await page(harness, "hasan", QUEUE)).text


async def test_a_target_that_passed_over_the_weekend_counts_no_days(harness: StaffHarness):
    await advance_to(harness, "verified")
    await harness.post("hasan", f"{API}/{REQUEST}/assignment", {**ASSIGN, "target_date": "2026-11-27"})
    await harness.post("dewi", f"{API}/{REQUEST}/start", {})
    await harness.sign_in_again_after(days=5)
    shown = await page(harness, "hasan", "/penugasan?tab=overdue")
    assert '<span class="num">lewat</span>' in shown.text
    assert "lewat 0" not in shown.text


async def test_pages_of_the_queue_keep_the_filters(harness: StaffHarness):
    ids = await several(harness, *["verified"] * 3)
    first = await page(harness, "hasan", "/penugasan?search=dinas&limit=2")
    assert rows(first) == ids[:2]
    address = html.unescape(re.findall(r'href="([^"]+)" rel="next"', first.text)[0])
    assert "search=dinas" in address
    second = await page(harness, "hasan", f"{address}&limit=2")
    assert rows(second) == ids[2:]
    assert 'rel="prev"' in second.text


async def test_an_empty_queue_and_a_search_without_results_explain_what_to_do(harness: StaffHarness):
    empty = await page(harness, "hasan", "/penugasan")
    assert "Tidak ada yang menunggu penunjukan" in empty.text
    assert 'class="toast"' in empty.text
    await advance_to(harness, "assigned")
    vain = await page(harness, "hasan", "/penugasan?search=INT-2026-000001")
    assert "Tidak ada yang cocok" in vain.text
    way = html.unescape(re.findall(r'href="([^"]+tab=archive&amp;search=[^"]+)"', vain.text)[-1])
    assert rows(await page(harness, "hasan", way)) == [REQUEST]


@pytest.mark.parametrize("query", ["?done=assigned&number=%3Cb%3E", "?done=assigned&number=Anda+kalah"])
async def test_query_parameters_cannot_change_the_text_of_a_message(harness: StaffHarness, query: str):
    assert (await page(harness, "hasan", f"/penugasan{query}")).status_code == 422


async def test_the_workload_of_every_lead_links_to_their_requests(harness: StaffHarness):
    await advance_to(harness, "assigned")
    await harness.sign_in_again_after(days=24)
    shown = await page(harness, "hasan", "/beban-kerja")
    assert rows(shown) == ["dewi", "jafar", "kepala"]
    assert 'data-version="1-1-True"' in shown.text
    assert 'href="/penugasan?lead=dewi"' in shown.text
    assert rows(await page(harness, "hasan", "/penugasan?lead=dewi")) == [REQUEST]


async def test_open_requests_of_former_technical_staff_are_listed(harness: StaffHarness):
    await advance_to(harness, "assigned")
    await harness.platform.identity.change_staff("dewi", active=False)
    shown = await page(harness, "hasan", "/beban-kerja")
    assert rows(shown) == ["dewi", "jafar", "kepala"]
    assert "Tidak lagi bertugas sebagai penanggung jawab teknis" in shown.text
    listed = await page(harness, "hasan", "/penugasan?lead=dewi")
    assert '<option value="dewi" selected>Dewi Andaian</option>' in listed.text


async def test_a_verification_is_shown_live_to_a_person_with_both_roles(harness: StaffHarness):
    await harness.submitted()
    await harness.publish(verified)
    await harness.post("hasan", f"{API}/{REQUEST}/assignment", {**ASSIGN, "lead": "kepala"})
    shown = await page(harness, "kepala", "/penugasan")
    assert re.findall(r'data-count="/[^"]+"(?: hidden)?>(\d+)<', shown.text) == ["0", "0", "1"]
    assert rows(await page(harness, "kepala", "/pekerjaan")) == [REQUEST]
