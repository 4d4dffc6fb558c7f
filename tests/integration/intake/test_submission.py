"""Submissions over the API: numbers, tokens and warnings, and that a refused one has no effect."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from shared.documents.file_names import safe_name
from tests.support.services.intake_harness import (
    DIAGRAM,
    DICTIONARY,
    DOCX,
    FILES,
    FORM,
    LETTER,
    PDF,
    ApplicantClient,
    File,
    IntakeHarness,
    errors,
    files_with,
    intake_harness,
    nothing_is_stored,
)


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[IntakeHarness]:
    async with intake_harness(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[IntakeHarness]:
    """An application shared by all refused submissions, which leave nothing behind."""
    async with intake_harness(tmp_path_factory.mktemp("refusing")) as opened:
        yield opened


MIB = 1024 * 1024


# Accepted submissions


async def test_a_request_gets_a_registration_number_and_a_tracking_token(intake: IntakeHarness):
    answer = await intake.submit()
    assert answer.status_code == 201
    made = answer.json()
    assert made["number"] == "INT-2026-000001"
    assert (made["status"], made["version"], made["warnings"]) == ("submitted", 1, [])
    assert len(made["tracking_token"]) == 43
    assert set(made) == {"id", "number", "status", "version", "tracking_token", "warnings"}


async def test_the_applicant_can_read_the_form_and_download_the_documents(intake: IntakeHarness):
    applicant = await intake.new_applicant()
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


async def test_an_implausible_employee_number_is_accepted_with_warnings(intake: IntakeHarness):
    answer = await intake.submit(employee_number="198502302010131003")
    assert answer.status_code == 201
    codes = [warning["code"] for warning in answer.json()["warnings"]]
    assert codes == ["birth_date", "month_or_contract"]
    assert all(warning["message"].endswith(".") for warning in answer.json()["warnings"])


async def test_an_unlisted_unit_is_accepted(intake: IntakeHarness):
    async with intake.client() as client:
        offered = (await client.get("/api/units")).json()["items"]
    assert {"code", "name", "abbreviation", "active"} == set(offered[0])
    assert len(offered) == len({unit["code"] for unit in offered}) == 39
    assert (await intake.submit(unit="Lainnya: Puskesmas Subaim")).status_code == 201


async def test_fifty_concurrent_requests_get_consecutive_numbers(intake: IntakeHarness):
    answers = await asyncio.gather(*(intake.submit() for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    expected = [f"INT-2026-{count:06d}" for count in range(1, 51)]
    assert sorted(answer.json()["number"] for answer in answers) == expected
    assert len({answer.json()["tracking_token"] for answer in answers}) == 50


async def test_numbers_go_on_after_the_millionth_of_a_year(intake: IntakeHarness):
    for count in (999_998, 999_999, *range(1_000_000, 1_000_006)):
        await intake.store_legacy_request(f"INT-2026-{count}")
    assert [(await intake.new_applicant()).number for _ in range(2)] == ["INT-2026-1000006", "INT-2026-1000007"]


async def test_numbers_restart_with_the_year_in_halmahera_timur(intake: IntakeHarness):
    await intake.new_applicant()
    intake.clock.now = intake.clock.now.replace(month=12, day=31, hour=14, minute=59)
    assert (await intake.new_applicant()).number == "INT-2026-000002"
    intake.clock.advance(minutes=1)
    assert (await intake.new_applicant()).number == "INT-2027-000001"


# Refused submissions


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "field",
    ["name", "employee_number", "unit", "position", "description", "scope", "email", "letter_number", "letter_date"],
)
@pytest.mark.parametrize("sent", [None, "", " \t "])
async def test_a_missing_field_is_named(refusing: IntakeHarness, field: str, sent: Any):
    answer = await refusing.submit(**{field: sent})
    assert answer.status_code == 422
    assert errors(answer) == {field: "Wajib diisi."}
    assert await nothing_is_stored(refusing)


async def test_the_phone_number_is_optional(intake: IntakeHarness):
    assert (await intake.submit(phone=None)).status_code == 201


@pytest.mark.parametrize(
    ("files", "field"), [(FILES[1:], "letter"), (FILES[:1], "requirements")], ids=["no letter", "no requirements"]
)
async def test_a_missing_file_is_named(intake: IntakeHarness, files: Sequence[File], field: str):
    answer = await intake.submit(files)
    assert answer.status_code == 422
    assert errors(answer) == {field: "Wajib diunggah."}
    assert await nothing_is_stored(intake)


async def test_all_errors_are_reported_at_once(intake: IntakeHarness):
    answer = await intake.submit(
        files_with("program.pdf", b"MZ\x90\x00"),
        name="R",
        employee_number="131110468",
        email="x",
        extra="1",
        scope="both",
        letter_date="2026-11-24",
    )
    assert answer.status_code == 422
    assert set(errors(answer)) == {"name", "employee_number", "email", "scope", "letter_date", "extra", "requirements"}
    assert await nothing_is_stored(intake)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("field", "sent", "message"),
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
        ("letter_date", "0026-11-02", "sebelum tahun 2000"),
        ("letter_date", "1999-12-31", "sebelum tahun 2000"),
        ("letter_date", "\uff12\uff10\uff12\uff16-11-02", "tahun-bulan-hari"),
        ("letter_date", "\u0662\u0660\u0662\u0666-11-02", "tahun-bulan-hari"),
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
async def test_an_invalid_field_is_refused_with_a_message(refusing: IntakeHarness, field: str, sent: Any, message: str):
    answer = await refusing.submit(**{field: sent})
    assert answer.status_code == 422
    assert list(errors(answer)) == [field]
    assert message in errors(answer)[field]
    assert await nothing_is_stored(refusing)


def a_zip_bomb() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("isi.txt", bytes(200 * MIB))
    return written.getvalue()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("surat.pdf", b"MZ\x90\x00\x03" + bytes(200), "program"),
        ("surat.exe", LETTER, "program"),
        ("halaman.html", b"<!doctype html><script>alert(1)</script>", "HTML"),
        ("halaman.pdf", b"<html><body>surat</body></html>", "HTML"),
        ("gambar.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        ("gambar.png", b'<?xml version="1.0"?><svg/>', "SVG"),
        ("kosong.pdf", b"", "kosong"),
        ("surat.png", LETTER, "PDF"),
        ("surat", b"surat", "tidak diterima"),
        ("terpotong.pdf", LETTER[:-100], "tidak lengkap"),
        ("catatan.txt", b"catatan", "tidak diterima"),
        ("arsip.zip", a_zip_bomb(), ""),
    ],
)
@pytest.mark.parametrize("place", ["letter", "requirements"])
async def test_a_file_that_is_not_a_document_is_refused(
    refusing: IntakeHarness, name: str, content: bytes, message: str, place: str
):
    answer = await refusing.submit(files_with(name, content, place))
    assert answer.status_code == 415
    assert message in errors(answer)[place]
    assert await nothing_is_stored(refusing)


async def test_thirty_files_are_too_many(intake: IntakeHarness):
    requirements = [("requirements", (f"{count}.pdf", LETTER, PDF)) for count in range(30)]
    answer = await intake.submit([FILES[0], *requirements])
    assert answer.status_code == 422
    assert "terlalu banyak" in answer.json()["detail"]
    assert await nothing_is_stored(intake)


async def test_eleven_requirements_are_one_too_many_and_two_letters_as_well(intake: IntakeHarness):
    requirements = [("requirements", (f"{count}.pdf", LETTER, PDF)) for count in range(11)]
    answer = await intake.submit([FILES[0], FILES[0], *requirements])
    assert answer.status_code == 422
    assert errors(answer) == {
        "letter": "Unggah paling banyak 1 berkas. Sekarang 2.",
        "requirements": "Unggah paling banyak 10 berkas. Sekarang 11.",
    }
    assert await nothing_is_stored(intake)


async def test_a_file_over_the_limit_is_too_large(tmp_path: Path):
    async with intake_harness(tmp_path, file_limit=MIB, body_limit=4 * MIB) as intake:
        answer = await intake.submit(files_with("besar.pdf", LETTER + bytes(MIB)))
        assert answer.status_code == 413
        assert "1 MiB" in answer.json()["detail"]
        answer = await intake.submit(files_with("sangat besar.pdf", LETTER + bytes(4 * MIB)))
        assert answer.status_code == 413
        assert await nothing_is_stored(intake)


async def test_a_json_body_is_not_accepted_as_a_form(intake: IntakeHarness):
    async with intake.client() as client:
        assert (await client.post("/api/requests", json={"name": "Rahmat"})).status_code == 415
        broken = {"Content-Type": "multipart/form-data; boundary=x"}
        assert (await client.post("/api/requests", content=b"--y\r\n", headers=broken)).status_code in (400, 422)
    assert await nothing_is_stored(intake)


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
async def test_a_misleading_file_name_is_sanitized(intake: IntakeHarness, raw: str):
    made = (await intake.submit(files_with(raw, LETTER))).json()
    applicant = ApplicantClient(intake, made["id"], made["number"], made["tracking_token"])
    document = (await applicant.get()).json()["documents"][1]
    assert document["name"].endswith(".pdf")
    assert document["name"] == safe_name(document["name"])
    assert len(document["name"]) <= 120
    assert not set(document["name"]) & set('/\\\r\n\0<>"\u202e')
    headers = (await applicant.get(f"/documents/{document['id']}")).headers
    assert "set-cookie" not in headers
    assert headers["content-disposition"].startswith("attachment; filename=")


async def test_a_file_name_over_the_header_limit_is_refused(intake: IntakeHarness):
    answer = await intake.submit(files_with("x" * 5000 + ".pdf", LETTER))
    assert answer.status_code == 422
    assert "Nama sebuah berkas" in answer.json()["detail"]
    assert await nothing_is_stored(intake)


async def test_bidirectional_marks_are_removed_from_a_name(intake: IntakeHarness):
    made = (await intake.submit(name="Rahmat \u202eContoh\u200b")).json()
    applicant = ApplicantClient(intake, made["id"], made["number"], made["tracking_token"])
    assert (await applicant.get()).json()["name"] == "Rahmat Contoh"


@pytest.mark.parametrize("path", ["/api/requests", "/", "/berkas"])
@pytest.mark.parametrize("cut", [len(b"--\r\n"), 60, len(DIAGRAM) // 2, len(DIAGRAM) + 100])
async def test_a_truncated_form_is_refused(refusing: IntakeHarness, path: str, cut: int):
    async with refusing.client() as client:
        whole = client.build_request("POST", path, data=FORM, files=list(FILES))
        headers = {"Content-Type": whole.headers["Content-Type"]}
        answer = await client.post(path, content=(await whole.aread())[:-cut], headers=headers)
    assert answer.status_code == 400
    assert "terputus" in answer.text
    assert await nothing_is_stored(refusing)
