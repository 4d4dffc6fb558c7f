"""The API of applicants: access to one request, its actions and its live stream."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from services.intake.domain import decisions, form, resubmission
from services.intake.errors import REFUSAL_MESSAGES
from shared.contracts.facts import ChecklistItem, DocumentKind
from shared.contracts.verification import ClaimReleased, RequestClaimed
from tests.support.domain import request_events as story
from tests.support.services.intake_harness import (
    FILES,
    FORM,
    PDF,
    ApplicantClient,
    IntakeHarness,
    errors,
    intake_harness,
    pdf_upload,
)


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[IntakeHarness]:
    async with intake_harness(tmp_path) as opened:
        yield opened


# Access


async def test_wrong_tokens_and_unknown_numbers_get_the_same_404(intake: IntakeHarness):
    mine, other = await intake.new_applicant(), await intake.new_applicant()
    strangers = [
        ApplicantClient(intake, mine.id, mine.number, "wrong"),
        ApplicantClient(intake, mine.id, other.number, mine.token),
        ApplicantClient(intake, mine.id, "INT-2026-999999", mine.token),
        ApplicantClient(intake, mine.id, mine.number, mine.token.lower()),
    ]
    reason = {"reason": "Tidak jadi."}
    calls = ("/withdrawal", "/answer", "/confirmation", "/objection", "/survey", "/resubmission")
    details = set()
    for stranger in strangers:
        answers = [await stranger.get(), await stranger.get(f"/documents/{mine.id}")]
        answers += [await stranger.post(path, json=reason) for path in calls]
        assert {answer.status_code for answer in answers} == {404}
        details |= {answer.json()["detail"] for answer in answers}
    assert len(details) == 1
    assert await mine.status() == await other.status() == "submitted"


async def test_a_missing_token_is_401(intake: IntakeHarness):
    mine = await intake.new_applicant()
    async with intake.client() as client:
        answer = await client.get(f"/api/requests/{mine.number}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_document_of_another_request_is_not_found(intake: IntakeHarness):
    mine, other = await intake.new_applicant(), await intake.new_applicant()
    document = (await other.get()).json()["documents"][0]["id"]
    assert (await mine.get(f"/documents/{document}")).status_code == 404
    assert (await other.get(f"/documents/{document}")).status_code == 200


# Idempotency


async def test_a_repeated_key_gets_the_first_response_and_keeps_one_set_of_files(intake: IntakeHarness):
    key = {"Idempotency-Key": "kiriman-1"}
    first = await intake.submit(headers=key)
    stored_before = intake.stored_documents
    again = await asyncio.gather(*(intake.submit(headers=key) for _ in range(5)))
    assert [answer.status_code for answer in again] == [201] * 5
    assert [answer.json() for answer in again] == [first.json()] * 5
    assert intake.stored_documents == stored_before
    assert (await intake.new_applicant()).number == "INT-2026-000002"


async def test_concurrent_submissions_with_one_key_make_one_request(intake: IntakeHarness):
    key = {"Idempotency-Key": "kiriman-2"}
    answers = await asyncio.gather(*(intake.submit(headers=key) for _ in range(10)))
    assert len({answer.text for answer in answers}) == 1
    assert len(intake.stored_documents) == 3


@pytest.mark.parametrize(
    "other", [{"name": "Orang Lain"}, {"files": (FILES[0], ("requirements", ("a.pdf", pdf_upload("lain"), PDF)))}]
)
async def test_the_same_key_with_another_form_is_refused(intake: IntakeHarness, other: dict[str, Any]):
    key = {"Idempotency-Key": "kiriman-3"}
    await intake.submit(headers=key)
    stored_before = intake.stored_documents
    answer = await intake.submit(headers=key, **other)
    assert answer.status_code == 422
    assert list(errors(answer)) == ["Idempotency-Key"]
    assert intake.stored_documents == stored_before


async def test_a_repeated_withdrawal_gets_its_first_response(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    key = {"Idempotency-Key": "batal"}
    first = await applicant.post("/withdrawal", key, json={"reason": "Tidak jadi."})
    again = await applicant.post("/withdrawal", key, json={"reason": "Tidak jadi."})
    other = await applicant.post("/withdrawal", key, json={"reason": "Alasan lain."})
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert first.json() == again.json()


async def test_one_of_fifty_concurrent_withdrawals_succeeds(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    answers = await asyncio.gather(*(applicant.post("/withdrawal", json={"reason": str(n)}) for n in range(50)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200] + [409] * 49
    lost = next(answer.json() for answer in answers if answer.status_code == 409)
    assert lost["current"]["status"] == "withdrawn"
    assert lost["current"]["version"] == 2
    assert "dibatalkan" in lost["detail"]
    assert len((await applicant.get()).json()["timeline"]) == 2


# Actions


async def delivered(intake: IntakeHarness) -> ApplicantClient:
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, story.verified, story.assigned, story.started, story.completed)
    return applicant


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/answer", {"text": "Sudah siap."}),
        ("/confirmation", None),
        ("/objection", {"reason": "Belum lengkap."}),
        ("/survey", {"answers": [3] * 9}),
    ],
)
async def test_an_action_at_another_status_is_refused(intake: IntakeHarness, path: str, body: dict[str, Any] | None):
    applicant = await intake.new_applicant()
    answer = await applicant.post(path, json=body) if body else await applicant.post(path)
    assert answer.status_code == 409
    assert answer.json()["current"] | {"at": ""} == {
        "status": "submitted",
        "version": 1,
        "by": "",
        "event": "RequestSubmitted",
        "at": "",
    }


async def test_a_resubmission_at_another_status_is_refused_and_leaves_no_file(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    stored_before = intake.stored_documents
    answer = await applicant.post("/resubmission", data={"name": "Rahmat Teladan"}, files=list(FILES))
    assert answer.status_code == 409
    assert intake.stored_documents == stored_before


async def test_a_returned_request_is_completed(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, story.returned)
    seen = (await applicant.get()).json()
    assert [item["item"] for item in seen["open_items"]] == ["letter"]
    old = seen["documents"][0]
    new = [("letter", ("Surat baru.pdf", pdf_upload("Surat baru"), PDF))]
    answer = await applicant.post("/resubmission", data={"letter_number": "500/2/DISHUB"}, files=new)
    assert answer.status_code == 200
    assert answer.json()["status"] == "submitted"
    seen = (await applicant.get()).json()
    assert (seen["round"], seen["letter_number"], seen["name"]) == (2, "500/2/DISHUB", "Rahmat Contoh")
    assert [document["round"] for document in seen["documents"]] == [1, 1, 2]
    assert (await applicant.get(f"/documents/{old['id']}")).status_code == 404


async def test_a_request_is_corrected_until_somebody_begins_to_check_it(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    no_file = [("letter", ("", b"", PDF))]
    unchanged = await applicant.patch(data={"position": FORM["position"]}, files=no_file)
    assert errors(unchanged) == {"": "Belum ada isian yang diubah. Ubah yang perlu diperbaiki, lalu simpan."}
    new = [("letter", ("Surat baru.pdf", pdf_upload("Surat baru"), PDF))]
    key = {"Idempotency-Key": "perbaikan-1"}
    answer = await applicant.patch(key, data={"position": "Arsiparis"}, files=new)
    assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (200, "submitted", 2)
    again = await applicant.patch(key, data={"position": "Arsiparis"}, files=new)
    assert again.json() == answer.json()
    assert (await applicant.patch(key, data={"position": "Lain sekali"}, files=new)).status_code == 422
    seen = (await applicant.get()).json()
    assert (seen["position"], seen["round"], seen["name"]) == ("Arsiparis", 1, FORM["name"])
    assert [document["name"] for document in seen["documents"]] == ["Kamus data.docx", "Alur.png", "Surat baru.pdf"]
    assert [line["event"] for line in seen["timeline"]] == ["RequestSubmitted", "RequestCorrected"]
    assert not seen["contact_unconfirmed"]
    moved = await applicant.patch(data={"email": "baru@dishub.example"}, files=no_file)
    assert (moved.status_code, (await applicant.get()).json()["contact_unconfirmed"]) == (200, True)
    bad = await applicant.patch(data={"email": "x", "colour": "red"}, files=no_file)
    assert set(errors(bad)) == {"email", "colour"}
    stored = intake.stored_documents
    claimed = RequestClaimed(round=1, officer=story.NURLAILA, by=story.NURLAILA)
    await intake.publish(applicant.id, claimed)
    late = await applicant.patch(data={"position": "Analis"}, files=new)
    assert (late.status_code, "mulai diperiksa petugas" in late.json()["detail"]) == (409, True)
    assert story.NURLAILA.name not in late.text
    await intake.publish(applicant.id, ClaimReleased(round=1, by=story.NURLAILA), story.returned)
    returned = await applicant.patch(data={"position": "Analis"}, files=new)
    assert (returned.status_code, "berstatus Perlu Dilengkapi" in returned.json()["detail"]) == (409, True)
    assert intake.stored_documents == stored


async def test_a_contact_is_changed_with_the_code_of_its_new_address(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    bad = await applicant.post("/contact", json={"email": "x", "phone": "1", "name": "Lain"})
    assert set(errors(bad)) == {"email", "phone", "name"}
    asked = await applicant.post("/contact", json={"email": "baru@dishub.example"})
    assert (asked.status_code, asked.json()["status"]) == (200, "submitted")
    code = intake.platform.tracking.contact_code(applicant.id, 1)
    wrong = await applicant.post("/contact/confirmation", json={"change": 1, "code": "x"})
    assert (wrong.status_code, "tidak berlaku" in wrong.json()["detail"]) == (403, True)
    confirmed = await applicant.post("/contact/confirmation", json={"change": 1, "code": code})
    assert confirmed.status_code == 200
    late = await applicant.post("/contact/confirmation", json={"change": 1, "code": code})
    assert (late.status_code, "tidak berlaku lagi" in late.json()["detail"]) == (409, True)
    assert "baru@dishub.example" not in (await applicant.get()).text


async def test_requirements_are_replaced_by_their_ids(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, story.returned_for(ChecklistItem.DOCUMENTS))
    documents = (await applicant.get()).json()["documents"]
    new = [("requirements", ("Kamus baru.pdf", pdf_upload("Kamus"), PDF))]
    replaces = [documents[1]["id"], documents[2]["id"]]
    assert (await applicant.post("/resubmission", data={"replaces": replaces}, files=new)).status_code == 200
    names = [document["name"] for document in (await applicant.get()).json()["documents"]]
    assert names == ["Surat permohonan.pdf", "Kamus baru.pdf"]


async def test_failed_items_must_be_addressed(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, story.returned_for(ChecklistItem.LETTER, ChecklistItem.DOCUMENTS))
    stored_before = intake.stored_documents
    answer = await applicant.post("/resubmission", data={"name": "Rahmat Teladan"}, files={"x": b""})
    assert errors(answer) == {"x": "Isian ini tidak dikenal."}
    new = [("letter", ("Surat baru.pdf", pdf_upload("Surat baru"), PDF))]
    answer = await applicant.post("/resubmission", data={"name": "Rahmat Teladan"}, files=new)
    assert answer.status_code == 422
    assert list(errors(answer)) == ["requirements"]
    answer = await applicant.post("/resubmission", data={"replaces": "unknown"}, files=new)
    assert "unknown" in errors(answer)["replaces"]
    assert intake.stored_documents == stored_before
    assert await applicant.status() == "returned"


async def test_a_new_employee_number_brings_its_own_warnings(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, story.returned_for(ChecklistItem.FORM))
    changed = {"employee_number": "198502302010011001"}
    nothing = [("letter", ("", b"", PDF))]
    assert (await applicant.post("/resubmission", data=changed, files=nothing)).status_code == 200
    assert [warning["code"] for warning in (await applicant.get()).json()["warnings"]] == ["birth_date"]


async def test_an_answer_resumes_the_work(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, story.verified, story.assigned, story.started, story.paused)
    seen = (await applicant.get()).json()
    assert (seen["status"], seen["question"], seen["lead"]) == ("on_hold", "Alamat server uji?", "Dewi Andaian")
    assert errors(await applicant.post("/answer", json={"text": "  "})) == {"text": "Wajib diisi."}
    answer = await applicant.post("/answer", json={"text": "Server uji sudah siap."})
    assert answer.json()["status"] == "in_progress"


async def test_a_delivery_is_confirmed_and_the_survey_answered_once(intake: IntakeHarness):
    applicant = await delivered(intake)
    assert (await applicant.post("/confirmation")).json()["status"] == "completed"
    assert (await applicant.get()).json()["survey_open"] is True
    marks = {"answers": [3, 3, 3, 4, 3, 3, 4, 3, 3], "comment": "Terima kasih."}
    assert (await applicant.post("/survey", json=marks)).status_code == 200
    again = await applicant.post("/survey", json=marks)
    assert again.status_code == 409
    assert "sudah diisi" in again.json()["detail"]
    assert (await applicant.get()).json()["survey_open"] is False


@pytest.mark.parametrize(
    "answers",
    [[3] * 8, [3] * 10, [0, *[3] * 8], [5, *[3] * 8], ["3", *[3] * 8], [True, *[3] * 8], [2.5, *[3] * 8], "3"],
)
async def test_a_survey_needs_nine_whole_numbers(intake: IntakeHarness, answers: Any):
    applicant = await delivered(intake)
    await applicant.post("/confirmation")
    answer = await applicant.post("/survey", json={"answers": answers})
    assert answer.status_code == 422
    assert all(field.startswith("answers") for field in errors(answer))


async def test_a_closed_survey_is_refused(intake: IntakeHarness):
    applicant = await delivered(intake)
    await applicant.post("/confirmation")
    intake.clock.advance(days=15)
    answer = await applicant.post("/survey", json={"answers": [3] * 9})
    assert answer.status_code == 409
    assert "ditutup" in answer.json()["detail"]


async def test_an_objection_reopens_the_work(intake: IntakeHarness):
    applicant = await delivered(intake)
    answer = await applicant.post("/objection", json={"reason": "Hasil uji belum ada."})
    assert answer.json()["status"] == "in_progress"
    assert (await applicant.post("/confirmation", json={})).status_code == 409


@pytest.mark.parametrize("path", ["/withdrawal", "/answer", "/objection", "/survey", "/confirmation"])
async def test_an_unknown_field_or_broken_json_is_refused(intake: IntakeHarness, path: str):
    applicant = await intake.new_applicant()
    whole = {"reason": "a", "text": "a", "answers": [3] * 9, "status": "completed"}
    answer = await applicant.post(path, json=whole)
    assert answer.status_code == 422
    assert errors(answer)["status"] == "Isian ini tidak dikenal."
    json_type = {"Content-Type": "application/json"}
    assert (await applicant.post(path, json_type, content=b"{")).status_code == 400
    operator = await applicant.post(path, json={"reason": {"$ne": ""}, "text": {"$ne": ""}, "answers": {"$gt": 0}})
    assert operator.status_code == 422


# Live stream


async def test_the_live_stream_reports_only_the_applicants_own_request(intake: IntakeHarness):
    mine, other = await intake.new_applicant(), await intake.new_applicant()
    received: list[dict[str, Any]] = []
    listening = asyncio.create_task(_listen(intake, mine, received))
    await asyncio.sleep(0.2)
    await other.post("/withdrawal", json={"reason": "Tidak jadi."})
    await mine.post("/withdrawal", json={"reason": "Tidak jadi."})
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            await listening
    assert received == [
        {"id": mine.id, "version": 2, "number": mine.number, "status": "withdrawn", "label": "Dibatalkan Pemohon"}
    ]


async def _listen(intake: IntakeHarness, applicant: ApplicantClient, received: list[dict[str, Any]]) -> None:
    """Read the stream until the first event; the transport of httpx would wait for its end."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/intake/live",
        "raw_path": b"/api/intake/live",
        "query_string": f"number={applicant.number}".encode(),
        "headers": [(b"authorization", f"Bearer {applicant.token}".encode())],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }
    over = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        for line in message.get("body", b"").decode().splitlines():
            if line.startswith("data: "):
                received.append(json.loads(line.removeprefix("data: ")))
                over.set()

    await intake.app(scope, receive, send)


async def test_the_live_stream_needs_the_tracking_token(intake: IntakeHarness):
    mine = await intake.new_applicant()
    async with intake.client() as client:
        address = f"/api/intake/live?number={mine.number}"
        assert (await client.get(address)).status_code == 401
        assert (await client.get(address, headers={"Authorization": "Bearer wrong"})).status_code == 404


# Refusal messages


def test_every_refusal_has_a_message():
    sources = [Path(module.__file__ or "").read_text() for module in (decisions, form, resubmission)]
    codes = set(re.findall(r'Refusal\("(\w+)"', "".join(sources))) | {"letters_many", "reason_missing", "text_missing"}
    assert codes - {"not_due"} <= REFUSAL_MESSAGES.keys()
    assert {kind.value for kind in DocumentKind} >= {"letter", "requirement"}


def test_the_forms_are_in_the_openapi_document(intake: IntakeHarness):
    described = intake.app.openapi()["paths"]
    body = described["/api/requests"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(body["required"]) >= {"name", "employee_number", "letter", "requirements"}
    assert "phone" not in body["required"]
    assert "201" in described["/api/requests"]["post"]["responses"]
