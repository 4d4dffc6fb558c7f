"""The overdue board: what is late by stage and by the one responsible, and reminders from it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from shared.contracts.assignment import ReminderRequested
from shared.contracts.facts import ChecklistItem
from shared.contracts.verification import RequestClaimed
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import NURLAILA, returned_for, verified, withdrawn
from tests.support.services.assignment_pages import API, advance_to, page, send, visible_text
from tests.support.services.services_harness import request_id, submission
from tests.support.services.staff_harness import StaffHarness, staff_harness

BOARD = "/lewat-batas"
FRIDAY = {"days": 11}
"""From Monday, 23 November, to Friday, 4 December 2026; no day between is a holiday."""


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        yield opened


async def fill(harness: StaffHarness) -> None:
    """Seven requests: three to verify, of which one is claimed, one to appoint, one to start, one on hold, one ended."""
    for index in (2, 3, 4, 5, 6):
        await harness.publish(submission(index), subject=request_id(index))
    await harness.publish(RequestClaimed(round=1, officer=NURLAILA, by=NURLAILA), subject=request_id(3))
    await harness.publish(verified, subject=request_id(5))
    answer = await harness.post("hasan", f"{API}/{request_id(6)}/rejection", {"reason": "Di luar lingkup."})
    assert answer.status_code == 200
    await advance_to(harness, "on_hold", subject=request_id(7), number="INT-2026-000007")
    await advance_to(harness, "assigned")
    await harness.sign_in_again_after(**FRIDAY)


def stage_counts(shown: httpx.Response) -> list[tuple[str, int]]:
    return [(name, int(count)) for name, count in re.findall(r"<h2>([^<]+) <b class=\"num\">(\d+)</b>", shown.text)]


async def test_the_board_counts_by_stage_and_by_the_one_responsible(harness: StaffHarness):
    await fill(harness)
    board = (await harness.get("hasan", "/api/assignment/overdue")).json()
    assert board["total"] == 6
    assert [(one["stage"], one["count"], one["overdue_days"]) for one in board["stages"]] == [
        ("verify", 3, 8),
        ("appoint", 1, 7),
        ("start", 1, 7),
        ("work", 0, 0),
        ("reply", 1, 4),
        ("confirm", 0, 0),
    ]
    people = {one["responsible"]: (one["name"], one["total"], one["overdue_days"]) for one in board["people"]}
    assert people == {
        "role:officer": ("Belum diambil", 2, 8),
        "staff:nurlaila": ("Nurlaila Ibarat", 1, 8),
        "role:structural": ("Pimpinan", 1, 7),
        "staff:dewi": ("Dewi Andaian", 1, 7),
        "applicant": ("Pemohon", 1, 4),
    }
    assert (await harness.get("dewi", "/api/assignment/overdue")).status_code == 403


async def test_the_page_shows_six_stages_and_officers_see_it_without_reminding(harness: StaffHarness):
    await fill(harness)
    shown = await page(harness, "hasan", BOARD)
    assert "Lewat batas: 6 permohonan" in visible_text(shown)
    assert stage_counts(shown) == [
        ("Verifikasi", 3),
        ("Penugasan", 1),
        ("Mulai kerja", 1),
        ("Pengerjaan", 0),
        ("Jawaban pemohon", 1),
        ("Konfirmasi", 0),
    ]
    assert "Lebih dari 5 hari 5" in visible_text(shown)
    assert "Giliran kita 5" in visible_text(shown)
    assert f'href="/penugasan/{REQUEST}"' in shown.text
    officer = await page(harness, "nurlaila", BOARD)
    assert f'href="/verifikasi/{request_id(2)}"' in officer.text
    assert "Ingatkan" not in officer.text
    refused = await send(harness, "nurlaila", BOARD, shown, responsible="applicant")
    assert refused.status_code == 403
    assert (await page(harness, "dewi", BOARD)).status_code == 403
    long = await page(harness, "hasan", f"{BOARD}?show=long")
    assert stage_counts(long)[4] == ("Jawaban pemohon", 0)
    claimed = await page(harness, "hasan", f"{BOARD}?stage=verify&responsible=staff:nurlaila")
    assert stage_counts(claimed) == [("Verifikasi", 1)]


async def test_an_empty_board_says_so(harness: StaffHarness):
    shown = await page(harness, "hasan", BOARD)
    assert shown.text.count("Tidak ada yang lewat batas.") == 6
    assert "Menurut orang" not in shown.text


async def test_a_reminder_is_requested_once_a_day_at_most(harness: StaffHarness):
    await fill(harness)
    shown = await page(harness, "hasan", BOARD)
    answer = await send(harness, "hasan", BOARD, shown, responsible="staff:dewi")
    assert answer.headers["location"] == f"{BOARD}?done=reminded&count=1"
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, ReminderRequested)
    assert (fact.responsible, fact.stage, fact.overdue_days, fact.others) == ("staff:dewi", "start", 7, 0)
    again = await page(harness, "hasan", answer.headers["location"])
    assert "Pengingat dikirim lewat surel." in again.text
    assert visible_text(again).count("Diingatkan hari ini") == 1
    second = await send(harness, "hasan", BOARD, shown, responsible="staff:dewi", _key="another")
    assert second.headers["location"] == f"{BOARD}?done=reminded_before"
    over_api = await harness.post("hasan", f"{API}/{REQUEST}/reminder")
    assert over_api.status_code == 409
    assert over_api.json()["detail"].startswith("Pengingat untuk permohonan ini sudah dikirim hari ini.")
    await harness.sign_in_again_after(days=3)
    assert (await harness.post("hasan", f"{API}/{REQUEST}/reminder")).status_code == 200
    assert len([one for one in await harness.events("assignment") if isinstance(one.fact, ReminderRequested)]) == 2


async def test_every_overdue_applicant_is_reminded_fifty_at_a_time(harness: StaffHarness):
    for index in range(2, 54):
        facts = submission(index), returned_for(ChecklistItem.FORM)
        await harness.publish(*facts, subject=request_id(index))
    await harness.sign_in_again_after(days=30)
    for done in ("reminded&count=50", "reminded&count=2", "reminded_before"):
        shown = await page(harness, "hasan", BOARD)
        answer = await send(harness, "hasan", BOARD, shown, responsible="applicant")
        assert answer.headers["location"] == f"{BOARD}?done={done}"


async def test_staff_are_reminded_once_a_day_whatever_became_of_that_request(harness: StaffHarness):
    await fill(harness)
    shown = await page(harness, "hasan", BOARD)
    await send(harness, "hasan", BOARD, shown, responsible="role:officer")
    fact = (await harness.events("assignment", request_id(2)))[-1].fact
    assert isinstance(fact, ReminderRequested)
    assert fact.responsible == "role:officer"
    await harness.publish(withdrawn, subject=request_id(2))
    again = await send(harness, "hasan", BOARD, shown, responsible="role:officer", _key="another")
    assert again.headers["location"] == f"{BOARD}?done=reminded_before"
    await harness.sign_in_again_after(days=3)
    later = await send(harness, "hasan", BOARD, await page(harness, "hasan", BOARD), responsible="role:officer")
    assert later.headers["location"] == f"{BOARD}?done=reminded&count=1"


async def test_what_is_in_time_is_not_reminded_of(harness: StaffHarness):
    await advance_to(harness, "verified")
    assert harness.clock() < datetime.fromisoformat("2026-11-24T00:00:00+00:00")
    refused = await harness.post("hasan", f"{API}/{REQUEST}/reminder")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_overdue")
    assert (await harness.post("nurlaila", f"{API}/{REQUEST}/reminder")).status_code == 403
