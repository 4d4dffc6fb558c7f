"""The lists of officers, the head, leads and administrators find a request however its words are typed or pasted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts.facts import Letter
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import REQUEST
from tests.support.services.assignment_pages import advance_to, page, rows
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import StaffHarness, staff_harness

OTHER = "00000000-0000-4000-8000-000000000002"
APPLICANT = tale.APPLICANT.model_copy(
    update={"name": "Jum\u02bbat az\u2010Zahr\u0101\u02bc", "email": "Jumat.Zahra@dishub.example"}
)
SAID: dict[str, Any] = {
    "applicant": APPLICANT,
    "letter": Letter(number="500/12\u2013A/DISHUB", date=date(2026, 11, 20)),
    "description": "Trayek angkutan laut di Pulau Mab\u00e0\ndihubungkan ke portal data.",
}
QUERIES = [
    "jum'at",
    "JUM\u2019AT AZ-ZAHRA",
    "jumat",
    "zahra\u0304",
    "int\u20112026\u2011000001",
    "jumat.zahra@dishub",
    "500/12-a",
    "maba dihubungkan",
    "perhubungan jumat",
]
VAIN = ["jum'at siti", "%", "_", ".*", "\u2019", "' OR 1=1 --"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def harness(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path_factory.mktemp("search")) as opened:
        await advance_to(opened, "assigned", **SAID)
        await opened.wait_for_status("verification", "assigned")
        await opened.submitted(subject=OTHER, number="INT-2026-000002")
        yield opened


async def ids(harness: StaffHarness, who: str, path: str, query: str) -> list[str]:
    answer = await harness.get(who, path, params={"search": query})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("who", "api", "shown", "within"),
    [
        ("nurlaila", "/api/verification/requests", "/verifikasi", {"status": "all"}),
        ("hasan", "/api/assignment/requests", "/penugasan", {"tab": "open"}),
        ("dewi", "/api/assignment/requests", "/pekerjaan", {"tab": "all"}),
    ],
)
async def test_every_desk_finds_a_request_by_each_of_its_words(
    harness: StaffHarness, who: str, api: str, shown: str, within: dict[str, str]
):
    for query in [*QUERIES, "dewi andaian"]:
        assert await ids(harness, who, api, query) == [REQUEST], query
        assert rows(await page(harness, who, shown, params={"search": query, **within})) == [REQUEST], query
    for query in VAIN:
        assert await ids(harness, who, api, query) == [], query


async def test_an_administrator_finds_e_mails_by_the_words_of_their_request(tmp_path: Path):
    async with services_harness(tmp_path, "notification") as harness:
        told = tale.submitted.model_copy(update=SAID)
        await harness.publish(told, tale.verified, tale.assigned)
        await harness.publish(tale.submitted.model_copy(update={"number": "INT-2026-000002"}), subject=OTHER)
        for query in ["jum'at", "zahra", "int\u20112026\u2011000001", "jumat.zahra@", "dewi andaian", REQUEST]:
            answer = await harness.get("admin", "/api/notification/messages", params={"request": query})
            assert {item["request"] for item in answer.json()["items"]} == {REQUEST}, query
        for query in VAIN:
            answer = await harness.get("admin", "/api/notification/messages", params={"request": query})
            assert answer.json()["items"] == [], query
