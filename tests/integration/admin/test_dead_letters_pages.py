"""Pages of dead letters: list, detail, replay and discard."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from shared.contracts.envelope import Event
from shared.web.admin.dead_letter_pages import event_name, format_event
from tests.integration.admin.test_dead_letters_api import (
    a_poisoned_resubmission,
    parked,
    returned,
    status,
    tried_by_itself,
)
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import REQUEST
from tests.support.services.form_browser import COOKIE, Browser, browser, visible_text
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import PEOPLE, StaffHarness

PAGE = "/kejadian-tertunda"


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "verification", "notification") as opened:
        yield opened


@pytest.fixture
async def admin(harness: StaffHarness) -> AsyncIterator[Browser]:
    async with browser(harness, "admin") as opened:
        yield opened


def address(letter: dict[str, Any]) -> str:
    return f"{PAGE}/{quote(letter['id'], safe='')}"


def open_ones(page: httpx.Response) -> list[str]:
    return re.findall(rf'<a class="go" href="({PAGE}/[^"]+)"', page.text)


async def test_an_empty_list_says_so(admin: Browser):
    page = await admin.get(PAGE)
    assert page.status_code == 200
    assert "Tidak ada kejadian tertunda" in page.text
    assert "perlu ditindak" not in page.text


async def test_dead_letters_are_listed_with_request_and_reason_but_without_the_event(
    harness: StaffHarness, admin: Browser
):
    await a_poisoned_resubmission(harness)
    letters = await parked(harness)
    page = await admin.get(PAGE)
    assert open_ones(page) == [address(letter) for letter in letters]
    seen = visible_text(page)
    for words in (
        "INT-2026-000001",
        REQUEST,
        "Verifikasi",
        "Pemberitahuan",
        "RequestResubmitted v1",
        letters[1]["reason"],
    ):
        assert words in seen
    for secret in (tale.APPLICANT.email, tale.APPLICANT.employee_number):
        assert secret not in page.text


async def test_the_title_names_event_and_request(harness: StaffHarness, admin: Browser):
    await a_poisoned_resubmission(harness)
    first, second = await parked(harness, "verification")
    headings = []
    for letter in (first, second):
        page = await admin.get(address(letter))
        headings.append(heading(page))
        assert f"<title>{headings[-1]} - Simpul</title>" in page.text
    assert headings == [
        "Permohonan dilengkapi dan dikirim ulang, INT-2026-000001",
        "Permohonan dibatalkan, INT-2026-000001",
    ]
    listed = visible_text(await admin.get(PAGE))
    assert "Permohonan dilengkapi dan dikirim ulang" in listed
    assert "Permohonan dibatalkan" in visible_text(await admin.get(address(second) + "/buang"))


def heading(page: httpx.Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page.text)
    assert found is not None
    return re.sub("<[^>]+>", "", found[1])


async def test_an_event_is_shown_in_full_and_its_reader_is_logged(
    harness: StaffHarness, admin: Browser, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    await a_poisoned_resubmission(harness)
    letter = (await parked(harness))[0]
    page = await admin.get(address(letter))
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert '"round": "two"' in visible_text(page)
    assert tale.APPLICANT.email in page.text
    assert f"admin looked at the event of dead letter {letter['id']}" in caplog.text
    assert tale.APPLICANT.email not in caplog.text


async def test_a_replay_succeeds_once_the_code_is_fixed(harness: StaffHarness, admin: Browser):
    runtime = harness.services["verification"].runtime
    whole = runtime.event_folder.runner.decider

    def stumbles(state: Any, event: Event) -> Any:
        if event.type == "RequestResubmitted":
            raise ValueError("a bug with <marks>")
        return whole.evolve(state, event)

    runtime.event_folder.runner.decider = replace(whole, evolve=stumbles)
    await returned(harness)
    await harness.publish(tale.resubmitted, tale.withdrawn)
    await tried_by_itself(harness)
    letter = (await parked(harness))[0]
    page = await admin.get(address(letter))
    still = await admin.send(page, address(letter) + "/proses-ulang")
    assert still.status_code == 409
    assert "masih belum dapat diproses: ValueError: a bug with <marks>" in visible_text(still)
    assert "<marks>" not in still.text
    runtime.event_folder.runner.decider = whole
    done = await admin.send(still, address(letter) + "/proses-ulang")
    assert (done.status_code, done.headers["location"]) == (303, f"{PAGE}?hasil=diproses")
    shown = await admin.get(done.headers["location"])
    assert "sudah diproses" in visible_text(shown)
    assert open_ones(shown) == []
    assert await status(harness) == "withdrawn"


async def test_a_discard_is_confirmed_and_executed_once(harness: StaffHarness, admin: Browser):
    await a_poisoned_resubmission(harness)
    letter = (await parked(harness, "verification"))[0]
    asked = await admin.get(address(letter) + "/buang")
    assert "tidak dapat dibatalkan" in visible_text(asked)
    assert len(await parked(harness, "verification")) == 2
    done = await admin.send(asked, address(letter) + "/buang")
    assert (done.status_code, done.headers["location"]) == (303, f"{PAGE}?hasil=dibuang")
    assert await status(harness) == "withdrawn"
    assert await parked(harness, "verification") == []
    again = await admin.send(asked, address(letter) + "/buang")
    assert (again.status_code, again.headers["location"]) == (303, f"{PAGE}?hasil=tiada")
    assert "sudah tidak tertunda" in visible_text(await admin.get(again.headers["location"]))


async def test_a_discard_says_that_more_of_the_request_is_parked(harness: StaffHarness, admin: Browser):
    await a_poisoned_resubmission(harness)
    second = (await parked(harness, "verification"))[1]
    asked = await admin.get(address(second) + "/buang")
    done = await admin.send(asked, address(second) + "/buang")
    assert done.headers["location"] == f"{PAGE}?hasil=sisa"
    assert "Masih ada yang tertunda" in visible_text(await admin.get(done.headers["location"]))


@pytest.mark.parametrize("letter", ["verification:999", "nobody:1", "x", "verification:", "a%3Ab%3Ac", "%00", "<b>"])
async def test_a_missing_one_is_a_not_found_page(admin: Browser, letter: str):
    for path in (f"{PAGE}/{letter}", f"{PAGE}/{letter}/buang"):
        page = await admin.get(path)
        assert page.status_code == 404
        assert "tidak ditemukan" in page.text.lower()


async def test_an_unknown_result_in_the_url_is_ignored(admin: Browser):
    page = await admin.get(PAGE, params={"hasil": "<b>semua hilang</b>"})
    assert page.status_code == 200
    assert "semua hilang" not in page.text


async def test_a_session_that_ended_discards_nothing(harness: StaffHarness, admin: Browser):
    await a_poisoned_resubmission(harness)
    letter = (await parked(harness, "verification"))[0]
    asked = await admin.get(address(letter) + "/buang")
    admin.client.cookies.delete(COOKIE)
    assert (await admin.send(asked, address(letter) + "/buang")).status_code == 401
    assert len(await parked(harness, "verification")) == 2


@pytest.mark.parametrize("who", [name for name in PEOPLE if name != "admin"])
async def test_the_pages_of_dead_letters_are_for_administrators(harness: StaffHarness, who: str):
    await a_poisoned_resubmission(harness)
    letter = (await parked(harness))[0]
    async with browser(harness, who) as other:
        for path in (PAGE, address(letter), address(letter) + "/buang"):
            page = await other.get(path)
            assert page.status_code == 403
            assert tale.APPLICANT.email not in page.text


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (b'{"a":{"b":[1,"\\u00e9"]}}', '{\n  "a": {\n    "b": [\n      1,\n      "é"\n    ]\n  }\n}'),
        (b'{"a":"\\ud800"}', '{\n  "a": "\\ud800"\n}'),
        (b"\xff\x00{", "\\xff\\x00{"),
        ("a\u202eb\r\n".encode(), "a\\u202eb\\r\n"),
        (b"", ""),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_any_event_in_the_log_can_be_shown(event: bytes, shown: str):
    assert format_event(event) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (b'{"type": "RequestVerified"}', "Dinyatakan lengkap"),
        (b'{"type": "RequestForgotten"}', "RequestForgotten"),
        (b'{"type": "\\ud800<\\u202e"}', "\\ud800<\\u202e"),
        (b'{"type": "' + b"x" * 999 + b'"}', "x" * 60),
        *(
            (event, "Kejadian yang tidak terbaca")
            for event in (b"\x00\xff", b"[1]", b"{}", b'{"type": 1}', b'{"type": ""}')
        ),
    ],
)
def test_any_event_in_the_log_has_a_name(event: bytes, named: str):
    assert event_name(event) == named
    named.encode()
