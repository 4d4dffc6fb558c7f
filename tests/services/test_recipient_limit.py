"""The form is no way to have somebody else's mailbox filled, or a link mailed on in the name of the office."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.intake.recipient_limit import MAX_EMAILS_PER_RECIPIENT
from shared.contracts.facts import ChecklistItem
from tests.domain import intake_story as story
from tests.services.intake_ground import FILES, FORM, PDF, Ground, errors, ground, nothing_happened
from tests.services.pages_ground import Browser

pytestmark = pytest.mark.slow

NO_FILE = [("letter", ("", b"", PDF))]
VICTIM = "korban@dinas.example"


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path, public_rate=1000) as opened:
        yield opened


@pytest.fixture
async def unlimited(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as opened:
        yield opened


async def links(intake: Ground, email: str) -> httpx.Response:
    async with intake.client() as client:
        return await client.post("/api/links", json={"email": email})


async def used_up(intake: Ground, email: str) -> None:
    for _ in range(MAX_EMAILS_PER_RECIPIENT):
        assert (await links(intake, email)).status_code == 200


def refused(answer: httpx.Response, seconds: int = 3600) -> None:
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == str(seconds)
    assert "untuk alamat surel ini. Coba lagi dalam" in answer.text


async def test_one_recipient_gets_so_many_e_mails_in_an_hour_and_others_theirs(intake: Ground):
    await used_up(intake, VICTIM)
    refused(await intake.submit(email=VICTIM))
    assert await nothing_happened(intake)
    assert (await intake.submit(email="lain@dinas.example")).status_code == 201
    intake.clock.go_on(minutes=59)
    refused(await links(intake, VICTIM), 60)
    intake.clock.go_on(minutes=1, seconds=1)
    assert (await intake.submit(email=VICTIM)).status_code == 201


async def test_submissions_count_as_links_do(intake: Ground):
    for _ in range(MAX_EMAILS_PER_RECIPIENT):
        assert (await intake.submit(email=VICTIM)).status_code == 201
    refused(await links(intake, VICTIM))
    refused(await intake.submit(email=VICTIM))


async def test_a_repeated_submission_gets_its_answer_and_counts_once(intake: Ground):
    key = {"Idempotency-Key": "once"}
    first = await intake.submit(headers=key, email=VICTIM)
    await used_up(intake, "lain@dinas.example")
    for _ in range(MAX_EMAILS_PER_RECIPIENT + 1):
        again = await intake.submit(headers=key, email=VICTIM)
        assert (again.status_code, again.json()) == (201, first.json())
    assert (await intake.submit(email=VICTIM)).status_code == 201


@pytest.mark.parametrize("written", ["KORBAN@dinas.example", "korban+1@dinas.example", "Korban+undian@Dinas.Example"])
async def test_other_ways_of_writing_an_address_count_as_the_same(intake: Ground, written: str):
    await used_up(intake, VICTIM)
    refused(await links(intake, written))


async def test_nobody_learns_from_the_limit_whether_an_address_is_known(intake: Ground):
    await intake.submit(email="dikenal@dinas.example")
    answers = []
    for email in ("dikenal@dinas.example", "asing@dinas.example"):
        counted = [await links(intake, email) for _ in range(MAX_EMAILS_PER_RECIPIENT - 1)]
        assert {answer.status_code for answer in counted} == {200}
        answers.append([(await links(intake, email)).status_code for _ in range(2)][1])
    assert answers == [429, 429]


async def test_the_pages_say_so_and_keep_what_was_typed(intake: Ground):
    await used_up(intake, VICTIM)
    async with intake.client(timeout=60) as client:
        browser = Browser(client)
        lost = await browser.send("/lacak", await browser.get("/lacak"), email=VICTIM)
        refused(lost)
        assert f'value="{VICTIM}"' in lost.text
        form = await browser.send("/", await browser.get("/"), list(FILES), **{**FORM, "email": VICTIM})
        refused(form)
        assert FORM["description"] in form.text
        intake.clock.go_on(hours=1, seconds=1)
        sent = await browser.send("/", form, **{**FORM, "email": VICTIM})
        assert sent.status_code == 303


async def test_a_rate_of_zero_sets_no_limit(unlimited: Ground):
    for _ in range(MAX_EMAILS_PER_RECIPIENT + 5):
        assert (await links(unlimited, VICTIM)).status_code == 200


@pytest.mark.parametrize("field", ["name", "position", "unit"])
async def test_what_is_mailed_on_holds_no_web_address(unlimited: Ground, field: str):
    told: dict[str, Any] = {field: "Anda menang, buka hxxp://evil.example"}
    answer = await unlimited.submit(**told)
    assert answer.status_code == 422
    assert "alamat web" in errors(answer)[field]
    assert await nothing_happened(unlimited)


OLD = {"name": "Ahmad.com", "position": "Staf.info", "unit": "Dinas.net"}


async def test_what_was_accepted_before_may_be_sent_again_as_it_is(unlimited: Ground):
    mine = await unlimited.accepted_before(**OLD)
    await unlimited.tell(mine.id, story.returned_for(ChecklistItem.FORM))
    other = await mine.post("/resubmission", data={**OLD, "name": "Ahmad.org"}, files=NO_FILE)
    assert list(errors(other)) == ["name"]
    changed = {**OLD, "description": "Data trayek angkutan laut dihubungkan setiap malam."}
    assert (await mine.post("/resubmission", data=changed, files=NO_FILE)).status_code == 200
    assert (await mine.get()).json()["name"] == OLD["name"]


async def test_the_page_takes_what_was_accepted_before_as_it_is(unlimited: Ground):
    mine = await unlimited.accepted_before(**OLD)
    await unlimited.tell(mine.id, story.returned_for(ChecklistItem.FORM))
    async with unlimited.client(timeout=60) as client:
        await client.get(unlimited.platform.tracking.link(mine.id, mine.number))
        browser, path = Browser(client), f"/lacak/{mine.number}/lengkapi"
        kept = {"employee_number": FORM["employee_number"], "email": FORM["email"], "phone": ""}
        form = {**OLD, **kept, "unit": "other", "unit_other": OLD["unit"], "description": FORM["description"]}
        wrong = await browser.send(path, await browser.get(path), **{**form, "unit_other": "Dinas.org"})
        assert wrong.status_code == 422
        assert (await browser.send(path, wrong, **form)).status_code == 303


async def test_a_description_may_name_a_web_address_and_a_name_its_titles(unlimited: Ground):
    answer = await unlimited.submit(
        name="Dr. H. Ahmad, S.Kom., M.Si.",
        description="Mohon data dari https://portal.example/api dihubungkan setiap malam.",
        letter_number="500/DISHUB.HT/XI/2026",
    )
    assert answer.status_code == 201
