"""Helpers for assignment's pages: open pages with a session and submit their forms."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx

from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import verified
from tests.support.services.forms_harness import hidden_fields
from tests.support.services.staff_harness import StaffHarness

QUEUE, WORK = f"/penugasan/{REQUEST}", f"/pekerjaan/{REQUEST}"
API = "/api/assignment/requests"
ASSIGN = {"lead": "dewi", "complexity": "low", "target_date": "2026-12-14", "note": "Mohon didahulukan."}
STEPS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("hasan", "assignment", ASSIGN, "assigned"),
    ("dewi", "start", {}, "in_progress"),
    ("dewi", "pause", {"question": "Alamat server uji?"}, "on_hold"),
)


async def advance_to(
    harness: StaffHarness, status: str, *documents: Any, subject: str = REQUEST, **fields: Any
) -> None:
    """Advance a request to this status."""
    await harness.submitted(*documents, subject=subject, **fields)
    if status != "submitted":
        await advance_on(harness, status, subject=subject)


async def advance_on(harness: StaffHarness, status: str, *, subject: str = REQUEST, round_number: int = 1) -> None:
    """Verify a submitted request and advance it to this status."""
    await harness.publish(verified.model_copy(update={"round": round_number}), subject=subject)
    for who, step, body, reached in STEPS:
        if status == "verified":
            return
        answer = await harness.post(who, f"{API}/{subject}/{step}", body)
        assert answer.status_code == 200, answer.text
        if reached == status:
            return


async def page(harness: StaffHarness, who: str, path: str, **options: Any) -> httpx.Response:
    """Return a page as seen by this person."""
    cookie = {"Cookie": f"simpul=token of {who}"} if who else {}
    async with harness.http as client:
        return await client.get(path, headers=cookie, **options)


async def send(
    harness: StaffHarness, who: str, path: str, form: httpx.Response, files: Any = None, /, **fields: Any
) -> httpx.Response:
    """Submit the form of a page with these fields to `path`."""
    data = {**hidden_fields(form, path), **fields}
    given = {name: value for name, value in data.items() if value is not None}
    async with harness.http as client:
        return await client.post(path, data=given, files=files, headers={"Cookie": f"simpul=token of {who}"})


async def submit_form(
    harness: StaffHarness, who: str, path: str, files: Any = None, /, **fields: Any
) -> httpx.Response:
    """Open a page and submit its form with these fields."""
    shown = await page(harness, who, path)
    assert shown.status_code == 200, shown.text
    return await send(harness, who, path, shown, files, **fields)


def rows(shown: httpx.Response) -> list[str]:
    """Return the request ids of the list on a page, in order."""
    return re.findall(r'<tr data-id="([^"]+)"', shown.text)


def error_beside(shown: httpx.Response, field: str) -> str:
    """Return the error beside a field, "" if there is none."""
    told = re.search(rf'id="{field}-e"><svg.*?</svg> ([^<]+)</p>', shown.text)
    return html.unescape(told[1]) if told else ""


def visible_text(shown: httpx.Response) -> str:
    """Return the visible text of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", shown.text)).split())
