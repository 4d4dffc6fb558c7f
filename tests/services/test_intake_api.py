"""Applicants over HTTP: what they send, what they are told, and that nothing is half-done when it is refused."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.intake import domain, form, resubmission
from services.intake.api import SENTENCES
from services.intake.pages import shown
from services.intake.queries import tracked
from shared.contracts.course import Status
from shared.contracts.facts import ChecklistItem, DocumentKind
from shared.documents.media_types import safe_name
from tests.domain import intake_story as story
from tests.domain.given import NOON, given
from tests.services.intake_ground import (
    DIAGRAM,
    DICTIONARY,
    DOCX,
    FILES,
    LETTER,
    PDF,
    Applicant,
    File,
    Ground,
    a_pdf,
    ground,
    named,
)

MIB = 1024 * 1024


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as opened:
        yield opened


def errors(answer: httpx.Response) -> dict[str, str]:
    """The sentences of a refusal by field."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


async def nothing_happened(intake: Ground) -> bool:
    return not intake.stored and await intake.intake.runtime.store.greatest("number", "") is None


# A request is sent


async def test_a_request_gets_the_first_number_of_the_year_and_a_key(intake: Ground):
    answer = await intake.submit()
    assert answer.status_code == 201
    made = answer.json()
    assert made["number"] == "INT-2026-000001"
    assert (made["status"], made["version"], made["warnings"]) == ("submitted", 1, [])
    assert len(made["tracking_token"]) == 43
    assert set(made) == {"id", "number", "status", "version", "tracking_token", "warnings"}


async def test_the_applicant_sees_what_was_sent_and_gets_every_document_back_unchanged(intake: Ground):
    applicant = await intake.submitted()
    seen = (await applicant.get()).json()
    assert (seen["id"], seen["status"], seen["round"], seen["overdue"]) == (applicant.id, "submitted", 1, False)
    assert seen["employee_number"] == "198502** ****** * ***"
    assert [line["event"] for line in seen["timeline"]] == ["RequestSubmitted"]
    kinds = [(document["kind"], document["media_type"]) for document in seen["documents"]]
    assert kinds == [("letter", PDF), ("requirement", DOCX), ("requirement", "image/png")]
    for document, content in zip(seen["documents"], (LETTER, DICTIONARY, DIAGRAM), strict=True):
        sent = await applicant.get(f"/documents/{document['id']}")
        assert sent.content == content
        assert document["sha256"] == hashlib.sha256(content).hexdigest()
        assert sent.headers["content-disposition"].startswith("attachment;")
        assert sent.headers["x-content-type-options"] == "nosniff"
        assert sent.headers["cache-control"] == "no-store"


async def test_an_odd_employee_number_is_taken_with_warnings(intake: Ground):
    answer = await intake.submit(employee_number="198502302010131003")
    assert answer.status_code == 201
    codes = [warning["code"] for warning in answer.json()["warnings"]]
    assert codes == ["birth_date", "month_or_contract"]
    assert all(warning["message"].endswith(".") for warning in answer.json()["warnings"])


async def test_a_unit_that_is_not_on_the_list_is_taken(intake: Ground):
    async with intake.client() as client:
        offered = (await client.get("/api/units")).json()["items"]
    assert {"code", "name", "abbreviation", "active"} == set(offered[0])
    assert len(offered) == len({unit["code"] for unit in offered}) == 39
    assert (await intake.submit(unit="Lainnya: Puskesmas Subaim")).status_code == 201


async def test_fifty_requests_at_once_get_fifty_numbers_without_a_hole(intake: Ground):
    answers = await asyncio.gather(*(intake.submit() for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    expected = [f"INT-2026-{count:06d}" for count in range(1, 51)]
    assert sorted(answer.json()["number"] for answer in answers) == expected
    assert len({answer.json()["tracking_token"] for answer in answers}) == 50


async def test_numbers_begin_again_with_the_year_in_halmahera_timur(intake: Ground):
    await intake.submitted()
    intake.clock.now = intake.clock.now.replace(month=12, day=31, hour=14, minute=59)
    assert (await intake.submitted()).number == "INT-2026-000002"
    intake.clock.go_on(minutes=1)
    assert (await intake.submitted()).number == "INT-2027-000001"


# What is refused, and why


@pytest.mark.parametrize(
    "field",
    ["name", "employee_number", "unit", "position", "description", "scope", "email", "letter_number", "letter_date"],
)
@pytest.mark.parametrize("sent", [None, "", " \t "])
async def test_a_field_that_is_missing_is_named(intake: Ground, field: str, sent: Any):
    answer = await intake.submit(**{field: sent})
    assert answer.status_code == 422
    assert errors(answer) == {field: "Wajib diisi."}
    assert await nothing_happened(intake)


async def test_a_phone_number_may_be_left_out(intake: Ground):
    assert (await intake.submit(phone=None)).status_code == 201


@pytest.mark.parametrize(
    ("files", "field"), [(FILES[1:], "letter"), (FILES[:1], "requirements")], ids=["no letter", "no requirements"]
)
async def test_a_file_that_is_missing_is_named(intake: Ground, files: Sequence[File], field: str):
    answer = await intake.submit(files)
    assert answer.status_code == 422
    assert errors(answer) == {field: "Berkas wajib diunggah."}
    assert await nothing_happened(intake)


async def test_everything_that_is_wrong_is_told_at_once(intake: Ground):
    answer = await intake.submit(
        named("program.pdf", b"MZ\x90\x00"), name="R", employee_number="131110468", email="x", extra="1", scope="both"
    )
    assert answer.status_code == 422
    assert set(errors(answer)) == {"name", "employee_number", "email", "scope", "extra", "requirements"}
    assert await nothing_happened(intake)


@pytest.mark.parametrize(
    ("field", "sent", "told"),
    [
        ("employee_number", "19850214201001100", "terdiri atas 18 angka. Sekarang 17"),
        ("employee_number", "1985021420100110011", "Sekarang 19"),
        ("employee_number", "131110468", "NIP lama"),
        ("employee_number", "١٩٨٥٠٢١٤٢٠١٠٠١١٠٠١", "hanya memuat angka 0 sampai 9"),
        ("employee_number", "१९८५०२१४२०१००११००१", "hanya memuat angka 0 sampai 9"),
        ("employee_number", "19850214201001100A", "hanya memuat angka 0 sampai 9"),
        ("email", "rahmat", "tidak dikenali"),
        ("email", "rahmat@dishub.example\r\nBcc: semua@dinas.example", "ganti baris"),
        ("email", "rahmat@dishub.example\nBcc: semua@dinas.example", "ganti baris"),
        ("email", "a@dinas.example, b@dinas.example", "tidak dikenali"),
        ("letter_date", "2026-11-24", "melewati hari ini"),
        ("letter_date", "20 November 2026", "tahun-bulan-hari"),
        ("letter_date", "2026-02-30", "tahun-bulan-hari"),
        ("scope", "network", "Pilih salah satu"),
        ("name", "R", "paling sedikit 2 huruf"),
        ("name", "R" * 5000, "paling banyak 200 huruf"),
        ("name", "Rahmat\r\nBcc: x", "ganti baris"),
        ("name", "Rahmat\x00", "karakter kendali"),
        ("name", "\u200b\u200b\u200b", "Tulis paling sedikit 2 huruf"),
        ("unit", "U" * 201, "paling banyak 200 huruf"),
        ("position", "P" * 201, "paling banyak 200 huruf"),
        ("description", "Terlalu pendek", "paling sedikit 20 huruf"),
        ("description", "x" * 5001, "paling banyak 5000 huruf"),
        ("letter_number", "9" * 101, "paling banyak 100 huruf"),
        ("phone", "bukan nomor", "8 sampai 20 angka"),
        ("phone", "0812", "8 sampai 20 angka"),
        ("phone", "0" * 21, "8 sampai 20 angka"),
        ("status", "verified", "tidak dikenal"),
        ("number", "INT-2026-000009", "tidak dikenal"),
    ],
)
async def test_a_bad_field_is_refused_with_a_sentence(intake: Ground, field: str, sent: Any, told: str):
    answer = await intake.submit(**{field: sent})
    assert answer.status_code == 422
    assert list(errors(answer)) == [field]
    assert told in errors(answer)[field]
    assert await nothing_happened(intake)


def a_zip_bomb() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("isi.txt", bytes(200 * MIB))
    return written.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("surat.pdf", b"MZ\x90\x00\x03" + bytes(200), "program"),
        ("surat.exe", LETTER, "program"),
        ("halaman.html", b"<!doctype html><script>alert(1)</script>", "HTML"),
        ("halaman.pdf", b"<html><body>surat</body></html>", "HTML"),
        ("gambar.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        ("gambar.png", b'<?xml version="1.0"?><svg/>', "SVG"),
        ("kosong.pdf", b"", "kosong"),
        ("surat.png", LETTER, "PDF"),
        ("surat", LETTER, "tidak diterima"),
        ("catatan.txt", b"catatan", "tidak diterima"),
        ("arsip.zip", a_zip_bomb(), ""),
    ],
)
@pytest.mark.parametrize("place", ["letter", "requirements"])
async def test_a_file_that_is_no_document_is_refused(intake: Ground, name: str, content: bytes, told: str, place: str):
    answer = await intake.submit(named(name, content, place))
    assert answer.status_code == 415
    assert told in errors(answer)[place]
    assert await nothing_happened(intake)


async def test_thirty_files_are_too_many(intake: Ground):
    requirements = [("requirements", (f"{count}.pdf", LETTER, PDF)) for count in range(30)]
    answer = await intake.submit([FILES[0], *requirements])
    assert answer.status_code == 422
    assert "terlalu banyak" in answer.json()["detail"]
    assert await nothing_happened(intake)


async def test_eleven_requirements_are_one_too_many_and_two_letters_as_well(intake: Ground):
    requirements = [("requirements", (f"{count}.pdf", LETTER, PDF)) for count in range(11)]
    answer = await intake.submit([FILES[0], FILES[0], *requirements])
    assert answer.status_code == 422
    assert errors(answer) == {
        "letter": "Unggah paling banyak 1 berkas. Sekarang 2.",
        "requirements": "Unggah paling banyak 10 berkas. Sekarang 11.",
    }
    assert await nothing_happened(intake)


async def test_a_file_over_the_limit_is_too_large(tmp_path: Path):
    async with ground(tmp_path, file_limit=MIB, body_limit=4 * MIB) as intake:
        answer = await intake.submit(named("besar.pdf", LETTER + bytes(MIB)))
        assert answer.status_code == 413
        assert "1 MiB" in answer.json()["detail"]
        answer = await intake.submit(named("sangat besar.pdf", LETTER + bytes(4 * MIB)))
        assert answer.status_code == 413
        assert await nothing_happened(intake)


async def test_a_form_as_json_is_no_form(intake: Ground):
    async with intake.client() as client:
        assert (await client.post("/api/requests", json={"name": "Rahmat"})).status_code == 415
        broken = {"Content-Type": "multipart/form-data; boundary=x"}
        assert (await client.post("/api/requests", content=b"--y\r\n", headers=broken)).status_code in (400, 422)
    assert await nothing_happened(intake)


@pytest.mark.parametrize(
    "raw",
    [
        "../../etc/passwd.pdf",
        "..\\..\\windows\\surat.pdf",
        "surat\r\nSet-Cookie: a=b.pdf",
        "surat\u202efdp.pdf",
        "surat\x00.pdf",
        "x" * 3000 + ".pdf",
        '"; filename=a.html; x=".pdf',
        "<img src=x onerror=alert(1)>.pdf",
        "Surat permohonan é 中.pdf",
    ],
)
async def test_a_name_that_would_mislead_is_made_harmless(intake: Ground, raw: str):
    made = (await intake.submit(named(raw, LETTER))).json()
    applicant = Applicant(intake, made["id"], made["number"], made["tracking_token"])
    document = (await applicant.get()).json()["documents"][1]
    assert document["name"].endswith(".pdf")
    assert document["name"] == safe_name(document["name"])
    assert len(document["name"]) <= 120
    assert not set(document["name"]) & set('/\\\r\n\0<>"\u202e')
    headers = (await applicant.get(f"/documents/{document['id']}")).headers
    assert "set-cookie" not in headers
    assert headers["content-disposition"].startswith("attachment; filename=")


async def test_a_name_longer_than_a_part_of_a_form_may_say_is_refused(intake: Ground):
    answer = await intake.submit(named("x" * 5000 + ".pdf", LETTER))
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"].endswith(".")
    assert await nothing_happened(intake)


async def test_marks_that_turn_text_around_do_not_stay_in_a_name(intake: Ground):
    made = (await intake.submit(name="Rahmat \u202eContoh\u200b")).json()
    applicant = Applicant(intake, made["id"], made["number"], made["tracking_token"])
    assert (await applicant.get()).json()["name"] == "Rahmat Contoh"


# Whose request it is


async def test_a_wrong_token_somebody_elses_number_and_no_number_are_the_same_404(intake: Ground):
    mine, other = await intake.submitted(), await intake.submitted()
    strangers = [
        Applicant(intake, mine.id, mine.number, "wrong"),
        Applicant(intake, mine.id, other.number, mine.token),
        Applicant(intake, mine.id, "INT-2026-999999", mine.token),
        Applicant(intake, mine.id, mine.number, mine.token.lower()),
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


async def test_without_a_token_one_is_asked_for_it(intake: Ground):
    mine = await intake.submitted()
    async with intake.client() as client:
        answer = await client.get(f"/api/requests/{mine.number}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_document_of_another_request_is_not_found(intake: Ground):
    mine, other = await intake.submitted(), await intake.submitted()
    document = (await other.get()).json()["documents"][0]["id"]
    assert (await mine.get(f"/documents/{document}")).status_code == 404
    assert (await other.get(f"/documents/{document}")).status_code == 200


# The same call twice


async def test_the_same_key_with_the_same_form_gets_the_first_answer_and_keeps_one_set_of_files(intake: Ground):
    key = {"Idempotency-Key": "kiriman-1"}
    first = await intake.submit(headers=key)
    kept = intake.stored
    again = await asyncio.gather(*(intake.submit(headers=key) for _ in range(5)))
    assert [answer.status_code for answer in again] == [201] * 5
    assert [answer.json() for answer in again] == [first.json()] * 5
    assert intake.stored == kept
    assert (await intake.submitted()).number == "INT-2026-000002"


async def test_the_same_key_sent_at_once_makes_one_request(intake: Ground):
    key = {"Idempotency-Key": "kiriman-2"}
    answers = await asyncio.gather(*(intake.submit(headers=key) for _ in range(10)))
    assert len({answer.text for answer in answers}) == 1
    assert len(intake.stored) == 3


@pytest.mark.parametrize(
    "other", [{"name": "Orang Lain"}, {"files": (FILES[0], ("requirements", ("a.pdf", a_pdf("lain"), PDF)))}]
)
async def test_the_same_key_with_another_form_is_refused(intake: Ground, other: dict[str, Any]):
    key = {"Idempotency-Key": "kiriman-3"}
    await intake.submit(headers=key)
    kept = intake.stored
    answer = await intake.submit(headers=key, **other)
    assert answer.status_code == 422
    assert list(errors(answer)) == ["Idempotency-Key"]
    assert intake.stored == kept


async def test_a_withdrawal_repeated_with_its_key_gets_its_first_answer(intake: Ground):
    applicant = await intake.submitted()
    key = {"Idempotency-Key": "batal"}
    first = await applicant.post("/withdrawal", key, json={"reason": "Tidak jadi."})
    again = await applicant.post("/withdrawal", key, json={"reason": "Tidak jadi."})
    other = await applicant.post("/withdrawal", key, json={"reason": "Alasan lain."})
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert first.json() == again.json()


async def test_of_fifty_withdrawals_at_once_one_wins_and_the_others_hear_of_it(intake: Ground):
    applicant = await intake.submitted()
    answers = await asyncio.gather(*(applicant.post("/withdrawal", json={"reason": str(n)}) for n in range(50)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200] + [409] * 49
    lost = next(answer.json() for answer in answers if answer.status_code == 409)
    assert lost["current"]["status"] == "withdrawn"
    assert lost["current"]["version"] == 2
    assert "dibatalkan" in lost["detail"]
    assert len((await applicant.get()).json()["timeline"]) == 2


# Later steps


async def delivered(intake: Ground) -> Applicant:
    applicant = await intake.submitted()
    await intake.tell(applicant.id, story.verified, story.assigned, story.started, story.completed)
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
async def test_a_step_out_of_order_is_refused(intake: Ground, path: str, body: dict[str, Any] | None):
    applicant = await intake.submitted()
    answer = await applicant.post(path, json=body) if body else await applicant.post(path)
    assert answer.status_code == 409
    assert answer.json()["current"] | {"at": ""} == {
        "status": "submitted",
        "version": 1,
        "by": "",
        "event": "RequestSubmitted",
        "at": "",
    }


async def test_a_resubmission_out_of_order_is_refused_and_leaves_no_file(intake: Ground):
    applicant = await intake.submitted()
    kept = intake.stored
    answer = await applicant.post("/resubmission", data={"name": "Rahmat Teladan"}, files=list(FILES))
    assert answer.status_code == 409
    assert intake.stored == kept


async def test_a_returned_request_is_completed_with_what_was_asked_for(intake: Ground):
    applicant = await intake.submitted()
    await intake.tell(applicant.id, story.returned)
    seen = (await applicant.get()).json()
    assert [item["item"] for item in seen["open_items"]] == ["letter"]
    old = seen["documents"][0]
    new = [("letter", ("Surat baru.pdf", a_pdf("Surat baru"), PDF))]
    answer = await applicant.post("/resubmission", data={"letter_number": "500/2/DISHUB"}, files=new)
    assert answer.status_code == 200
    assert answer.json()["status"] == "submitted"
    seen = (await applicant.get()).json()
    assert (seen["round"], seen["letter_number"], seen["name"]) == (2, "500/2/DISHUB", "Rahmat Contoh")
    assert [document["round"] for document in seen["documents"]] == [1, 1, 2]
    assert (await applicant.get(f"/documents/{old['id']}")).status_code == 404


async def test_requirements_are_replaced_by_their_ids(intake: Ground):
    applicant = await intake.submitted()
    await intake.tell(applicant.id, story.returned_for(ChecklistItem.DOCUMENTS))
    documents = (await applicant.get()).json()["documents"]
    new = [("requirements", ("Kamus baru.pdf", a_pdf("Kamus"), PDF))]
    replaces = [documents[1]["id"], documents[2]["id"]]
    assert (await applicant.post("/resubmission", data={"replaces": replaces}, files=new)).status_code == 200
    names = [document["name"] for document in (await applicant.get()).json()["documents"]]
    assert names == ["Surat permohonan.pdf", "Kamus baru.pdf"]


async def test_what_was_asked_for_must_be_attended_to(intake: Ground):
    applicant = await intake.submitted()
    await intake.tell(applicant.id, story.returned_for(ChecklistItem.LETTER, ChecklistItem.DOCUMENTS))
    kept = intake.stored
    answer = await applicant.post("/resubmission", data={"name": "Rahmat Teladan"}, files={"x": b""})
    assert errors(answer) == {"x": "Isian ini tidak dikenal."}
    new = [("letter", ("Surat baru.pdf", a_pdf("Surat baru"), PDF))]
    answer = await applicant.post("/resubmission", data={"name": "Rahmat Teladan"}, files=new)
    assert answer.status_code == 422
    assert list(errors(answer)) == ["requirements"]
    answer = await applicant.post("/resubmission", data={"replaces": "unknown"}, files=new)
    assert "unknown" in errors(answer)["replaces"]
    assert intake.stored == kept
    assert await applicant.status() == "returned"


async def test_a_new_employee_number_brings_its_own_warnings(intake: Ground):
    applicant = await intake.submitted()
    await intake.tell(applicant.id, story.returned_for(ChecklistItem.FORM))
    changed = {"employee_number": "198502302010011001"}
    nothing = [("letter", ("", b"", PDF))]
    assert (await applicant.post("/resubmission", data=changed, files=nothing)).status_code == 200
    assert [warning["code"] for warning in (await applicant.get()).json()["warnings"]] == ["birth_date"]


async def test_an_answer_resumes_the_work(intake: Ground):
    applicant = await intake.submitted()
    await intake.tell(applicant.id, story.verified, story.assigned, story.started, story.paused)
    seen = (await applicant.get()).json()
    assert (seen["status"], seen["question"], seen["lead"]) == ("on_hold", "Alamat server uji?", "Dewi Andaian")
    assert errors(await applicant.post("/answer", json={"text": "  "})) == {"text": "Wajib diisi."}
    answer = await applicant.post("/answer", json={"text": "Server uji sudah siap."})
    assert answer.json()["status"] == "in_progress"


async def test_a_delivery_is_confirmed_and_the_survey_answered_once(intake: Ground):
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
async def test_a_survey_takes_nine_whole_marks(intake: Ground, answers: Any):
    applicant = await delivered(intake)
    await applicant.post("/confirmation")
    answer = await applicant.post("/survey", json={"answers": answers})
    assert answer.status_code == 422
    assert all(field.startswith("answers") for field in errors(answer))


async def test_a_survey_closes(intake: Ground):
    applicant = await delivered(intake)
    await applicant.post("/confirmation")
    intake.clock.go_on(days=15)
    answer = await applicant.post("/survey", json={"answers": [3] * 9})
    assert answer.status_code == 409
    assert "ditutup" in answer.json()["detail"]


async def test_an_objection_sends_the_work_back(intake: Ground):
    applicant = await delivered(intake)
    answer = await applicant.post("/objection", json={"reason": "Hasil uji belum ada."})
    assert answer.json()["status"] == "in_progress"
    assert (await applicant.post("/confirmation", json={})).status_code == 409


@pytest.mark.parametrize("path", ["/withdrawal", "/answer", "/objection", "/survey", "/confirmation"])
async def test_an_unknown_field_or_broken_json_is_refused(intake: Ground, path: str):
    applicant = await intake.submitted()
    whole = {"reason": "a", "text": "a", "answers": [3] * 9, "status": "completed"}
    answer = await applicant.post(path, json=whole)
    assert answer.status_code == 422
    assert errors(answer)["status"] == "Isian ini tidak dikenal."
    json_type = {"Content-Type": "application/json"}
    assert (await applicant.post(path, json_type, content=b"{")).status_code == 400
    operator = await applicant.post(path, json={"reason": {"$ne": ""}, "text": {"$ne": ""}, "answers": {"$gt": 0}})
    assert operator.status_code == 422


# Being told at once


async def test_the_applicant_hears_at_once_of_this_request_alone(intake: Ground):
    mine, other = await intake.submitted(), await intake.submitted()
    heard: list[dict[str, Any]] = []
    listening = asyncio.create_task(_listen(intake, mine, heard))
    await asyncio.sleep(0.2)
    await other.post("/withdrawal", json={"reason": "Tidak jadi."})
    await mine.post("/withdrawal", json={"reason": "Tidak jadi."})
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            await listening
    assert heard == [{"id": mine.id, "version": 2, "number": mine.number, "status": "withdrawn"}]


async def _listen(intake: Ground, applicant: Applicant, heard: list[dict[str, Any]]) -> None:
    """Read the stream until one event has come; httpx's transport would wait for the end."""
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
                heard.append(json.loads(line.removeprefix("data: ")))
                over.set()

    await intake.app(scope, receive, send)


async def test_whoever_has_no_key_hears_nothing(intake: Ground):
    mine = await intake.submitted()
    async with intake.client() as client:
        address = f"/api/intake/live?number={mine.number}"
        assert (await client.get(address)).status_code == 401
        assert (await client.get(address, headers={"Authorization": "Bearer wrong"})).status_code == 404


# The page behind the link


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


# Words for every refusal


def test_every_refusal_of_intake_has_its_sentence():
    sources = [Path(module.__file__ or "").read_text() for module in (domain, form, resubmission)]
    codes = set(re.findall(r'Refusal\("(\w+)"', "".join(sources))) | {"letters_many", "reason_missing", "text_missing"}
    assert codes - {"not_due"} <= SENTENCES.keys()
    assert {kind.value for kind in DocumentKind} >= {"letter", "requirement"}


def test_the_forms_are_described(intake: Ground):
    described = intake.app.openapi()["paths"]
    body = described["/api/requests"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(body["required"]) >= {"name", "employee_number", "letter", "requirements"}
    assert "phone" not in body["required"]
    assert "201" in described["/api/requests"]["post"]["responses"]
