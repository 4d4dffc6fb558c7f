"""The form is no way to have somebody else's mailbox filled, or a link mailed on in the name of the office."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.intake.recipient_limit import MAX_LINK_EMAILS, MAX_SUBMISSIONS, MAX_SUBMISSIONS_FROM_NETWORK
from shared.contracts.facts import ChecklistItem
from tests.domain import intake_story as story
from tests.services.intake_ground import FILES, FORM, PDF, Applicant, Ground, errors, ground, nothing_happened
from tests.services.pages_ground import Browser

pytestmark = pytest.mark.slow

NO_FILE = [("letter", ("", b"", PDF))]
HERE = "127.0.0.1"
ELSEWHERE = [f"192.0.2.{n}" for n in range(1, 1 + MAX_SUBMISSIONS // MAX_SUBMISSIONS_FROM_NETWORK)]
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


async def used_up(intake: Ground, email: str, address: str = HERE) -> None:
    for _ in range(MAX_SUBMISSIONS_FROM_NETWORK):
        assert (await intake.submit(email=email, address=address)).status_code == 201


async def requests_of(intake: Ground, email: str, count: int) -> list[Applicant]:
    return [await intake.accepted_before(f"INT-2026-{n:06}", email=email) for n in range(1, count + 1)]


async def link_emails(intake: Ground, made: list[Applicant]) -> int:
    """How many links were asked for, each of which is mailed."""
    executor = intake.intake.runtime.executor
    return sum([kept.version - 1 for one in made if (kept := await executor.read(one.id))])


def refused(answer: httpx.Response, seconds: int = 3600) -> None:
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == str(seconds)
    assert "untuk alamat surel ini. Coba lagi dalam" in answer.text


async def test_one_network_sends_so_many_requests_for_one_recipient_in_an_hour(intake: Ground):
    await used_up(intake, VICTIM)
    kept = intake.stored
    refused(await intake.submit(email=VICTIM))
    assert intake.stored == kept
    assert (await intake.submit(email="lain@dinas.example")).status_code == 201
    intake.clock.go_on(minutes=59)
    refused(await intake.submit(email=VICTIM), 60)
    intake.clock.go_on(minutes=1, seconds=1)
    assert (await intake.submit(email=VICTIM)).status_code == 201


async def test_a_flood_from_elsewhere_does_not_stop_those_who_use_the_mailbox(intake: Ground):
    await used_up(intake, VICTIM, ELSEWHERE[0])
    refused(await intake.submit(email=VICTIM, address=ELSEWHERE[0]))
    for _ in range(MAX_LINK_EMAILS + 1):
        await links(intake, VICTIM)
    await used_up(intake, VICTIM)


async def test_a_recipient_gets_so_many_requests_in_an_hour_from_all_networks(intake: Ground):
    for address in ELSEWHERE:
        await used_up(intake, VICTIM, address)
    refused(await intake.submit(email=VICTIM))


async def test_an_ipv6_line_is_one_network(intake: Ground):
    await used_up(intake, VICTIM, "2001:db8::1")
    refused(await intake.submit(email=VICTIM, address="2001:db8::2"))
    assert (await intake.submit(email=VICTIM, address="2001:db8:0:1::1")).status_code == 201


async def test_a_repeated_submission_gets_its_answer_and_counts_once(intake: Ground):
    key = {"Idempotency-Key": "once"}
    first = await intake.submit(headers=key, email=VICTIM)
    for _ in range(MAX_SUBMISSIONS_FROM_NETWORK + 1):
        again = await intake.submit(headers=key, email=VICTIM)
        assert (again.status_code, again.json()) == (201, first.json())
    assert (await intake.submit(email=VICTIM)).status_code == 201


async def test_what_registered_nothing_does_not_count(intake: Ground):
    folder = intake.platform.settings.documents
    folder.write_text("no folder")
    for _ in range(MAX_SUBMISSIONS_FROM_NETWORK + 1):
        assert (await intake.submit(email=VICTIM)).status_code == 503
    folder.unlink()
    await used_up(intake, VICTIM)


@pytest.mark.parametrize("written", ["KORBAN@dinas.example", "korban+1@dinas.example", "Korban+undian@Dinas.Example"])
async def test_other_ways_of_writing_an_address_count_as_the_same(intake: Ground, written: str):
    await used_up(intake, VICTIM)
    refused(await intake.submit(email=written))


async def test_every_link_that_is_mailed_counts_and_beyond_the_cap_none_is(intake: Ground):
    made = await requests_of(intake, VICTIM, 4)
    for expected in (4, 8, MAX_LINK_EMAILS, MAX_LINK_EMAILS):
        answer = await links(intake, VICTIM)
        assert (answer.status_code, answer.json()) == (200, {})
        assert await link_emails(intake, made) == expected
        intake.clock.go_on(minutes=11)
    intake.clock.go_on(hours=1)
    await links(intake, VICTIM)
    assert await link_emails(intake, made) == MAX_LINK_EMAILS + 4


async def test_a_link_that_was_mailed_a_moment_ago_does_not_count_again(intake: Ground):
    made = await requests_of(intake, VICTIM, 4)
    for _ in range(MAX_LINK_EMAILS):
        await links(intake, VICTIM)
    assert await link_emails(intake, made) == 4
    intake.clock.go_on(minutes=11)
    await links(intake, VICTIM)
    assert await link_emails(intake, made) == 8


async def test_nobody_learns_from_the_limits_whether_an_address_is_known(intake: Ground):
    await requests_of(intake, "dikenal@dinas.example", 1)
    answers = []
    for email in ("dikenal@dinas.example", "asing@dinas.example"):
        asked = [await links(intake, email) for _ in range(MAX_LINK_EMAILS + 5)]
        answers.append({(answer.status_code, answer.text, *sorted(answer.headers)) for answer in asked})
        await used_up(intake, email)
        refused(await intake.submit(email=email))
    assert answers[0] == answers[1]
    assert len(answers[0]) == 1


async def test_the_form_says_so_and_keeps_what_was_typed(intake: Ground):
    await used_up(intake, VICTIM)
    async with intake.client(timeout=60) as client:
        browser = Browser(client)
        form = await browser.send("/", await browser.get("/"), list(FILES), **{**FORM, "email": VICTIM})
        refused(form)
        assert FORM["description"] in form.text
        intake.clock.go_on(hours=1, seconds=1)
        sent = await browser.send("/", form, **{**FORM, "email": VICTIM})
        assert sent.status_code == 303


async def test_a_rate_of_zero_sets_no_limit(unlimited: Ground):
    for _ in range(MAX_SUBMISSIONS_FROM_NETWORK + 1):
        assert (await unlimited.submit(email=VICTIM)).status_code == 201


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
