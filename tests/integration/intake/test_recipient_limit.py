"""The form can neither flood a mailbox nor email web addresses on behalf of the office."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.intake.recipient_limit import MAX_LINK_EMAILS, MAX_SUBMISSIONS, MAX_SUBMISSIONS_FROM_NETWORK
from shared.contracts.facts import ChecklistItem
from tests.support.domain import request_events as story
from tests.support.services.forms_harness import Browser
from tests.support.services.intake_harness import (
    FILES,
    FORM,
    PDF,
    ApplicantClient,
    IntakeHarness,
    errors,
    intake_harness,
    nothing_is_stored,
)

pytestmark = pytest.mark.slow

NO_FILE = [("letter", ("", b"", PDF))]
HERE = "127.0.0.1"
ELSEWHERE = [f"192.0.2.{n}" for n in range(1, 1 + MAX_SUBMISSIONS // MAX_SUBMISSIONS_FROM_NETWORK)]
VICTIM = "korban@dinas.example"


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[IntakeHarness]:
    async with intake_harness(tmp_path, public_rate=1000) as opened:
        yield opened


@pytest.fixture
async def unlimited(tmp_path: Path) -> AsyncIterator[IntakeHarness]:
    async with intake_harness(tmp_path) as opened:
        yield opened


async def request_links(intake: IntakeHarness, email: str) -> httpx.Response:
    async with intake.client() as client:
        return await client.post("/api/links", json={"email": email})


async def exhaust_limit(intake: IntakeHarness, email: str, address: str = HERE) -> None:
    for _ in range(MAX_SUBMISSIONS_FROM_NETWORK):
        assert (await intake.submit(email=email, address=address)).status_code == 201


async def make_requests(intake: IntakeHarness, email: str, count: int) -> list[ApplicantClient]:
    return [await intake.store_legacy_request(f"INT-2026-{n:06}", email=email) for n in range(1, count + 1)]


async def count_link_emails(intake: IntakeHarness, made: list[ApplicantClient]) -> int:
    """Return how many link emails were requested."""
    executor = intake.service.runtime.executor
    return sum([kept.version - 1 for one in made if (kept := await executor.read(one.id))])


def refused(answer: httpx.Response, seconds: int = 3600) -> None:
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == str(seconds)
    assert "untuk alamat surel ini. Coba lagi dalam" in answer.text


async def test_submissions_for_one_recipient_from_one_network_are_limited_per_hour(intake: IntakeHarness):
    await exhaust_limit(intake, VICTIM)
    kept = intake.stored_documents
    refused(await intake.submit(email=VICTIM))
    assert intake.stored_documents == kept
    assert (await intake.submit(email="lain@dinas.example")).status_code == 201
    intake.clock.advance(minutes=59)
    refused(await intake.submit(email=VICTIM), 60)
    intake.clock.advance(minutes=1, seconds=1)
    assert (await intake.submit(email=VICTIM)).status_code == 201


async def test_a_flood_from_one_network_does_not_lock_out_another(intake: IntakeHarness):
    await exhaust_limit(intake, VICTIM, ELSEWHERE[0])
    refused(await intake.submit(email=VICTIM, address=ELSEWHERE[0]))
    for _ in range(MAX_LINK_EMAILS + 1):
        await request_links(intake, VICTIM)
    await exhaust_limit(intake, VICTIM)


async def test_submissions_for_one_recipient_from_all_networks_are_limited_per_hour(intake: IntakeHarness):
    for address in ELSEWHERE:
        await exhaust_limit(intake, VICTIM, address)
    refused(await intake.submit(email=VICTIM))


async def test_an_ipv6_prefix_is_one_network(intake: IntakeHarness):
    await exhaust_limit(intake, VICTIM, "2001:db8::1")
    refused(await intake.submit(email=VICTIM, address="2001:db8::2"))
    assert (await intake.submit(email=VICTIM, address="2001:db8:0:1::1")).status_code == 201


async def test_a_repeated_submission_counts_once(intake: IntakeHarness):
    key = {"Idempotency-Key": "once"}
    first = await intake.submit(headers=key, email=VICTIM)
    for _ in range(MAX_SUBMISSIONS_FROM_NETWORK + 1):
        again = await intake.submit(headers=key, email=VICTIM)
        assert (again.status_code, again.json()) == (201, first.json())
    assert (await intake.submit(email=VICTIM)).status_code == 201


async def test_repeated_corrections_and_changes_of_contact_count_once(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    other = {"email": VICTIM, "phone": "0812 0000 1111"}

    async def correct(key: dict[str, str], number: int) -> httpx.Response:
        return await applicant.patch(key, data={"description": f"Data trayek kapal nomor {number}."}, files=NO_FILE)

    async def change_contact(key: dict[str, str], number: int) -> httpx.Response:
        return await applicant.post("/contact", key, json={**other, "phone": f"0812 0000 111{number}"})

    for address, call in ((FORM["email"], correct), (VICTIM, change_contact)):
        left = MAX_SUBMISSIONS_FROM_NETWORK - (address == FORM["email"])
        for number in range(left):
            key = {"Idempotency-Key": f"{address}-{number}"}
            answers = [await call(key, number), await call(key, number)]
            assert [answer.status_code for answer in answers] == [200, 200], answers[-1].text
            assert answers[0].json() == answers[1].json()
        refused(await call({}, left))
        assert (await call({"Idempotency-Key": f"{address}-0"}, 0)).status_code == 200


async def test_a_failed_submission_does_not_count(intake: IntakeHarness):
    folder = intake.platform.settings.documents
    folder.write_text("no folder")
    for _ in range(MAX_SUBMISSIONS_FROM_NETWORK + 1):
        assert (await intake.submit(email=VICTIM)).status_code == 503
    folder.unlink()
    await exhaust_limit(intake, VICTIM)


@pytest.mark.parametrize("written", ["KORBAN@dinas.example", "korban+1@dinas.example", "Korban+undian@Dinas.Example"])
async def test_variants_of_an_address_count_as_the_same(intake: IntakeHarness, written: str):
    await exhaust_limit(intake, VICTIM)
    refused(await intake.submit(email=written))


async def test_link_emails_are_limited_per_hour(intake: IntakeHarness):
    made = await make_requests(intake, VICTIM, 4)
    for expected in (4, 8, MAX_LINK_EMAILS, MAX_LINK_EMAILS):
        answer = await request_links(intake, VICTIM)
        assert (answer.status_code, answer.json()) == (200, {})
        assert await count_link_emails(intake, made) == expected
        intake.clock.advance(minutes=11)
    intake.clock.advance(hours=1)
    await request_links(intake, VICTIM)
    assert await count_link_emails(intake, made) == MAX_LINK_EMAILS + 4


async def test_a_link_that_is_not_emailed_again_does_not_count(intake: IntakeHarness):
    made = await make_requests(intake, VICTIM, 4)
    for _ in range(MAX_LINK_EMAILS):
        await request_links(intake, VICTIM)
    assert await count_link_emails(intake, made) == 4
    intake.clock.advance(minutes=11)
    await request_links(intake, VICTIM)
    assert await count_link_emails(intake, made) == 8


async def test_the_limits_do_not_reveal_whether_an_address_is_known(intake: IntakeHarness):
    await make_requests(intake, "dikenal@dinas.example", 1)
    answers = []
    for email in ("dikenal@dinas.example", "asing@dinas.example"):
        responses = [await request_links(intake, email) for _ in range(MAX_LINK_EMAILS + 5)]
        answers.append({(answer.status_code, answer.text, *sorted(answer.headers)) for answer in responses})
        await exhaust_limit(intake, email)
        refused(await intake.submit(email=email))
    assert answers[0] == answers[1]
    assert len(answers[0]) == 1


async def test_the_form_shows_the_limit_and_keeps_its_texts(intake: IntakeHarness):
    await exhaust_limit(intake, VICTIM)
    async with intake.client(timeout=60) as client:
        browser = Browser(client)
        form = await browser.send("/", await browser.get("/"), list(FILES), **{**FORM, "email": VICTIM})
        refused(form)
        assert FORM["description"] in form.text
        intake.clock.advance(hours=1, seconds=1)
        sent = await browser.send("/", form, **{**FORM, "email": VICTIM})
        assert sent.status_code == 303


async def test_a_rate_of_zero_disables_the_limit(unlimited: IntakeHarness):
    for _ in range(MAX_SUBMISSIONS_FROM_NETWORK + 1):
        assert (await unlimited.submit(email=VICTIM)).status_code == 201


@pytest.mark.parametrize("field", ["name", "position", "unit"])
async def test_texts_that_are_emailed_must_not_hold_web_addresses(unlimited: IntakeHarness, field: str):
    invalid: dict[str, Any] = {field: "Anda menang, buka hxxp://evil.example"}
    answer = await unlimited.submit(**invalid)
    assert answer.status_code == 422
    assert "alamat web" in errors(answer)[field]
    assert await nothing_is_stored(unlimited)


OLD = {"name": "Ahmad.com", "position": "Staf.info", "unit": "Dinas.net"}


async def test_stored_names_may_be_sent_again_unchanged(unlimited: IntakeHarness):
    applicant = await unlimited.store_legacy_request(**OLD)
    await unlimited.publish(applicant.id, story.returned_for(ChecklistItem.FORM))
    other = await applicant.post("/resubmission", data={**OLD, "name": "Ahmad.org"}, files=NO_FILE)
    assert list(errors(other)) == ["name"]
    changed = {**OLD, "description": "Data trayek angkutan laut dihubungkan setiap malam."}
    assert (await applicant.post("/resubmission", data=changed, files=NO_FILE)).status_code == 200
    assert (await applicant.get()).json()["name"] == OLD["name"]


async def test_the_page_accepts_stored_names_unchanged(unlimited: IntakeHarness):
    applicant = await unlimited.store_legacy_request(**OLD)
    await unlimited.publish(applicant.id, story.returned_for(ChecklistItem.FORM))
    async with unlimited.client(timeout=60) as client:
        await client.get(unlimited.platform.tracking.link(applicant.id, applicant.number))
        browser, path = Browser(client), f"/lacak/{applicant.number}/lengkapi"
        kept = {"employee_number": FORM["employee_number"], "email": FORM["email"], "phone": ""}
        form = {**OLD, **kept, "unit": "other", "unit_other": OLD["unit"], "description": FORM["description"]}
        wrong = await browser.send(path, await browser.get(path), **{**form, "unit_other": "Dinas.org"})
        assert wrong.status_code == 422
        assert (await browser.send(path, wrong, **form)).status_code == 303


async def test_a_description_may_hold_a_web_address_and_a_name_titles(unlimited: IntakeHarness):
    answer = await unlimited.submit(
        name="Dr. H. Ahmad, S.Kom., M.Si.",
        description="Mohon data dari https://portal.example/api dihubungkan setiap malam.",
        letter_number="500/DISHUB.HT/XI/2026",
    )
    assert answer.status_code == 201
