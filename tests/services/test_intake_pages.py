"""The page by which an applicant follows a request."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.intake.pages import shown
from services.intake.queries import tracked
from shared.contracts.course import Status
from tests.domain import intake_story as story
from tests.domain.given import NOON, given
from tests.services.intake_ground import (
    DIAGRAM,
    Ground,
    ground,
)


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as opened:
        yield opened


async def test_the_link_becomes_a_cookie_and_a_clean_address(intake: Ground):
    mine = await intake.submitted()
    link = intake.platform.tracking.link(mine.id, mine.number)
    async with intake.client() as client:
        answer = await client.get(link)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/lacak/{mine.number}")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert f"Path=/lacak/{mine.number}" in cookie
        seen = await client.get(answer.headers["location"])
        assert seen.status_code == 200
        assert seen.headers["cache-control"] == "no-store"
        for words in (mine.number, "Diajukan", "Petugas Layanan TI memeriksa", "lewat API", "Alur.png"):
            assert words in seen.text
        assert mine.token not in seen.text
        assert "198502" not in seen.text
        [document] = re.findall(r'href="(/lacak/[^"]+)">Unduh<span class="vh"> Alur.png', seen.text)
        assert (await client.get(document)).content == DIAGRAM


async def test_behind_tls_the_cookie_is_secure(tmp_path: Path):
    async with ground(tmp_path, base_url="https://simpul.example") as intake:
        mine = await intake.submitted()
        async with intake.client() as client:
            answer = await client.get(intake.platform.tracking.link(mine.id, mine.number))
        assert answer.headers["set-cookie"].startswith("__Secure-")
        assert "Secure;" in answer.headers["set-cookie"] or answer.headers["set-cookie"].endswith("Secure")


async def test_a_wrong_or_missing_key_meets_a_page_that_says_so(intake: Ground):
    mine, other = await intake.submitted(), await intake.submitted()
    async with intake.client() as client:
        document = (await mine.get()).json()["documents"][0]["id"]
        for path in ("", "?kunci=wrong", f"?kunci={other.token}", f"/dokumen/{document}"):
            answer = await client.get(f"/lacak/{mine.number}{path}", headers={"Cookie": "lacak=wrong"})
            assert answer.status_code == 404
            assert "Permohonan tidak ditemukan" in answer.text
            assert "set-cookie" not in answer.headers


async def test_the_page_escapes_what_people_wrote(intake: Ground):
    made = (await intake.submit(name="<script>alert(1)</script>", unit='"><b>')).json()
    async with intake.client(follow_redirects=True) as client:
        seen = await client.get(f"/lacak/{made['number']}?kunci={made['tracking_token']}")
    assert seen.status_code == 200
    assert "<script" not in seen.text
    assert '"><b>' not in seen.text


@pytest.mark.parametrize("status", [status for status in story.PATHS if status is not Status.NEW])
async def test_the_page_says_at_every_status_what_comes_next(status: Status):
    state = given(story.INTAKE, *story.PATHS[status])
    facts = shown(state, tracked(state, NOON.date()))
    assert facts["what_next"].endswith(".")
    assert "{" not in facts["what_next"]
