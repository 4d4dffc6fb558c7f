"""The tracking page with its receipt, and the page that emails a lost link again."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.intake.pages.tracking import STEP_BY_STATUS, next_step_text
from services.intake.presenters import present_request
from shared.contracts.facts import ChecklistItem
from shared.contracts.lifecycle import Status
from shared.identity.accounts import Role
from shared.web.views.static_files import FILES
from tests.support.domain import request_events as story
from tests.support.domain.given_when_then import NOON, given
from tests.support.paths import REPOSITORY
from tests.support.services.forms_harness import Browser
from tests.support.services.intake_harness import DIAGRAM, ApplicantClient, IntakeHarness, intake_harness

ROOT = REPOSITORY
ACTIONS = {
    Status.SUBMITTED: ["perbaiki", "batalkan"],
    Status.RETURNED: ["lengkapi", "batalkan"],
    Status.VERIFIED: ["batalkan"],
    Status.ASSIGNED: ["batalkan"],
    Status.IN_PROGRESS: ["batalkan"],
    Status.ON_HOLD: ["jawab", "batalkan"],
    Status.DELIVERED: ["konfirmasi", "keberatan"],
    Status.REJECTED: [],
}


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[IntakeHarness]:
    async with intake_harness(tmp_path) as opened:
        yield opened


async def tracking_page(intake: IntakeHarness, applicant: ApplicantClient, path: str = "") -> str:
    """Get a page with the tracking cookie."""
    async with intake.client() as client:
        answer = await client.get(f"/lacak/{applicant.number}{path}", headers={"Cookie": f"lacak={applicant.token}"})
        assert answer.status_code == 200
        return answer.text


async def test_the_token_of_a_link_moves_into_a_cookie(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    link = intake.platform.tracking.link(applicant.id, applicant.number)
    async with intake.client() as client:
        answer = await client.get(link)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/lacak/{applicant.number}")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert f"Path=/lacak/{applicant.number}" in cookie
        seen = await client.get(answer.headers["location"])
        assert seen.status_code == 200
        assert seen.headers["cache-control"] == "no-store"
        for words in (applicant.number, "Diajukan", "Petugas Layanan TI memeriksa", "Batalkan Permohonan", "Alur.png"):
            assert words in seen.text
        assert applicant.token not in seen.text
        assert "198502" not in seen.text
        [document] = re.findall(r'href="(/lacak/[^"]+)">Unduh<span class="vh"> Alur.png', seen.text)
        assert (await client.get(document)).content == DIAGRAM


async def test_behind_tls_the_cookie_is_secure(tmp_path: Path):
    async with intake_harness(tmp_path, base_url="https://simpul.example") as intake:
        applicant = await intake.new_applicant()
        async with intake.client() as client:
            answer = await client.get(intake.platform.tracking.link(applicant.id, applicant.number))
        assert answer.headers["set-cookie"].startswith("__Secure-")
        assert "Secure;" in answer.headers["set-cookie"] or answer.headers["set-cookie"].endswith("Secure")


async def test_a_wrong_or_missing_token_gets_a_page_that_offers_the_link(intake: IntakeHarness):
    applicant, other = await intake.new_applicant(), await intake.new_applicant()
    async with intake.client() as client:
        document = (await applicant.get()).json()["documents"][0]["id"]
        for path in ("", "?kunci=wrong", f"?kunci={other.token}", "/diterima", f"/dokumen/{document}"):
            answer = await client.get(f"/lacak/{applicant.number}{path}", headers={"Cookie": "lacak=wrong"})
            assert answer.status_code == 404
            assert "Permohonan tidak ditemukan" in answer.text
            assert 'href="/lacak"' in answer.text
            assert "Rahmat" not in answer.text
            assert "set-cookie" not in answer.headers


async def test_the_page_escapes_submitted_text(intake: IntakeHarness):
    made = (await intake.submit(name="<script>alert(1)</script>", unit='"><i>')).json()
    async with intake.client(follow_redirects=True) as client:
        seen = await client.get(f"/lacak/{made['number']}?kunci={made['tracking_token']}")
        receipt = await client.get(f"/lacak/{made['number']}/diterima")
    assert seen.status_code == receipt.status_code == 200
    assert "<script" not in seen.text
    for page in (seen.text, receipt.text):
        assert "<script>" not in page
        assert '"><i>' not in page


@pytest.mark.parametrize("status", [status for status in story.PATHS if status is not Status.NEW])
async def test_the_page_names_the_next_step_at_every_status(status: Status):
    state = given(story.INTAKE, *story.PATHS[status])
    said = next_step_text(state, present_request(state, NOON.date()))
    assert said.endswith(".")
    assert "{" not in said
    assert (status in STEP_BY_STATUS) is (status not in (Status.REJECTED, Status.WITHDRAWN, Status.EXPIRED))


@pytest.mark.parametrize("status", ACTIONS)
async def test_each_status_offers_its_actions(intake: IntakeHarness, status: Status):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, *story.PATHS[status][1:])
    page = await tracking_page(intake, applicant)
    offered = re.findall(rf'<a class="btn[^"]*" href="/lacak/{applicant.number}/(\w+)"', page)
    assert offered == ACTIONS[status]


async def test_a_rejection_shows_its_reason_and_where_to_object(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, story.rejected)
    [box, *_] = re.findall('<section class="panel stack">(.+?)</section>', await tracking_page(intake, applicant), re.S)
    assert story.rejected.reason in box
    assert "Kepala Dinas" in box
    assert "lapor.go.id" in box


async def test_overdue_work_is_marked(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, *story.IN_PROGRESS[1:])
    intake.clock.advance(days=30)
    page = await tracking_page(intake, applicant)
    assert "Melewati Target" in page
    assert "sudah terlewati" in page


async def test_the_leads_address_is_shown_while_the_account_is_active(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, *story.ASSIGNED[1:])
    assert "mailto:" not in await tracking_page(intake, applicant)
    who = ("dewi", "Dewi Andaian", "dewi@kantor.example", (Role.TECHNICAL,), "kuda laut menari tenang")
    await intake.platform.identity.add_staff(*who)
    assert 'href="mailto:dewi@kantor.example"' in await tracking_page(intake, applicant)


async def test_the_steps_are_nouns_and_the_contact_is_always_there(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    page = await tracking_page(intake, applicant)
    steps = re.findall(r"<li[^>]*><span>([^<]+)</span></li>", page)
    assert steps == ["Pengajuan", "Verifikasi", "Penugasan", "Pengerjaan", "Serah terima", "Selesai"]
    assert '<li class="now" aria-current="step"><span>Verifikasi</span>' in page
    assert "Perlu bantuan?" in page
    assert "Sebutkan nomor registrasi Anda." in page


async def test_results_come_first_without_a_percentage_and_the_history_is_folded(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, *story.IN_PROGRESS[1:], story.progressed)
    assert "40%" in await tracking_page(intake, applicant)
    await intake.publish(applicant.id, story.completed)
    page = await tracking_page(intake, applicant)
    places = [page.index(words) for words in ("Hasil pekerjaan", "Apakah hasilnya sudah sesuai?", "<h2>Riwayat</h2>")]
    assert places == sorted(places)
    assert "40%" not in page
    shown, _, folded = page.partition("3 catatan sebelumnya")
    assert (shown.count("<time"), folded.count("<time")) == (3, 3)


async def test_the_receipt_has_a_code_to_scan_instead_of_the_key(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    page = await tracking_page(intake, applicant, "/diterima")
    assert '<svg role="img" aria-label="Kode QR tautan lacak"' in page
    assert applicant.token not in re.sub(r"<[^>]+>", "", page)
    assert 'data-do="copy"' in page
    assert " style=" not in page


async def test_the_receipt_shows_the_link_and_the_submitted_documents(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    page = await tracking_page(intake, applicant, "/diterima")
    assert intake.platform.tracking.link(applicant.id, applicant.number) in page
    assert 'data-do="print"' in page
    for document in (await applicant.get()).json()["documents"]:
        assert document["name"] in page
        assert f"{document['sha256'][:8]} ... {document['sha256'][-4:]}" in page


async def test_the_tracking_page_is_small_and_has_no_script(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, *story.DELIVERED[1:])
    page = await tracking_page(intake, applicant)
    sheet = FILES["applicants.css"].content
    mark = (ROOT / "shared/web/views/static/mark.svg").read_bytes()
    assert sum(len(gzip.compress(part)) for part in (page.encode(), sheet, mark)) < 15_000
    assert "<script" not in page


# Lost links


@pytest.mark.parametrize("path", ["/lacak/", "/lacak//"])
async def test_the_lost_link_page_redirects_a_trailing_slash(intake: IntakeHarness, path: str):
    async with intake.client() as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (308, "/lacak")


async def requests_with_link_requested(intake: IntakeHarness) -> set[str]:
    """Return the requests whose links were requested."""
    store = intake.service.runtime.store
    loaded = [await intake.service.runtime.executor.read(request_id) for request_id in await store.all_ids()]
    return {one.id for one in loaded if one and one.state.link_asked_at}


async def test_a_link_is_emailed_only_to_its_own_address(intake: IntakeHarness):
    applicant, other = await intake.new_applicant(), (await intake.submit(email="orang@lain.example")).json()
    async with intake.client() as client:
        lost = Browser(client)
        form = await lost.get("/lacak")
        answers = [
            await lost.send("/lacak", form, email=address) for address in ("Rahmat@Dishub.example", "x@y.example")
        ]
        assert [(one.status_code, one.headers["location"]) for one in answers] == [(303, "/lacak?dikirim")] * 2
        assert {name for one in answers for name in one.headers} == set(answers[0].headers)
        assert "Bila ada permohonan dengan alamat itu" in (await lost.get("/lacak?dikirim")).text
    assert await requests_with_link_requested(intake) == {applicant.id}
    assert other["id"] not in await requests_with_link_requested(intake)


async def test_an_invalid_address_is_shown_again(intake: IntakeHarness):
    async with intake.client() as client:
        lost = Browser(client)
        wrong = await lost.send("/lacak", await lost.get("/lacak"), email="rahmat@dishub")
        assert wrong.status_code == 422
        assert 'value="rahmat@dishub"' in wrong.text
        assert '<a href="#email">' in wrong.text


async def test_the_api_emails_links_and_reveals_no_more(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    async with intake.client() as client:
        for address in ("x@y.example", "RAHMAT@dishub.example"):
            answer = await client.post("/api/links", json={"email": address})
            assert (answer.status_code, answer.json()) == (200, {})
        assert (await client.post("/api/links", json={"email": "rahmat"})).status_code == 422
        assert (await client.post("/api/links", json={})).status_code == 422
    assert await requests_with_link_requested(intake) == {applicant.id}


async def test_links_of_the_ten_newest_requests_are_emailed_at_most_once_in_ten_minutes(intake: IntakeHarness):
    made = []
    for _ in range(11):
        made.append(await intake.new_applicant())
        intake.clock.advance(minutes=1)
    executor = intake.service.runtime.executor

    async def versions() -> list[int]:
        loaded = [await executor.read(one.id) for one in made]
        return [one.version for one in loaded if one]

    async with intake.client() as client:
        for minutes, expected in ((0, [1, *[2] * 10]), (9, [1, *[2] * 10]), (1, [1, *[3] * 10])):
            intake.clock.advance(minutes=minutes)
            await client.post("/api/links", json={"email": "rahmat@dishub.example"})
            assert await versions() == expected


async def test_a_request_is_found_by_its_corrected_address(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, story.returned_for(ChecklistItem.FORM))
    moved = await applicant.post("/resubmission", files=[("email", (None, "rahmat@pindah.example"))])
    assert moved.status_code == 200, moved.text
    code = intake.platform.tracking.contact_code(applicant.id, 1)
    async with intake.client() as client:
        await client.post("/api/links", json={"email": "rahmat@pindah.example"})
        assert await requests_with_link_requested(intake) == set(), "the address is not confirmed yet"
        confirmed = await applicant.post("/contact/confirmation", json={"change": 1, "code": code})
        assert confirmed.status_code == 200
        await client.post("/api/links", json={"email": "rahmat@dishub.example"})
        assert await requests_with_link_requested(intake) == set()
        await client.post("/api/links", json={"email": "rahmat@pindah.example"})
    assert await requests_with_link_requested(intake) == {applicant.id}
