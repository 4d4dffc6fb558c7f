"""Claims over the API, and the list of requests whose rejection is recommended."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.domain.given_when_then import REQUEST
from tests.support.services.staff_harness import OTHER, StaffHarness, staff_harness

REQUESTS = "/api/verification/requests"
HERE = f"{REQUESTS}/{REQUEST}"
VERIFY = {
    "checklist": [{"item": item, "ok": True} for item in ("form", "letter", "scope", "documents")],
    "acknowledged_warnings": ["birth_date"],
}
RECOMMEND = {"reason": "Di luar lingkup layanan."}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        await opened.submitted()
        yield opened


async def items(harness: StaffHarness, **query: Any) -> list[dict[str, Any]]:
    answer = await harness.get("nurlaila", REQUESTS, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_claim_is_answered_listed_and_shown(harness: StaffHarness):
    answer = await harness.post("nurlaila", f"{HERE}/claim", key="claim")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": REQUEST,
        "number": "INT-2026-000001",
        "status": "submitted",
        "version": 2,
        "claimed_by": "nurlaila",
        "claimed_by_name": "Nurlaila Ibarat",
    }
    assert (await harness.post("nurlaila", f"{HERE}/claim", key="claim")).json() == answer.json()
    await harness.submitted(subject=OTHER, number="INT-2026-000002")
    assert [line["claimed_by"] for line in await items(harness)] == ["nurlaila", None]
    assert [line["id"] for line in await items(harness, claimed_by="nurlaila")] == [REQUEST]
    assert (await harness.get("samsul", HERE)).json()["claimed_by_name"] == "Nurlaila Ibarat"
    await harness.wait_until_heard()
    head = (await harness.get("hasan", f"/api/assignment/requests/{REQUEST}")).json()
    assert head["claimed_by_name"] == "Nurlaila Ibarat"


async def test_a_colleague_is_refused_until_the_claim_is_released_or_handed_over(harness: StaffHarness):
    await harness.post("nurlaila", f"{HERE}/claim")
    refused = await harness.post("samsul", f"{HERE}/claim")
    assert refused.status_code == 409
    assert refused.json()["detail"].startswith("Permohonan ini sedang diperiksa oleh Nurlaila Ibarat sejak 23 November")
    handed = await harness.post("nurlaila", f"{HERE}/claim", {"officer": "samsul"})
    assert handed.json()["claimed_by"] == "samsul"
    released = await harness.post("nurlaila", f"{HERE}/release")
    assert (released.status_code, released.json()["claimed_by"]) == (200, None)
    again = await harness.post("nurlaila", f"{HERE}/release")
    assert (again.status_code, again.json()["detail"]) == (409, "Permohonan ini tidak sedang dipegang siapa pun.")


@pytest.mark.parametrize("username", ["hasan", "nobody", ""])
async def test_only_an_active_officer_is_assigned(harness: StaffHarness, username: str):
    answer = await harness.post("nurlaila", f"{HERE}/claim", {"officer": username})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "officer"
    assert (await harness.get("nurlaila", HERE)).json()["claimed_by"] is None


async def test_a_decision_of_a_colleague_ends_the_claim(harness: StaffHarness):
    await harness.post("nurlaila", f"{HERE}/claim")
    decided = await harness.post("samsul", f"{HERE}/verification", VERIFY)
    assert (decided.status_code, decided.json()["status"]) == (200, "verified")
    assert (await harness.get("nurlaila", HERE)).json()["claimed_by"] is None
    late = await harness.post("nurlaila", f"{HERE}/claim")
    assert (late.status_code, late.json()["current"]["by"]) == (409, "Samsul Seandainya")


async def test_a_recommended_request_leaves_the_queue_until_the_advice_is_withdrawn(harness: StaffHarness):
    await harness.submitted(subject=OTHER, number="INT-2026-000002")
    await harness.post("nurlaila", f"{HERE}/recommendation", RECOMMEND)
    assert [line["id"] for line in await items(harness, advised=False)] == [OTHER]
    assert [line["id"] for line in await items(harness, advised=True)] == [REQUEST]
    assert [line["advised"] for line in await items(harness, status="submitted")] == [True, False]
    refused = await harness.post("samsul", f"{HERE}/verification", VERIFY)
    assert refused.status_code == 409
    assert "Cabut dahulu saran itu" in refused.json()["detail"]
    assert (await harness.post("samsul", f"{HERE}/recommendation/withdrawal")).status_code == 200
    assert await items(harness, advised=True) == []
    again = await harness.post("samsul", f"{HERE}/recommendation/withdrawal")
    assert (again.status_code, again.json()["detail"]) == (409, "Tidak ada saran penolakan yang dapat dicabut.")
    assert (await harness.post("samsul", f"{HERE}/verification", VERIFY)).json()["status"] == "verified"


async def test_a_request_is_verified_together_with_the_withdrawal(harness: StaffHarness):
    await harness.post("nurlaila", f"{HERE}/recommendation", RECOMMEND)
    answer = await harness.post("samsul", f"{HERE}/verification", {**VERIFY, "withdraw_recommendation": True})
    assert (answer.status_code, answer.json()["status"]) == (200, "verified")
    events = [event.type for event in await harness.events("verification")]
    assert events == ["RejectionRecommended", "RecommendationWithdrawn", "RequestVerified"]


# The pages, without a script

QUEUE = "/verifikasi"
PAGE = f"{QUEUE}/{REQUEST}"


def browser(harness: StaffHarness, who: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(harness.app)
    cookies = {"simpul": f"token of {who}"}
    return httpx.AsyncClient(transport=transport, base_url=harness.platform.settings.origin, cookies=cookies)


async def press(
    harness: StaffHarness, who: str, button: str, address: str = f"{PAGE}/tim", **fields: str
) -> httpx.Response:
    """Press a button of the form that the page of a request contains, and return the answer."""
    async with browser(harness, who) as client:
        page = await client.get(address.removesuffix("/tim").removesuffix("/catatan"))
        assert page.status_code == 200
        [form] = re.findall(r'<form method="post" id="team" action="([^"]+)".*?</form>', page.text)
        assert form == address
        key = re.search(r'id="team".*?name="_csrf" value="([^"]+)".*?name="_key" value="([^"]+)"', page.text)
        assert key is not None
        return await client.post(address, data={"_csrf": key[1], "_key": key[2], "_do": button, **fields})


async def page_text(harness: StaffHarness, who: str, address: str = PAGE) -> str:
    async with browser(harness, who) as client:
        return " ".join(re.sub(r"<[^>]+>", " ", (await client.get(address)).text).split())


async def test_the_page_of_a_request_claims_releases_and_assigns_it(harness: StaffHarness):
    assert "Belum ada yang memeriksa" in await page_text(harness, "nurlaila")
    answer = await press(harness, "nurlaila", "claim")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}#tim")
    assert "Anda memeriksa permohonan ini" in await page_text(harness, "nurlaila")
    seen = await page_text(harness, "samsul")
    assert "Nurlaila Ibarat sedang memeriksa permohonan ini, sejak" in seen
    refused = await press(harness, "samsul", "claim")
    assert (refused.status_code, "sedang diperiksa oleh Nurlaila Ibarat" in refused.text) == (409, True)
    nobody = await press(harness, "samsul", "assign", officer="")
    assert (nobody.status_code, "Pilih petugas" in nobody.text) == (422, True)
    assert (await press(harness, "samsul", "assign", officer="samsul")).status_code == 303
    assert "Anda memeriksa permohonan ini" in await page_text(harness, "samsul")
    assert (await press(harness, "nurlaila", "release")).status_code == 303
    assert "Belum ada yang memeriksa" in await page_text(harness, "nurlaila")


async def test_the_page_of_a_request_says_who_else_has_it_open(harness: StaffHarness):
    assert re.search(r"<p[^>]* data-here hidden>", await source(harness, "samsul"))
    assert "Sedang dibuka juga oleh Samsul Seandainya" in await page_text(harness, "nurlaila")
    assert "Sedang dibuka juga oleh Nurlaila Ibarat, Samsul Seandainya" in await page_text(
        harness, "hasan", f"/penugasan/{REQUEST}"
    )
    harness.clock.advance(seconds=75)
    assert re.search(r"<p[^>]* data-here hidden>", await source(harness, "nurlaila"))


async def source(harness: StaffHarness, who: str) -> str:
    async with browser(harness, who) as client:
        return (await client.get(PAGE)).text


async def test_notes_are_written_on_the_pages_of_officers_and_heads(harness: StaffHarness):
    empty = await press(harness, "nurlaila", "note", text=" ")
    assert (empty.status_code, 'id="text-e"' in empty.text) == (422, True)
    assert (await press(harness, "nurlaila", "note", text="Surat baru <menyusul>.")).status_code == 303
    await harness.wait_until_heard()
    head = await press(harness, "hasan", "note", f"/penugasan/{REQUEST}/catatan", text="Setuju ditunggu.")
    assert (head.status_code, head.headers["location"]) == (303, f"/penugasan/{REQUEST}#notes")
    await harness.wait_until_heard()
    for who, address in (("nurlaila", PAGE), ("hasan", f"/penugasan/{REQUEST}")):
        seen = await page_text(harness, who, address)
        assert "Hasan Umpama Setuju ditunggu." in seen
        assert "Nurlaila Ibarat Surat baru &lt;menyusul&gt;." in seen
