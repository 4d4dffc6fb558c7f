"""Days off and targets over the API: what a change moves, who may make it, and how every process learns of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from shared.backends.platform import open_platform
from shared.contracts.facts import Staff
from shared.office.port import OfficeEntry, OfficeStore
from shared.office.settings import SettingsConflict, SettingsRegister
from shared.storage.port import RecordQuery
from tests.support.domain.given_when_then import REQUEST
from tests.support.services.assignment_pages import advance_to
from tests.support.services.services_harness import request_id, services_harness, submission
from tests.support.services.staff_harness import StaffHarness

HOLIDAYS, TARGETS = "/api/holidays", "/api/targets"
ELECTION = {"name": "Pemilihan kepala desa", "basis": "regent_decree"}
TUESDAY = "2026-11-24"
ADMIN = Staff(username="admin", name="Admin Contoh")
DAYS = {
    "verify_days": 1,
    "appoint_days": 2,
    "start_days": 2,
    "work_days": 20,
    "respond_days": 10,
    "answer_days": 5,
    "confirm_days": 5,
}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "verification", "assignment", "notification") as opened:
        yield opened


async def change(harness: StaffHarness, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = await harness.call("admin", method, path, json=body)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def stored_due(harness: StaffHarness, service: str = "verification") -> list[Any]:
    """Return the due days by which a service lists open requests."""
    page = await harness.services[service].runtime.store.find(RecordQuery("due", where={"open": 1}))
    return [due for due, _ in page.keys]


async def wait_for_due(harness: StaffHarness, *days: str) -> None:
    async def renewed() -> bool:
        return all([await stored_due(harness, service) == list(days) for service in ("verification", "assignment")])

    await harness.wait_until(renewed)


async def test_a_day_off_says_what_it_moves_before_it_is_saved(harness: StaffHarness):
    submitted = await harness.submitted()
    await wait_for_due(harness, TUESDAY)
    moved = {"number": submitted.number, "stage": "verify", "due": TUESDAY, "new_due": "2026-11-25"}
    preview = await change(harness, "PUT", f"{HOLIDAYS}/{TUESDAY}?preview=true", ELECTION)
    assert preview == {"saved": False, "version": 0, "moved": [moved], "moved_count": 1}
    assert (await harness.get("hasan", HOLIDAYS)).json()["version"] == 0

    saved = await change(harness, "PUT", f"{HOLIDAYS}/{TUESDAY}", ELECTION)
    assert saved == {"saved": True, "version": 1, "moved": [moved], "moved_count": 1}
    listed = (await harness.get("hasan", HOLIDAYS)).json()
    assert listed["version"] == 1
    assert listed["items"][0] == {
        "day": TUESDAY,
        "name": "Pemilihan kepala desa",
        "working": False,
        "source": "office",
        "basis": "regent_decree",
        "by": "Admin Contoh",
        "at": listed["items"][0]["at"],
    }
    await wait_for_due(harness, "2026-11-25")
    shown = (await harness.get("nurlaila", f"/api/verification/requests/{REQUEST}")).json()
    assert shown["due"] == "2026-11-25"

    # A repeated call changes nothing, and the day can be a working day again.
    assert await change(harness, "PUT", f"{HOLIDAYS}/{TUESDAY}", ELECTION) == {
        **saved,
        "saved": False,
        "moved": [],
        "moved_count": 0,
    }
    removed = await change(harness, "DELETE", f"{HOLIDAYS}/{TUESDAY}")
    assert (removed["saved"], removed["version"], removed["moved_count"]) == (True, 2, 1)
    await wait_for_due(harness, TUESDAY)
    assert TUESDAY not in [one["day"] for one in (await harness.get("admin", HOLIDAYS)).json()["items"]]


async def test_an_official_holiday_becomes_a_working_day_and_one_again(harness: StaffHarness):
    christmas = f"{HOLIDAYS}/2026-12-25"
    before = (await harness.get("admin", HOLIDAYS)).json()["items"]
    official = next(one for one in before if one["day"] == "2026-12-25")
    assert (official["name"], official["working"], official["source"]) == ("Hari Raya Natal", False, "national")
    assert (await change(harness, "DELETE", christmas))["saved"]
    assert harness.platform.calendar.is_working_day(date(2026, 12, 25))
    now = (await harness.get("admin", HOLIDAYS)).json()["items"]
    shown = next(one for one in now if one["day"] == "2026-12-25")
    assert (shown["name"], shown["working"], shown["source"]) == ("Hari Raya Natal", True, "office")
    await change(harness, "PUT", christmas, {"name": "Hari Raya Natal", "basis": "joint_decree"})
    assert not harness.platform.calendar.is_working_day(date(2026, 12, 25))


async def test_the_name_and_the_decree_of_a_day_off_are_corrected(harness: StaffHarness):
    await change(harness, "PUT", f"{HOLIDAYS}/{TUESDAY}", ELECTION)
    corrections = ({**ELECTION, "basis": "joint_decree"}, {**ELECTION, "name": "Pemilihan bupati"})
    for version, corrected in enumerate(corrections, 2):
        saved = await change(harness, "PUT", f"{HOLIDAYS}/{TUESDAY}", corrected)
        assert (saved["saved"], saved["version"], saved["moved_count"]) == (True, version, 0)
        listed = (await harness.get("hasan", HOLIDAYS)).json()["items"][0]
        assert {name: listed[name] for name in corrected} == corrected
    assert not (await change(harness, "PUT", f"{HOLIDAYS}/{TUESDAY}", corrections[-1]))["saved"]


REFUSALS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("PUT", "2026-11-20", ELECTION, "day", "Pilih hari yang belum lewat."),
    ("PUT", "2029-01-02", ELECTION, "day", "Pilih hari sampai 31 Desember 2028."),
    ("PUT", "2026-11-28", ELECTION, "day", "Hari ini Sabtu atau Minggu, yang memang bukan hari kerja."),
    ("PUT", "besok", ELECTION, "day", "Tulis tanggal dengan susunan tahun-bulan-hari"),
    ("PUT", TUESDAY, {**ELECTION, "name": " "}, "name", "Wajib diisi."),
    ("PUT", TUESDAY, {**ELECTION, "name": "x" * 81}, "name", "Tulis paling banyak 80 huruf."),
    ("PUT", TUESDAY, {**ELECTION, "basis": "whim"}, "basis", "Pilih salah satu: joint_decree, regent_decree."),
    ("PUT", TUESDAY, {**ELECTION, "until": TUESDAY}, "until", "Isian ini tidak dikenal."),
]


@pytest.mark.parametrize(("method", "day", "body", "field", "message"), REFUSALS)
async def test_impossible_days_off_are_refused(
    harness: StaffHarness, method: str, day: str, body: dict[str, Any], field: str, message: str
):
    answer = await harness.call("admin", method, f"{HOLIDAYS}/{day}", json=body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (error["field"], error["message"][: len(message)]) == (field, message)
    assert (await harness.get("admin", HOLIDAYS)).json()["version"] == 0


async def test_targets_move_open_requests_and_hold_for_what_applicants_are_given_later(harness: StaffHarness):
    await harness.submitted()
    await wait_for_due(harness, TUESDAY)
    assert (await harness.get("hasan", TARGETS)).json() == {**DAYS, "version": 0, "by": None, "at": None}
    wanted = {**DAYS, "verify_days": 3, "respond_days": 4}
    preview = await change(harness, "PUT", f"{TARGETS}?preview=true", wanted)
    assert (preview["saved"], [one["new_due"] for one in preview["moved"]]) == (False, ["2026-11-26"])
    assert (await change(harness, "PUT", TARGETS, wanted))["saved"]
    stored = (await harness.get("hasan", TARGETS)).json()
    assert (stored["verify_days"], stored["version"], stored["by"]) == (3, 1, "Admin Contoh")
    await wait_for_due(harness, "2026-11-26")

    items = [{"item": item, "ok": False, "note": "Belum."} for item in ("form", "letter", "scope", "documents")]
    path = f"/api/verification/requests/{REQUEST}/return"
    assert (await harness.post("nurlaila", path, {"checklist": items})).status_code == 200
    (returned,) = await harness.events("verification")
    days = returned.fact.model_dump(mode="json")
    assert (days["respond_by"], days["remind_on"]) == ("2026-11-27", ["2026-11-25", "2026-11-26"])
    # What the applicant was given stays.
    assert (await change(harness, "PUT", TARGETS, {**wanted, "respond_days": 9}))["moved"] == []


async def test_the_suggested_target_of_the_work_follows_the_settings(harness: StaffHarness):
    await advance_to(harness, "verified")
    await change(harness, "PUT", TARGETS, {**DAYS, "work_days": 3})
    async with harness.http as client:
        shown = await client.get(f"/penugasan/{REQUEST}", headers={"Cookie": "simpul=token of hasan"})
    assert "Sudah diisi 3 hari kerja dari sekarang." in shown.text


@pytest.mark.parametrize(
    ("name", "days", "message"),
    [
        ("verify_days", 0, "Isi dengan angka paling kecil 1"),
        ("verify_days", 31, "Isi dengan angka paling besar 30"),
        ("work_days", 251, "Isi dengan angka paling besar 250"),
        ("confirm_days", "5", "Isi dengan bilangan bulat."),
    ],
)
async def test_targets_out_of_their_limits_are_refused(harness: StaffHarness, name: str, days: Any, message: str):
    answer = await harness.call("admin", "PUT", TARGETS, json={**DAYS, name: days})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["message"][: len(message)]) == (name, message)


async def test_who_saves_on_an_older_version_learns_who_saved_meanwhile(harness: StaffHarness):
    assert (await change(harness, "PUT", TARGETS, {**DAYS, "verify_days": 2, "version": 0}))["version"] == 1
    answer = await harness.call("admin", "PUT", TARGETS, json={**DAYS, "verify_days": 3, "version": 0})
    assert (answer.status_code, answer.json()["code"]) == (409, "settings_changed")
    assert answer.json()["detail"].startswith("Admin Contoh sudah menyimpan perubahan pada 23 November 2026")
    assert (await change(harness, "PUT", f"{HOLIDAYS}/{TUESDAY}", {**ELECTION, "version": 0}))["version"] == 1
    answer = await harness.call("admin", "DELETE", f"{HOLIDAYS}/{TUESDAY}?version=0")
    assert (answer.status_code, answer.json()["version"]) == (409, 1)


@pytest.mark.parametrize("version", [1, 5])
async def test_a_version_that_there_is_not_is_refused(harness: StaffHarness, version: int):
    items = [{"label": "Surat bernomor", "concerns": "letter"}]
    for path, body in (
        (TARGETS, DAYS),
        (f"{HOLIDAYS}/{TUESDAY}", ELECTION),
        ("/api/checklists/data", {"items": items}),
    ):
        answer = await harness.call("admin", "PUT", path, json={**body, "version": version})
        assert (answer.status_code, answer.json()["code"], answer.json()["version"]) == (409, "settings_changed", 0)
        assert answer.json()["detail"].startswith("Versi ini tidak ada.")


async def test_a_later_version_is_named_before_a_refusal(harness: StaffHarness):
    await change(harness, "PUT", f"{HOLIDAYS}/{TUESDAY}", ELECTION)
    answer = await harness.call("admin", "PUT", f"{HOLIDAYS}/2026-11-28", json={**ELECTION, "version": 0})
    assert answer.status_code == 409


async def test_a_process_that_does_not_know_due_days_says_so(tmp_path: Path):
    async with services_harness(tmp_path, "notification") as harness:
        changed = await change(harness, "PUT", TARGETS, {**DAYS, "verify_days": 2})
        assert (changed["saved"], changed["moved"], changed["moved_count"]) == (True, [], None)


async def test_of_two_administrators_at_once_one_saves(harness: StaffHarness):
    register, by = harness.platform.office_settings, ADMIN
    first = await register.propose_targets({**DAYS, "verify_days": 2}, by)
    second = await register.propose_targets({**DAYS, "verify_days": 3}, by)
    outcomes = await asyncio.gather(register.save(first), register.save(second), return_exceptions=True)
    assert [isinstance(outcome, SettingsConflict) for outcome in outcomes] == [False, True], outcomes
    assert harness.platform.rules().verify_days == 2
    with pytest.raises(SettingsConflict):
        await register.save(second)


async def test_only_administrators_change_and_heads_read(harness: StaffHarness):
    for who, status in (("hasan", 403), ("nurlaila", 403)):
        assert (await harness.call(who, "PUT", TARGETS, json=DAYS)).status_code == status
        assert (await harness.call(who, "PUT", f"{HOLIDAYS}/{TUESDAY}", json=ELECTION)).status_code == status
        assert (await harness.call(who, "DELETE", f"{HOLIDAYS}/{TUESDAY}")).status_code == status
    assert (await harness.get("nurlaila", HOLIDAYS)).status_code == 403
    assert (await harness.get("nurlaila", TARGETS)).status_code == 403


async def test_another_process_learns_of_a_change(harness: StaffHarness):
    other = open_platform(harness.platform.settings, harness.clock)
    try:
        await other.prepare()
        assert other.rules().verify_days == 1
        await change(harness, "PUT", TARGETS, {**DAYS, "verify_days": 4})
        await change(harness, "PUT", f"{HOLIDAYS}/{TUESDAY}", ELECTION)
        await other.office_settings.refresh()
        assert other.rules().verify_days == 4
        assert not other.calendar.is_working_day(date(2026, 11, 24))
        unchanged = other.rules()
        await other.office_settings.refresh()
        assert other.rules() is unchanged
    finally:
        await other.close()


class LateReads:
    """The office store of the harness, whose first list of entries arrives when it is released."""

    def __init__(self, store: OfficeStore) -> None:
        self._store = store
        self._is_first = True
        self.has_read, self.release = asyncio.Event(), asyncio.Event()
        self.get, self.put = store.get, store.put

    async def entries(self, collection: str, prefix: str = "") -> list[OfficeEntry]:
        is_first, self._is_first = self._is_first, False
        entries = await self._store.entries(collection, prefix)
        if is_first:
            self.has_read.set()
            await self.release.wait()
        return entries


async def test_what_a_process_saved_is_not_undone_by_an_earlier_read(harness: StaffHarness):
    store = LateReads(harness.platform.office)
    register = SettingsRegister(cast(OfficeStore, store), harness.clock, harness.platform.new_id, {})
    poll = asyncio.create_task(register.refresh())
    await store.has_read.wait()
    saved = await register.save(await register.propose_targets({**DAYS, "verify_days": 9}, ADMIN))
    store.release.set()
    assert await poll is register.current is saved
    assert saved.targets["verify_days"] == 9


async def test_due_days_follow_a_changed_calendar_file_after_a_restart(tmp_path: Path):
    names = ("verification", "assignment", "notification")
    async with services_harness(tmp_path, *names) as harness:
        await harness.publish(submission(1), subject=request_id(1))
        await wait_for_due(harness, TUESDAY)
        await change(harness, "PUT", f"{HOLIDAYS}/2026-11-25", ELECTION)
    (tmp_path / "calendar.json").write_text(json.dumps({TUESDAY: "Cuti Bersama"}))
    async with services_harness(tmp_path, *names, staffed=False) as harness:
        harness.clock.now = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
        # The change of the office comes on top of the file.
        await wait_for_due(harness, "2026-11-26")
