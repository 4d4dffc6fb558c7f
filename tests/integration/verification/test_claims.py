"""Claims over the API, and the list of requests whose rejection is recommended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

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
    await harness.wait_until(harness.wait_until_consumed)
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
