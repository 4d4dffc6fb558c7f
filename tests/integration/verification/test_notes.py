"""Notes among staff: written by officers, heads and leads, and kept from applicants in every answer, page and email."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.notes import StaffNote, add_note
from shared.contracts.verification import NoteAdded
from tests.support.domain.given_when_then import NOON, REQUEST, make_event
from tests.support.domain.request_events import HASAN, NURLAILA
from tests.support.services.intake_harness import FILES, FORM
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import StaffHarness, staff_harness

SERVICES = ("intake", "verification", "assignment", "notification")
SECRET = "RAHASIA-DAPUR"
CHECKLIST = [{"item": item, "ok": True} for item in ("form", "letter", "scope", "documents")]


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, *SERVICES) as opened:
        yield opened


async def done(harness: StaffHarness, who: str, path: str, json: Any = None) -> None:
    answer = await harness.post(who, path, json)
    assert answer.status_code == 200, answer.text
    await harness.wait_until_heard()


async def test_applicants_never_see_a_note(harness: StaffHarness, tmp_path: Path):
    answer = await harness.call("", "POST", "/api/requests", data=FORM, files=FILES)
    assert answer.status_code == 201, answer.text
    given, number = answer.json(), answer.json()["number"]
    await harness.wait_for_status("assignment", "submitted", given["id"])
    await harness.wait_for_status("verification", "submitted", given["id"])
    verification, assignment = (f"/api/{name}/requests/{given['id']}" for name in ("verification", "assignment"))
    await done(harness, "nurlaila", f"{verification}/notes", {"text": f"{SECRET} petugas"})
    await done(harness, "nurlaila", f"{verification}/claim")
    await done(harness, "nurlaila", f"{verification}/verification", {"checklist": CHECKLIST})
    await harness.wait_for_status("assignment", "verified", given["id"])
    await done(harness, "hasan", f"{assignment}/notes", {"text": f"{SECRET} kepala"})
    lead = {"lead": "dewi", "complexity": "low", "target_date": "2026-12-14", "note": "Mohon didahulukan."}
    await done(harness, "hasan", f"{assignment}/assignment", lead)
    await done(harness, "dewi", f"{assignment}/notes", {"text": f"{SECRET} teknis"})
    await done(harness, "dewi", f"{assignment}/start")
    await harness.wait_for_status("intake", "in_progress", given["id"])

    texts = [f"{SECRET} petugas", f"{SECRET} kepala", f"{SECRET} teknis"]
    for who, path in (("nurlaila", verification), ("hasan", assignment), ("dewi", assignment)):
        notes = (await harness.get(who, f"{path}/notes")).json()["items"]
        assert [note["text"] for note in notes] == texts
        assert [note["by"] for note in notes] == ["Nurlaila Ibarat", "Hasan Umpama", "Dewi Andaian"]

    token = {"Authorization": f"Bearer {given['tracking_token']}"}
    async with harness.http as client:
        seen = [await client.get(f"/api/requests/{number}", headers=token)]
        opened = await client.get(f"/lacak/{number}?kunci={given['tracking_token']}")
        client.cookies = opened.cookies
        seen += [await client.get(f"/lacak/{number}{path}") for path in ("", "/diterima", "/batalkan")]
    assert [one.status_code for one in seen[:2]] == [200, 200]
    for one in seen:
        assert SECRET not in one.text
        assert "NoteAdded" not in one.text

    async def mailed() -> bool:
        return len(list((tmp_path / "mail").glob("*.eml"))) >= 6

    await harness.wait_until(mailed)
    for file in (tmp_path / "mail").glob("*.eml"):
        assert SECRET.encode() not in file.read_bytes()
    assert SECRET not in (await harness.get("admin", "/api/notification/messages")).text
    for name in ("intake", "notification"):
        stored = await harness.services[name].runtime.store.load([given["id"]])
        assert SECRET.encode() not in stored[given["id"]].body


async def test_a_note_needs_a_text_and_a_reader_of_the_request(tmp_path: Path):
    async with staff_harness(tmp_path) as harness:
        await harness.submitted()
        for who, path in (("nurlaila", "verification"), ("hasan", "assignment")):
            here = f"/api/{path}/requests/{REQUEST}/notes"
            assert (await harness.get(who, here)).json() == {"items": []}
            assert (await harness.post(who, here, {"text": "  "})).status_code == 422
            assert (await harness.post(who, here, {"text": "a", "more": 1})).status_code == 422
            assert (await harness.post(who, f"/api/{path}/requests/unknown/notes", {"text": "a"})).status_code == 404
        other = f"/api/assignment/requests/{REQUEST}/notes"
        assert (await harness.get("dewi", other)).status_code == 404
        assert (await harness.post("dewi", other, {"text": "a"})).status_code == 404


def test_notes_are_in_the_order_of_their_times_whatever_the_order_of_arrival():
    early = make_event(NoteAdded(text="Pertama.", by=NURLAILA), 1, NOON)
    late = make_event(NoteAdded(text="Kedua.", by=HASAN), 2, NOON + timedelta(minutes=1))
    expected = (
        StaffNote(NOON, "verification", 1, "Pertama.", NURLAILA),
        StaffNote(NOON + timedelta(minutes=1), "verification", 2, "Kedua.", HASAN),
    )
    assert add_note(add_note((), early), late) == expected
    assert add_note(add_note((), late), early) == expected
