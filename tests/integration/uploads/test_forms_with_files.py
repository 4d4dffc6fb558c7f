"""Forms with files: validated as a whole, with all errors in one response, and stored completely or not at all."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.documents.inspection.inspector import Inspector
from shared.documents.sandbox.client import Sandbox
from tests.support.services.web_harness import FILE_LIMIT, PDF, WebHarness, web_harness

FIELDS = {"name": "Rahmat Contoh", "letter_date": "2026-03-31"}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[WebHarness]:
    async with web_harness(tmp_path) as made:
        yield made


def letter(name: str = "surat.pdf", content: bytes = PDF):
    return ("letter", (name, content, "application/pdf"))


def requirement(name: str = "syarat.pdf", content: bytes = PDF):
    return ("requirements", (name, content, "application/pdf"))


async def sent(harness: WebHarness, fields=FIELDS, files=(), **options):
    async with harness.client() as client:
        return await client.post("/api/requests", data=fields, files=list(files), **options)


def told(response) -> dict[str, str]:
    return {error["field"]: error["message"] for error in response.json()["errors"]}


def kept(harness: WebHarness) -> list[Path]:
    return [path for path in harness.platform.settings.documents.rglob("*") if path.is_file()]


async def test_a_valid_form_is_stored_with_safe_file_names(harness):
    response = await sent(harness, files=[letter("../../etc/su\u202erat.pdf"), requirement(), requirement("b.pdf")])
    assert response.status_code == 200
    documents = response.json()["documents"]
    assert [document["kind"] for document in documents] == ["letter", "requirement", "requirement"]
    assert documents[0]["name"] == "surat.pdf"
    assert all(document["media_type"] == "application/pdf" and document["size"] == len(PDF) for document in documents)
    assert len(kept(harness)) == 3


async def test_all_errors_of_a_form_are_reported_together(harness):
    fields = {"name": " ", "letter_date": "31/03/2026", "percent": "half", "$where": "1"}
    files = [
        requirement(),
        requirement(),
        requirement(),
        requirement(),
        ("extra", ("a.pdf", PDF)),
        ("name", ("b", b"x")),
    ]
    response = await sent(harness, fields, files)
    assert response.status_code == 422
    assert told(response) == {
        "name": "Isi dengan teks, bukan berkas.",
        "letter_date": "Tulis tanggal dengan susunan tahun-bulan-hari, misalnya 2026-03-31.",
        "percent": "Isi dengan bilangan bulat.",
        "$where": "Isian ini tidak dikenal.",
        "extra": "Isian ini tidak dikenal.",
        "letter": "Wajib diunggah.",
        "requirements": "Unggah paling banyak 3 berkas. Sekarang 4.",
    }
    assert kept(harness) == []


async def test_an_empty_file_field_counts_as_no_file(harness):
    part = (
        b'--x\r\nContent-Disposition: form-data; name="letter"; filename=""\r\nContent-Type: application/octet-stream'
    )
    async with harness.client() as client:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        response = await client.post("/api/requests", content=part + b"\r\n\r\n\r\n--x--\r\n", headers=headers)
    assert told(response)["letter"] == "Wajib diunggah."


async def test_text_in_a_file_field_is_refused(harness):
    response = await sent(harness, {**FIELDS, "letter": "surat.pdf"}, [requirement()])
    assert told(response) == {"letter": "Kirim sebagai berkas, bukan teks."}


async def test_a_refused_type_is_415_and_names_the_file_and_the_accepted_types(harness):
    response = await sent(
        harness, files=[letter(), requirement("program.pdf", b"MZ" + bytes(100)), requirement("a.exe")]
    )
    assert response.status_code == 415
    assert [error["field"] for error in response.json()["errors"]] == ["requirements", "requirements"]
    assert response.json()["errors"][0]["message"].startswith("program.pdf: ")
    assert "PDF, DOCX" in response.json()["detail"]
    assert kept(harness) == []


async def test_a_refused_type_is_reported_together_with_field_errors(harness):
    response = await sent(harness, {"name": "x"}, [letter("a.exe"), requirement()])
    assert response.status_code == 422
    assert set(told(response)) == {"letter", "letter_date"}


async def test_a_file_over_its_limit_is_413(harness):
    response = await sent(harness, files=[letter(), requirement(content=PDF + bytes(FILE_LIMIT))])
    assert response.status_code == 413
    assert "per berkas" in told(response)["requirements"]
    assert kept(harness) == []


async def test_a_repeated_field_is_refused_unless_it_accepts_several_values(harness):
    fields = {**FIELDS, "name": ["a", "b"], "replaces": ["x", "y"]}
    response = await sent(harness, fields, [letter(), requirement()])
    assert told(response) == {"name": "Isi satu kali saja."}
    response = await sent(harness, {**fields, "name": "a"}, [letter(), requirement()])
    assert response.json()["fields"]["replaces"] == ["x", "y"]


async def test_too_many_parts_are_refused_before_all_are_read(harness):
    for fields, files in ((FIELDS, 50), ({f"field{number}": "x" for number in range(200)}, 1)):
        response = await sent(harness, fields, [letter(), *(requirement() for _ in range(files))])
        assert response.status_code == 422
        assert response.json()["detail"] == "Formulir ini memuat terlalu banyak isian atau berkas."


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"", "", 415),
        (b"rubbish", "multipart/form-data", 400),
        (b"rubbish", "multipart/form-data; boundary=x", 400),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x", 400),
        (b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nR', "multipart/form-data; boundary=x", 400),
    ],
)
async def test_a_body_that_is_not_a_form_is_refused(harness, content, kind, status):
    async with harness.client() as client:
        response = await client.post("/api/requests", content=content, headers={"Content-Type": kind})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


async def test_no_document_is_stored_if_one_cannot_be_stored(harness, monkeypatch):
    put, calls = harness.platform.documents.put, []

    async def failing(source, inspect, *, limit):
        calls.append(source)
        if len(calls) == 2:
            raise OSError("the disk is gone")
        return await put(source, inspect, limit=limit)

    monkeypatch.setattr(harness.platform.documents, "put", failing)
    response = await sent(harness, files=[letter(), requirement(), requirement("b.pdf")])
    assert response.status_code == 500
    assert len(calls) == 3
    assert kept(harness) == []


async def test_equal_submissions_have_the_same_key_and_digest(harness):
    first, again = [
        (await sent(harness, files=[letter(), requirement()], headers={"Idempotency-Key": "k1"})).json() for _ in "12"
    ]
    assert (first["key"], first["digest"]) == (again["key"], again["digest"])
    assert uuid.UUID(first["key"]).version == 5
    other = (await sent(harness, files=[letter(), requirement(content=PDF + b"\n")])).json()
    assert other["digest"] != first["digest"]
    assert other["key"] != first["key"]
    renamed = (await sent(harness, {**FIELDS, "name": "Lain"}, [letter(), requirement()])).json()
    assert renamed["digest"] != first["digest"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "caf\xe9", "a\tb"])
async def test_a_key_that_is_not_visible_ascii_is_refused(harness, key):
    response = await sent(harness, files=[letter(), requirement()], headers={"Idempotency-Key": key.encode("latin-1")})
    assert response.status_code == 422
    assert set(told(response)) == {"Idempotency-Key"}


async def test_nothing_is_stored_while_files_cannot_be_inspected(harness):
    harness.app.state.platform = replace(harness.platform, inspector=Inspector(Sandbox(start_seconds=0.0)))
    response = await sent(harness, files=[letter(), requirement()])
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert "Mohon coba beberapa saat lagi" in response.json()["detail"]
    assert kept(harness) == []
