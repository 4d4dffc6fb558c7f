"""The API of the message ledger: items, filters, pages, and resending."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.envelope import encode_event
from shared.web.api.lists import encode_cursor
from tests.support.adapters.scripted_smtp import ScriptedSmtp
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import REQUEST, make_event
from tests.support.services.services_harness import (
    delivered_emails,
    emails_to,
    request_id,
    submission,
    wait_for_email,
)
from tests.support.services.staff_harness import PEOPLE, StaffHarness

MESSAGES = "/api/notification/messages"
APPLICANT = tale.APPLICANT.email


async def page(harness: StaffHarness, **query: Any) -> dict[str, Any]:
    answer = await harness.get("admin", MESSAGES, params=query)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def rows(harness: StaffHarness, **query: Any) -> list[dict[str, Any]]:
    return list((await page(harness, **query))["items"])


async def every(harness: StaffHarness, **query: Any) -> list[str]:
    """Return the ids of all pages in order."""
    met, after = [], ""
    while True:
        shown = await page(harness, **query, **({"after": after} if after else {}))
        assert 0 < len(shown["items"]) <= query["limit"]
        met += [row["id"] for row in shown["items"]]
        if (after := shown["next"]) is None:
            return met


async def requests(harness: StaffHarness, count: int) -> None:
    """Create requests one minute apart, alternately with three and six emails."""
    for index in range(1, count + 1):
        harness.clock.advance(minutes=1)
        await harness.publish(submission(index), tale.verified, subject=request_id(index))
        if index % 2:
            await harness.publish(tale.assigned, subject=request_id(index))
    await harness.wait_until(lambda: _all_sent(harness))


async def _all_sent(harness: StaffHarness) -> bool:
    return not await rows(harness, status="queued") + await rows(harness, status="sending")


async def test_an_item_contains_the_outcome_and_a_masked_address(harness: StaffHarness):
    await harness.publish(tale.submitted)
    await wait_for_email(harness, "sent")
    await wait_for_email(harness, "sent", "staff_submitted")
    shown = await rows(harness)
    assert {row["kind"]: row["recipient"] for row in shown} == {
        "received": "r***@dishub.example",
        "staff_submitted": "officer",
    }
    row = next(row for row in shown if row["kind"] == "received")
    now = harness.clock().isoformat()
    assert row == {
        "id": row["id"],
        "request": REQUEST,
        "number": "INT-2026-000001",
        "kind": "received",
        "recipient": "r***@dishub.example",
        "status": "sent",
        "reason": "",
        "tries": 1,
        "retry_at": None,
        "planned_at": now,
        "settled_at": row["settled_at"],
    }
    assert row["settled_at"] >= now


async def test_emails_to_staff_name_the_account_and_no_address(harness: StaffHarness):
    await harness.publish(tale.submitted, tale.verified, tale.assigned)
    row = await wait_for_email(harness, "sent", "staff_assigned")
    assert row["recipient"] == "dewi"
    assert "@" not in str([row for row in await rows(harness) if row["recipient"] != "r***@dishub.example"])


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 200])
async def test_pages_over_many_requests_lose_and_repeat_nothing(harness: StaffHarness, limit: int):
    await requests(harness, 6)
    whole = await rows(harness, limit=200)
    assert len(whole) == 6 * 4 + 3 * 2
    assert [row["planned_at"] for row in whole] == sorted((row["planned_at"] for row in whole), reverse=True)
    assert await every(harness, limit=limit) == [row["id"] for row in whole]
    assert await every(harness, limit=limit, status="sent") == [row["id"] for row in whole]


async def test_a_new_email_between_two_pages_hides_no_other_request(harness: StaffHarness):
    await requests(harness, 4)
    whole = [row["id"] for row in await rows(harness, limit=200)]
    first = await page(harness, limit=3)
    harness.clock.advance(minutes=1)
    await harness.publish(tale.withdrawn, subject=request_id(4))
    rest = await rows(harness, limit=200, after=first["next"])
    assert [row["id"] for row in first["items"]] + [row["id"] for row in rest] == whole


async def test_emails_can_be_filtered_by_status(harness: StaffHarness, server: ScriptedSmtp):
    server.script.answers = {f"RCPT pemohon{index}@dishub.example": "550 tidak dikenal" for index in (2, 3)}
    await requests(harness, 4)
    failed = await rows(harness, status="failed")
    assert sorted((row["number"][-1], row["kind"]) for row in failed) == [
        ("2", "received"),
        ("2", "verified"),
        ("3", "assigned"),
        ("3", "received"),
        ("3", "verified"),
    ]
    assert {row["status"] for row in failed} == {"failed"}
    assert await every(harness, limit=2, status="failed") == [row["id"] for row in failed]
    assert await rows(harness, status="unknown") == []


@pytest.mark.parametrize("request_", ["INT-2026-000002", "int-2026-000002", request_id(2)])
async def test_emails_can_be_filtered_by_request(harness: StaffHarness, request_: str):
    await requests(harness, 3)
    shown = await rows(harness, request=request_)
    assert [row["request"] for row in shown] == [request_id(2)] * 4
    assert await rows(harness, request=request_, status="failed") == []
    assert len(await rows(harness, request=request_, status="sent")) == 4


async def test_the_emails_of_one_request_are_paged(harness: StaffHarness):
    await requests(harness, 2)
    whole = [row["id"] for row in await rows(harness, request="INT-2026-000001")]
    assert len(whole) == 6
    assert len(await rows(harness, request="INT-2026-000001", limit=4)) == 4
    assert await every(harness, request="INT-2026-000001", limit=4) == whole


async def test_an_unknown_request_has_no_emails(harness: StaffHarness):
    await requests(harness, 1)
    for unknown in ("INT-2026-999999", "qx", request_id(9), "' OR 1=1 --"):
        assert await page(harness, request=unknown) == {"items": [], "next": None, "previous": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "x"}, "after"),
        ({"after": encode_cursor(("a", "b", 1))}, "after"),
        ({"after": encode_cursor(("2026",))}, "after"),
        ({"after": "é"}, "after"),
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"status": "lost"}, "status"),
        ({"before": "x"}, "before"),
        ({"request": "x" * 101}, "request"),
    ],
)
async def test_a_question_that_is_not_right_says_which_part(harness: StaffHarness, query: dict[str, Any], field: str):
    answer = await harness.get("admin", MESSAGES, params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("key", [("", ""), ("", 5), (None, None), (7, "x.y"), ("2026", "'; DROP TABLE"), (True, False)])
async def test_a_forged_cursor_is_harmless(harness: StaffHarness, key: tuple[Any, Any]):
    await requests(harness, 1)
    answer = await harness.get("admin", MESSAGES, params={"after": encode_cursor(key)})
    assert answer.status_code in (200, 422)


async def test_ledgers_without_a_submission_are_listed(harness: StaffHarness):
    """Such a ledger has no number."""
    await requests(harness, 1)
    for index in (7, 8):
        poison = make_event(submission(index), subject=request_id(index))
        raw = encode_event(poison).replace(b'"scope":"data"', b'"scope":"magic"')
        await harness.platform.log.append([(request_id(index), raw)])
    store = harness.services["notification"].runtime.store

    async def parked(count: int) -> bool:
        return len(await store.dead_letters()) == count

    await harness.wait_until(lambda: parked(2))
    for letter in await store.dead_letters():
        answer = await harness.post("admin", f"/api/dead-letters/{letter.id}/discard")
        assert answer.status_code == 200, answer.text
    await harness.wait_until(lambda: parked(0))
    assert len(await rows(harness)) == 6
    for index in (7, 8):
        await harness.publish(tale.verified, subject=request_id(index))
    await harness.wait_until(lambda: parked(0))
    assert len(await rows(harness, status="sent", limit=200)) >= 6


async def test_an_email_can_be_resent(harness: StaffHarness, server: ScriptedSmtp):
    server.script.answers = {f"RCPT {APPLICANT}": ["550 tidak dikenal"]}
    await harness.publish(tale.submitted)
    row = await wait_for_email(harness, "failed")
    again = f"{MESSAGES}/{row['id']}/resend"
    answer = await harness.post("admin", again, key="once")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": REQUEST,
        "number": "INT-2026-000001",
        "status": "submitted",
        "version": answer.json()["version"],
    }
    harness.clock.advance(seconds=1)
    await wait_for_email(harness, "sent")
    repeated = await harness.post("admin", again, key="once")
    assert repeated.json() == answer.json()
    harness.clock.advance(seconds=1)
    assert len(emails_to(server, APPLICANT)) == 1
    assert (await harness.post("admin", again, key="twice")).status_code == 200
    harness.clock.advance(seconds=1)
    await harness.wait_until(lambda: _sent(server, 2))
    first, second = emails_to(server, APPLICANT)
    assert first["Message-ID"] == second["Message-ID"]


async def _sent(server: ScriptedSmtp, count: int) -> bool:
    return len(emails_to(server, APPLICANT)) == count


async def test_an_email_being_sent_cannot_be_resent(harness: StaffHarness, server: ScriptedSmtp):
    server.script.delay = 0.3
    await harness.publish(tale.submitted)
    row = await wait_for_email(harness, "sending")
    answer = await harness.post("admin", f"{MESSAGES}/{row['id']}/resend")
    assert answer.status_code == 409
    assert "sedang dikirim" in answer.json()["detail"]
    server.script.delay = 0.0
    await wait_for_email(harness, "sent")
    await wait_for_email(harness, "sent", "staff_submitted")
    assert len(delivered_emails(server)) == 2


@pytest.mark.parametrize("message", ["x", f"{REQUEST}.0", f"{request_id(9)}.0", "..", "%00", "a.b.c"])
async def test_a_missing_email_is_404(harness: StaffHarness, message: str):
    await harness.publish(tale.submitted)
    answer = await harness.post("admin", f"{MESSAGES}/{message}/resend")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("who", ["", *PEOPLE])
async def test_the_ledger_is_for_administrators(harness: StaffHarness, who: str):
    await harness.publish(tale.submitted)
    row = await wait_for_email(harness, "sent")
    seen = {(await harness.get(who, MESSAGES)).status_code}
    seen.add((await harness.post(who, f"{MESSAGES}/{row['id']}/resend")).status_code)
    assert seen == {{"admin": 200, "": 401}.get(who, 403)}
