"""An account is deactivated, or loses a role, only with a successor for its open work."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.runtime import relay
from simpul.app import create_application
from tests.support.domain.given_when_then import REQUEST
from tests.support.services.assignment_pages import API, advance_to, error_beside, visible_text
from tests.support.services.form_browser import browser
from tests.support.services.services_harness import services_harness, wait_for_email
from tests.support.services.staff_harness import OTHER, StaffHarness, pdf

NAMES = ("verification", "assignment", "notification")
VERIFICATION = "/api/verification/requests"


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, *NAMES) as opened:
        yield opened


async def test_a_lead_is_deactivated_with_a_successor_only(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    await advance_to(harness, "in_progress", subject=OTHER, number="INT-2026-000002")
    files = [("documents", ("laporan.pdf", pdf()))]
    done = await harness.post("dewi", f"{API}/{OTHER}/completion", data={"summary": "Selesai."}, files=files)
    assert done.json()["status"] == "delivered"
    refused = await harness.call("admin", "PATCH", "/api/staff/dewi", json={"active": False})
    assert (refused.status_code, refused.json()["code"]) == (409, "open_work")
    assert (
        refused.json()["detail"] == "Dewi Andaian masih mempunyai 2 pekerjaan terbuka. Pilih siapa yang meneruskannya."
    )
    assert [(one["number"], one["status"], one["role"]) for one in refused.json()["open_work"]] == [
        ("INT-2026-000001", "in_progress", "technical"),
        ("INT-2026-000002", "delivered", "technical"),
    ]
    assert refused.json()["open_work"][0]["subject"] == "Data trayek dihubungkan ke portal data."
    for unsuitable in ("hasan", "dewi", "siapa"):
        answer = await harness.call(
            "admin", "PATCH", "/api/staff/dewi", json={"active": False, "successor": unsuitable}
        )
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["field"]) == (422, "successor")
        assert error["message"] == "Pilih orang lain yang akunnya aktif dan berperan Penanggung Jawab Teknis."
    assert (await harness.get("dewi", API)).status_code == 200
    done = await harness.call("admin", "PATCH", "/api/staff/dewi", json={"active": False, "successor": "jafar"})
    assert (done.status_code, done.json()["active"]) == (200, False)
    for request_id in (REQUEST, OTHER):
        shown = (await harness.get("hasan", f"{API}/{request_id}")).json()
        assert shown["lead"] == "jafar"
        last = shown["timeline"][-1]
        assert (last["event"], last["by"]) == ("LeadReassigned", "Admin Contoh (Administrator)")
        assert "Dewi Andaian tidak lagi bertugas sebagai Penanggung Jawab Teknis." in last["note"]
    for kind in ("reassigned", "staff_reassigned_new", "staff_reassigned_old"):
        await wait_for_email(harness, "sent", kind)
    # Without open work nobody is asked.
    assert (await harness.call("admin", "PATCH", "/api/staff/dewi", json={"active": False})).status_code == 200


async def test_the_claims_of_an_officer_go_to_a_successor_or_back_to_the_queue(harness: StaffHarness):
    await harness.submitted()
    assert (await harness.post("nurlaila", f"{VERIFICATION}/{REQUEST}/claim")).status_code == 200
    roles = {"roles": ["structural"]}
    refused = await harness.call("admin", "PATCH", "/api/staff/nurlaila", json=roles)
    assert (refused.status_code, [one["role"] for one in refused.json()["open_work"]]) == (409, ["officer"])
    taken = await harness.call("admin", "PATCH", "/api/staff/nurlaila", json={**roles, "successor": "samsul"})
    assert taken.status_code == 200
    listed = (await harness.get("samsul", VERIFICATION)).json()["items"]
    assert [one["claimed_by"] for one in listed] == ["samsul"]
    released = await harness.call(
        "admin", "PATCH", "/api/staff/samsul", json={"roles": ["admin"], "release_claims": True}
    )
    assert released.status_code == 200
    loaded = await harness.services["verification"].runtime.executor.read(REQUEST)
    assert loaded is not None
    assert loaded.state.active_claim is None


async def test_the_page_lists_the_open_work_and_asks_for_a_successor(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    async with browser(harness, "admin") as client:
        shown = await client.get("/akun/dewi")
        assert "Diteruskan oleh" not in visible_text(shown)
        fields = {"name": "Dewi Andaian", "email": "dewi@kominfo.example", "roles": "technical"}
        refused = await client.send(shown, **fields)
        assert refused.status_code == 409
        assert "INT-2026-000001 Sedang Dikerjakan Data trayek dihubungkan ke portal data." in visible_text(refused)
        assert error_beside(refused, "successor").startswith("Dewi Andaian masih mempunyai 1 pekerjaan terbuka.")
        options = re.findall(r'<option value="(\w*)"', refused.text)
        assert options == ["", "jafar", "kepala"]
        saved = await client.send(refused, **fields, successor="jafar")
        assert (saved.status_code, saved.headers["Location"]) == (303, "/akun?diubah=dewi")
    assert (await harness.get("hasan", f"{API}/{REQUEST}")).json()["lead"] == "jafar"


@pytest.mark.parametrize("again", [{}, {"email": "dewi"}, {"_resume": "1"}], ids=["at once", "422", "signed in"])
async def test_a_form_does_not_undo_what_another_administrator_changed(harness: StaffHarness, again: dict[str, str]):
    fields = {"name": "Dewi Andaian, S.Kom.", "email": "dewi@kominfo.example", "roles": "technical", "active": "yes"}
    async with browser(harness, "admin") as client:
        shown = await client.get("/akun/dewi")
        assert (await harness.call("admin", "PATCH", "/api/staff/dewi", json={"active": False})).status_code == 200
        if again:
            shown = await client.send(shown, **{**fields, **again})
            assert shown.status_code == (422 if "email" in again else 200)
        late = await client.send(shown, **fields)
        assert (late.status_code, "sudah diubah orang lain" in late.text) == (409, True)
        account = await harness.platform.accounts.account("dewi")
        assert account is not None
        assert (account.active, account.name) == (False, "Dewi Andaian")
        # A form that is sent twice is no conflict with itself.
        shown = await client.get("/akun/dewi")
        for _ in range(2):
            assert (await client.send(shown, **fields)).status_code == 303


async def test_of_two_forms_in_one_moment_one_is_saved(harness: StaffHarness):
    names = [f"Dewi Andaian {number}" for number in range(8)]
    fields = {"email": "dewi@kominfo.example", "roles": "technical", "active": "yes"}
    async with browser(harness, "admin") as client:
        shown = await client.get("/akun/dewi")
        answers = await asyncio.gather(*(client.send(shown, name=name, **fields) for name in names))
        assert sorted(answer.status_code for answer in answers) == [303] + [409] * 7
        assert all("sudah diubah orang lain" in answer.text for answer in answers if answer.status_code == 409)
        account = await harness.platform.accounts.account("dewi")
        assert account is not None
        saved = names[[answer.status_code for answer in answers].index(303)]
        assert account.name == saved


async def test_the_process_of_accounts_hands_over_what_other_processes_serve(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch
):
    """As separate services: the application of notification alone reads and hands over the work of assignment."""
    monkeypatch.setattr(relay, "SWEEP_INTERVAL_SECONDS", 0.05)
    await advance_to(harness, "in_progress")
    everything, harness.app = harness.app, create_application(harness.platform, ["notification"])
    harness.app.state.health_checks = everything.state.health_checks
    refused = await harness.call("admin", "PATCH", "/api/staff/dewi", json={"active": False})
    assert (refused.status_code, len(refused.json()["open_work"])) == (409, 1)
    done = await harness.call("admin", "PATCH", "/api/staff/dewi", json={"active": False, "successor": "jafar"})
    assert done.status_code == 200
    harness.app = everything
    assert (await harness.get("jafar", f"{API}/{REQUEST}")).json()["lead"] == "jafar"
    events = await harness.events("assignment")
    assert [event.type for event in events] == ["LeadAssigned", "WorkStarted", "LeadReassigned"]
