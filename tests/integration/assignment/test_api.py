"""The API of assignment: roles, statuses, bodies and responses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.assignment import LeadAssigned, RequestRejected
from shared.contracts.facts import DocumentRef
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import answered, recommended, verified, withdrawn
from tests.support.services.staff_harness import OTHER, PEOPLE, StaffHarness, pdf, staff_harness

REQUESTS = "/api/assignment/requests"
HERE = f"{REQUESTS}/{REQUEST}"
ASSIGN = {"lead": "dewi", "complexity": "low", "target_date": "2026-12-14", "note": "Mohon didahulukan."}
REASSIGN = {"lead": "jafar", "reason": "Mendapat penugasan lain."}
BY_HEAD: dict[str, dict[str, Any]] = {
    "rejection": {"reason": "Di luar lingkup."},
    "assignment": ASSIGN,
    "reassignment": REASSIGN,
    "target": {"target_date": "2026-12-18", "reason": "Perangkat baru tiba minggu depan."},
}
BY_LEAD: dict[str, dict[str, Any]] = {
    "start": {},
    "progress": {"note": "Sambungan diuji.", "percent": 40},
    "pause": {"question": "Alamat server uji?"},
    "resume": {},
}
ALLOWED_STEPS = {
    "verified": {"rejection", "assignment"},
    "assigned": {"reassignment", "target", "start"},
    "in_progress": {"reassignment", "target", "progress", "pause"},
    "on_hold": {"reassignment", "target", "resume"},
}
"""The steps that are possible in each status, except `completion`, which has tests of its own."""


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        yield opened


async def advance_to(
    harness: StaffHarness, status: str, *documents: DocumentRef, subject: str = REQUEST, **fields: Any
) -> None:
    """Advance a request to this status by facts of other services and calls of staff."""
    await harness.submitted(*documents, subject=subject, **fields)
    await harness.publish(verified, subject=subject)
    moves: tuple[tuple[str, str, dict[str, Any], str], ...] = (
        ("hasan", "assignment", ASSIGN, "assigned"),
        ("dewi", "start", {}, "in_progress"),
        ("dewi", "pause", BY_LEAD["pause"], "on_hold"),
    )
    for who, step, body, reached in moves:
        if status == "verified":
            return
        answer = await harness.post(who, f"{REQUESTS}/{subject}/{step}", body)
        assert answer.json()["status"] == reached, answer.text
        if reached == status:
            return


async def test_every_command_is_answered_in_the_same_form(harness: StaffHarness):
    await advance_to(harness, "verified")
    steps = [
        ("hasan", "assignment", ASSIGN, "assigned"),
        ("hasan", "reassignment", REASSIGN, "assigned"),
        ("jafar", "start", None, "in_progress"),
        ("jafar", "progress", {"note": "Setengah jalan.", "percent": 50}, "in_progress"),
        ("jafar", "pause", {"question": "Alamat server uji?"}, "on_hold"),
        ("jafar", "resume", {"note": "Sudah diketahui."}, "in_progress"),
    ]
    for place, (who, step, body, status) in enumerate(steps):
        answer = await harness.post(who, f"{HERE}/{step}", body)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"id": REQUEST, "number": "INT-2026-000001", "status": status, "version": place + 3}
    shown = (await harness.get("hasan", HERE)).json()
    assert (shown["lead"], shown["percent"], shown["target_date"]) == ("jafar", 50, "2026-12-14")


async def test_a_target_on_a_day_off_is_accepted_with_a_warning(harness: StaffHarness):
    await advance_to(harness, "assigned")
    sunday = {"target_date": "2026-12-20", "reason": "Perangkat baru tiba minggu depan."}
    answer = await harness.post("hasan", f"{HERE}/target", sunday)
    assert answer.status_code == 200, answer.text
    warning = {
        "code": "not_a_working_day",
        "message": "Minggu, 20 Desember 2026 bukan hari kerja. Hari kerja berikutnya Senin, 21 Desember 2026.",
        "next_working_day": "2026-12-21",
    }
    assert answer.json()["warnings"] == [warning]
    again = await harness.post("hasan", f"{HERE}/target", {**sunday, "target_date": "2026-12-21"})
    assert "warnings" not in again.json()
    shown = (await harness.get("dewi", HERE)).json()
    assert (shown["target_date"], shown["lead"]) == ("2026-12-21", "dewi")
    entry = shown["timeline"][-1]
    assert (entry["label"], entry["note"]) == ("Target selesai diubah", sunday["reason"])
    await harness.events("assignment")
    await harness.wait_until_heard()
    in_verification = (await harness.get("nurlaila", f"/api/verification/requests/{REQUEST}")).json()
    assert in_verification["target_date"] == "2026-12-21"
    reassigned = await harness.post("hasan", f"{HERE}/reassignment", {**REASSIGN, "target_date": "2026-12-20"})
    assert reassigned.json()["warnings"] == [warning]


async def test_a_submitted_request_can_be_rejected_on_recommendation(harness: StaffHarness):
    await harness.submitted()
    await harness.publish(recommended)
    assert (await harness.get("hasan", HERE)).json()["recommendation"]["reason"] == "Di luar lingkup."
    assert (await harness.post("hasan", f"{HERE}/rejection", BY_HEAD["rejection"])).json()["status"] == "rejected"
    [event] = await harness.events("assignment")
    assert isinstance(event.fact, RequestRejected)


async def test_the_applicants_answer_resumes_the_work(harness: StaffHarness):
    await advance_to(harness, "on_hold")
    await harness.publish(answered)
    await harness.wait_for_status("assignment", "in_progress")
    assert (await harness.events("assignment"))[-1].type == "WorkResumed"


@pytest.mark.parametrize("status", ALLOWED_STEPS)
async def test_a_step_out_of_order_is_409_and_changes_nothing(harness: StaffHarness, status: str):
    await advance_to(harness, status)
    before = await harness.events("assignment")
    for who, steps in (("hasan", BY_HEAD), ("dewi", BY_LEAD)):
        for step, body in steps.items():
            if step not in ALLOWED_STEPS[status] and (who == "hasan" or status != "verified"):
                answer = await harness.post(who, f"{HERE}/{step}", body)
                assert answer.status_code == 409, (step, answer.text)
                assert answer.json()["current"]["status"] == status, step
    assert await harness.events("assignment") == before


async def test_a_withdrawn_request_cannot_be_assigned(harness: StaffHarness):
    await advance_to(harness, "verified")
    await harness.publish(withdrawn)
    answer = await harness.post("hasan", f"{HERE}/assignment", ASSIGN)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("Permohonan dibatalkan oleh Pemohon pada 23 November 2026")


@pytest.mark.parametrize("who", PEOPLE)
async def test_every_route_is_for_its_roles_only(harness: StaffHarness, who: str):
    await advance_to(harness, "assigned")
    roles = PEOPLE[who][1]
    heads, leads = "structural" in roles, "technical" in roles
    before = await harness.events("assignment")
    for path, allowed in ((REQUESTS, heads or leads), (HERE, heads or who == "dewi"), ("/api/assignment/leads", heads)):
        answer = await harness.get(who, path)
        assert (answer.status_code == 200) == allowed, path
        assert allowed or answer.status_code == (404 if path == HERE and leads else 403), path
    for steps, allowed in ((BY_HEAD, heads), ({**BY_LEAD, "completion": {}}, leads)):
        if not allowed:
            for step, body in steps.items():
                assert (await harness.post(who, f"{HERE}/{step}", body)).status_code == 403, step
    if not (heads or leads):
        assert (await harness.get(who, "/api/assignment/live")).status_code == 403
    assert await harness.events("assignment") == before


async def test_requests_of_other_leads_are_404_like_unknown_ones(harness: StaffHarness):
    document = await harness.store_document("kamus.pdf", pdf())
    await advance_to(harness, "in_progress", document)
    before = await harness.events("assignment")
    for path in ("", f"/documents/{document.id}"):
        foreign = await harness.get("jafar", HERE + path)
        unknown = await harness.get("jafar", f"{REQUESTS}/{OTHER}{path}")
        assert (foreign.status_code, foreign.json()) == (404, unknown.json())
    for step, body in BY_LEAD.items():
        foreign = await harness.post("jafar", f"{HERE}/{step}", body)
        unknown = await harness.post("jafar", f"{REQUESTS}/{OTHER}/{step}", body)
        assert (foreign.status_code, foreign.json()) == (404, unknown.json()), step
    files = [("documents", ("hasil.pdf", pdf()))]
    answer = await harness.post("jafar", f"{HERE}/completion", data={"summary": "Selesai."}, files=files)
    assert answer.status_code == 404
    assert (await harness.get("jafar", REQUESTS)).json()["items"] == []
    assert await harness.events("assignment") == before


async def test_a_head_with_the_technical_role_leads_only_own_requests(harness: StaffHarness):
    await advance_to(harness, "assigned")
    assert (await harness.get("kepala", HERE)).status_code == 200
    assert (await harness.post("kepala", f"{HERE}/start")).status_code == 404


async def test_a_replaced_lead_loses_the_request(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    await harness.post("hasan", f"{HERE}/reassignment", REASSIGN)
    assert (await harness.get("dewi", HERE)).status_code == 404
    assert (await harness.post("dewi", f"{HERE}/progress", BY_LEAD["progress"])).status_code == 404
    assert [line["id"] for line in (await harness.get("jafar", REQUESTS)).json()["items"]] == [REQUEST]


async def test_an_unknown_request_is_404_for_the_head(harness: StaffHarness):
    for step, body in BY_HEAD.items():
        assert (await harness.post("hasan", f"{REQUESTS}/{OTHER}/{step}", body)).status_code == 404
    assert (await harness.get("hasan", f"{REQUESTS}/{OTHER}")).status_code == 404


@pytest.mark.parametrize(
    ("step", "changes", "field"),
    [
        ("assignment", {"lead": "nobody"}, "lead"),
        ("assignment", {"lead": "nurlaila"}, "lead"),
        ("assignment", {"lead": ""}, "lead"),
        ("assignment", {"lead": {"$gt": ""}}, "lead"),
        ("assignment", {"complexity": "huge"}, "complexity"),
        ("assignment", {"target_date": "2026-11-22"}, "target_date"),
        ("assignment", {"target_date": "besok"}, "target_date"),
        ("assignment", {"target_date": "9999-12-31"}, "target_date"),
        ("assignment", {"target_date": None}, "target_date"),
        ("assignment", {"status": "completed"}, "status"),
        ("rejection", {"reason": " "}, "reason"),
    ],
)
async def test_errors_of_a_head_name_the_field(harness: StaffHarness, step: str, changes: dict[str, Any], field: str):
    await advance_to(harness, "verified")
    answer = await harness.post("hasan", f"{HERE}/{step}", {**BY_HEAD[step], **changes})
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await harness.events("assignment") == []


@pytest.mark.parametrize(
    ("step", "body", "field"),
    [
        ("reassignment", {**REASSIGN, "lead": "dewi"}, "lead"),
        ("reassignment", {**REASSIGN, "lead": "nobody"}, "lead"),
        ("reassignment", {**REASSIGN, "target_date": "2026-11-20"}, "target_date"),
        ("reassignment", {"lead": "jafar"}, "reason"),
        ("progress", {"note": "Jauh.", "percent": 101}, "percent"),
        ("progress", {"note": "Jauh.", "percent": "50"}, "percent"),
        ("progress", {"percent": 50}, "note"),
        ("pause", {}, "question"),
        ("start", {"percent": 50}, "percent"),
        ("resume", {"note": 1}, "note"),
    ],
)
async def test_errors_of_a_lead_name_the_field(harness: StaffHarness, step: str, body: dict[str, Any], field: str):
    await advance_to(harness, "in_progress")
    before = await harness.events("assignment")
    answer = await harness.post("hasan" if step == "reassignment" else "dewi", f"{HERE}/{step}", body)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await harness.events("assignment") == before


async def test_an_inactive_account_cannot_become_lead(harness: StaffHarness):
    await advance_to(harness, "verified")
    await harness.platform.identity.change_staff("dewi", active=False)
    answer = await harness.post("hasan", f"{HERE}/assignment", ASSIGN)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "lead"


async def test_today_is_a_valid_target(harness: StaffHarness):
    await advance_to(harness, "verified")
    assert (
        await harness.post("hasan", f"{HERE}/assignment", {**ASSIGN, "target_date": "2026-11-23"})
    ).status_code == 200


async def test_of_fifty_concurrent_assignments_one_wins_and_the_others_conflict_with_it(harness: StaffHarness):
    await advance_to(harness, "verified")
    heads = [("hasan", "halima")[n % 2] for n in range(50)]
    bodies = [{**ASSIGN, "lead": ("dewi", "jafar")[n // 2 % 2]} for n in range(50)]
    answers = await asyncio.gather(
        *(harness.post(head, f"{HERE}/assignment", body) for head, body in zip(heads, bodies, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 49]
    winner = next(place for place, answer in enumerate(answers) if answer.status_code == 200)
    assert all(PEOPLE[heads[winner]][0] in each.json()["detail"] for each in answers if each.status_code == 409)
    [event] = await harness.events("assignment")
    assert isinstance(event.fact, LeadAssigned)
    assert event.fact.lead.username == bodies[winner]["lead"]


async def test_a_repeated_key_gets_the_same_response_after_the_target(harness: StaffHarness):
    await advance_to(harness, "verified")
    first = await harness.post("hasan", f"{HERE}/assignment", ASSIGN, key="k")
    await harness.sign_in_again_after(days=30)
    again = await harness.post("hasan", f"{HERE}/assignment", ASSIGN, key="k")
    assert (again.status_code, again.json()) == (200, first.json())
    assert (await harness.post("hasan", f"{HERE}/assignment", {**ASSIGN, "note": ""}, key="k")).status_code == 422
    assert (await harness.post("halima", f"{HERE}/assignment", ASSIGN, key="k")).status_code == 409
    assert len(await harness.events("assignment")) == 1


async def test_leads_are_listed_with_their_workload(harness: StaffHarness):
    ids = [f"00000000-0000-4000-8000-0000000002{n:02d}" for n in range(3)]
    for place, request_id in enumerate(ids):
        await advance_to(harness, "verified", subject=request_id, number=f"INT-2026-0001{place:02d}")
    targets = ("2026-11-23", "2026-12-14", "2026-12-15")
    for request_id, target in zip(ids, targets, strict=True):
        await harness.post("hasan", f"{REQUESTS}/{request_id}/assignment", {**ASSIGN, "target_date": target})
    await harness.sign_in_again_after(days=1)
    leads = (await harness.get("hasan", "/api/assignment/leads")).json()["items"]
    assert leads == [
        {"username": "dewi", "name": "Dewi Andaian", "open": 3, "overdue": 1},
        {"username": "jafar", "name": "Jafar Ibaratnya", "open": 0, "overdue": 0},
        {"username": "kepala", "name": "Kepala Contoh", "open": 0, "overdue": 0},
    ]
    late = (await harness.get("hasan", REQUESTS, params={"overdue": "true"})).json()["items"]
    assert [(line["id"], line["overdue"]) for line in late] == [(ids[0], True)]
    for asked, found in (
        ({"lead": "dewi", "limit": "2"}, ids[:2]),
        ({"lead": "jafar"}, []),
        ({"status": "assigned"}, ids),
        ({"search": "int-2026-000102"}, ids[2:]),
    ):
        page = (await harness.get("halima", REQUESTS, params=asked)).json()
        assert [line["id"] for line in page["items"]] == found, asked
    assert (await harness.get("dewi", REQUESTS, params={"lead": "jafar"})).json()["items"] == []
    mine = (await harness.get("dewi", REQUESTS, params={"limit": 1})).json()
    rest = (await harness.get("dewi", REQUESTS, params={"after": mine["next"]})).json()
    assert [line["id"] for line in mine["items"] + rest["items"]] == ids


async def test_the_lead_downloads_submitted_documents(harness: StaffHarness):
    content = pdf()
    document = await harness.store_document("kamus.pdf", content)
    await advance_to(harness, "assigned", document)
    for who in ("dewi", "hasan"):
        answer = await harness.get(who, f"{HERE}/documents/{document.id}")
        assert answer.content == content
        assert answer.headers["content-disposition"].startswith("attachment")


async def test_leads_get_live_changes_of_own_requests_only(harness: StaffHarness):
    await advance_to(harness, "assigned")
    await advance_to(harness, "assigned", subject=OTHER, number="INT-2026-000002")
    await harness.post("hasan", f"{REQUESTS}/{OTHER}/reassignment", REASSIGN)
    streams, path = harness.app.state.streams, "/api/assignment/live"
    listening = [asyncio.create_task(harness.get(who, path)) for who in ("dewi", "jafar", "hasan")]

    async def all_open() -> bool:
        return bool(streams.open_count == 3)

    await harness.wait_until(all_open)
    await harness.post("dewi", f"{HERE}/start")
    await harness.post("jafar", f"{REQUESTS}/{OTHER}/start")
    await asyncio.sleep(0.2)
    streams.close()
    heard = [_told((await asyncio.wait_for(task, 20)).text) for task in listening]
    assert [{each["number"] for each in told} for told in heard] == [
        {"INT-2026-000001"},
        {"INT-2026-000002"},
        {"INT-2026-000001", "INT-2026-000002"},
    ]


def _told(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


async def test_without_a_new_target_the_old_one_stays(harness: StaffHarness):
    await advance_to(harness, "assigned")
    await harness.post("hasan", f"{HERE}/reassignment", REASSIGN)
    assert (await harness.get("hasan", HERE)).json()["target_date"] == date(2026, 12, 14).isoformat()


async def test_a_former_lead_gets_the_reassignment_and_no_later_change(harness: StaffHarness):
    await advance_to(harness, "assigned")
    begin = await harness.services["assignment"].runtime.store.latest_change()
    streams, path = harness.app.state.streams, f"/api/assignment/live?last_event_id={begin}"

    async def heard_by_dewi() -> list[dict[str, Any]]:
        streams.closing.clear()
        listening = asyncio.create_task(harness.get("dewi", path))

        async def open_now() -> bool:
            return bool(streams.open_count == 1)

        await harness.wait_until(open_now)
        await asyncio.sleep(0.1)
        streams.close()
        return _told((await asyncio.wait_for(listening, 20)).text)

    await harness.post("hasan", f"{HERE}/reassignment", REASSIGN)
    [lost] = await heard_by_dewi()
    assert (lost["number"], lost["status"], lost["label"]) == ("INT-2026-000001", "assigned", "Ditugaskan")
    await harness.post("jafar", f"{HERE}/start")
    assert await heard_by_dewi() == []
