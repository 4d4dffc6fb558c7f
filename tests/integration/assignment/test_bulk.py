"""One command on many requests, over the API: appointing and replacing leads, and claiming."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.domain.request_events import verified
from tests.support.services.staff_harness import StaffHarness, staff_harness

IDS = [f"00000000-0000-4000-8000-0000000002{n:02d}" for n in range(3)]
APPOINT = {"action": "assignment", "lead": "dewi", "complexity": "low", "target_date": "2026-12-14"}
REPLACE = {"action": "reassignment", "lead": "jafar", "reason": "Dewi cuti."}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        for index, request_id in enumerate(IDS):
            await opened.submitted(subject=request_id, number=f"INT-2026-00000{index}")
        yield opened


async def bulk(harness: StaffHarness, body: dict[str, Any], key: str = "", service: str = "assignment") -> Any:
    who = "hasan" if service == "assignment" else "nurlaila"
    answer = await harness.post(who, f"/api/{service}/bulk", body, key=key)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


async def test_leads_are_appointed_and_each_refusal_is_reported(harness: StaffHarness):
    for request_id in IDS[:2]:
        await harness.publish(verified, subject=request_id)
    results = await bulk(harness, {**APPOINT, "ids": [*IDS, "unknown", IDS[0]]}, key="once")
    assert [(one["id"], one["ok"], one["code"], one["number"], one["status"]) for one in results] == [
        (IDS[0], True, 200, "INT-2026-000000", "assigned"),
        (IDS[1], True, 200, "INT-2026-000001", "assigned"),
        (IDS[2], False, 409, "INT-2026-000002", "submitted"),
        ("unknown", False, 404, "", ""),
    ]
    assert "Permohonan sekarang berstatus Diajukan" in results[2]["detail"]
    assert await bulk(harness, {**APPOINT, "ids": [*IDS, "unknown", IDS[0]]}, key="once") == results
    replaced = await bulk(harness, {**REPLACE, "ids": IDS[:2]})
    assert [one["ok"] for one in replaced] == [True, True]
    again = await bulk(harness, {**REPLACE, "ids": IDS[:2]})
    assert [(one["ok"], one["code"]) for one in again] == [(False, 422), (False, 422)]
    leads = (await harness.get("hasan", "/api/assignment/requests")).json()["items"]
    assert [one["lead"] for one in leads] == ["jafar", "jafar", None]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ids": []}, "ids"),
        ({"ids": [str(n) for n in range(101)]}, "ids"),
        ({"lead": "hasan"}, "lead"),
        ({"complexity": "odd"}, "complexity"),
        ({"action": "rejection"}, "tidak dapat diterima"),
    ],
)
async def test_an_invalid_bulk_changes_nothing(harness: StaffHarness, change: dict[str, Any], field: str):
    answer = await harness.post("hasan", "/api/assignment/bulk", {**APPOINT, "ids": IDS, **change})
    assert answer.status_code == 422
    assert field in str(answer.json()["errors"])


async def test_officers_claim_many_requests_for_themselves_or_a_colleague(harness: StaffHarness):
    await harness.post("samsul", f"/api/verification/requests/{IDS[0]}/claim")
    results = await bulk(harness, {"action": "claim", "ids": IDS}, service="verification")
    assert [(one["ok"], one["code"]) for one in results] == [(False, 409), (True, 200), (True, 200)]
    assert "sedang diperiksa oleh Samsul Seandainya" in results[0]["detail"]
    results = await bulk(harness, {"ids": IDS, "officer": "samsul"}, service="verification")
    assert [one["ok"] for one in results] == [True, True, True]
    listed = (await harness.get("nurlaila", "/api/verification/requests")).json()["items"]
    assert {one["claimed_by"] for one in listed} == {"samsul"}


# The pages, without a script


async def send(harness: StaffHarness, who: str, source: str, target: str, **fields: Any) -> httpx.Response:
    """Send a form of the page `source`, with these fields on top of its hidden ones."""
    transport, cookies = httpx.ASGITransport(harness.app), {"simpul": f"token of {who}"}
    async with httpx.AsyncClient(
        transport=transport, base_url=harness.platform.settings.origin, cookies=cookies
    ) as client:
        page = await client.get(source)
        part = page.text[page.text.index(f'action="{target}"') :]
        hidden: dict[str, Any] = dict(re.findall(r'<input type="hidden" name="(_\w+)" value="([^"]*)"', part)[:2])
        return await client.post(target, data={**hidden, **fields})


async def test_an_officer_claims_the_ticked_rows_of_the_queue(harness: StaffHarness):
    await harness.post("samsul", f"/api/verification/requests/{IDS[0]}/claim")
    page = await send(harness, "nurlaila", "/verifikasi", "/verifikasi/massal", ids=IDS[:2], _do="claim")
    assert page.status_code == 200
    assert "1 dari 2 berhasil." in page.text
    assert "sedang diperiksa oleh Samsul Seandainya" in page.text
    nobody = await send(harness, "nurlaila", "/verifikasi", "/verifikasi/massal", ids=IDS, _do="assign", officer="")
    assert (nobody.status_code, "Pilih petugas" in nobody.text) == (422, True)
    none = await send(harness, "nurlaila", "/verifikasi", "/verifikasi/massal", _do="claim")
    assert (none.status_code, none.headers["location"]) == (303, "/verifikasi")


async def test_the_head_appoints_a_lead_for_the_ticked_rows(harness: StaffHarness):
    for request_id in IDS[:2]:
        await harness.publish(verified, subject=request_id)
    form = f"/penugasan/massal?ids={IDS[0]}&ids={IDS[1]}&action=assignment"
    given = {"ids": IDS[:2], "action": "assignment", "complexity": "low", "target_date": "2026-12-14"}
    refused = await send(harness, "hasan", form, "/penugasan/massal", **given)
    assert (refused.status_code, "INT-2026-000001" in refused.text) == (422, True)
    done = await send(harness, "hasan", form, "/penugasan/massal", **given, lead="dewi")
    assert (done.status_code, "2 dari 2 berhasil." in done.text) == (200, True)
    replace = {"ids": IDS[:1], "action": "reassignment", "lead": "jafar", "reason": "Dewi cuti."}
    again = await send(harness, "hasan", form, "/penugasan/massal", **replace)
    assert "1 dari 1 berhasil." in again.text
