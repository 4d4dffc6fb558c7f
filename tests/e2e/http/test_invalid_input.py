"""Invalid form input is refused with a status and a message, and nothing is stored."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.e2e.server_session import (
    ALL_OK,
    FILES,
    FORM,
    LETTER,
    TODAY,
    ServerHarness,
    SubmittedRequest,
    refusal_errors,
)

TOMORROW = (TODAY + timedelta(days=1)).isoformat()


@pytest.mark.parametrize("field", FORM)
def test_each_missing_field_is_named(simpul: ServerHarness, field: str):
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.submit(**{field: None}), 422)
    assert told == {"": "Ada isian yang perlu diperbaiki.", field: "Wajib diisi."}


@pytest.mark.parametrize("field", ["letter", "requirements"])
def test_each_missing_file_is_named(simpul: ServerHarness, field: str):
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.submit([file for file in FILES if file[0] != field]), 422)
    assert told[field] == "Wajib diunggah."


@pytest.mark.parametrize(
    ("field", "sent", "sentence"),
    [
        ("employee_number", "19850214201001100", "Nomor Pegawai terdiri atas 18 angka. Sekarang 17."),
        ("employee_number", "131110468", "NIP lama"),
        ("employee_number", "١٩٨٥٠٢١٤٢٠١٠٠١١٠٠١", "hanya memuat angka 0 sampai 9"),
        ("employee_number", "१९८५०२१४२०१००११००१", "hanya memuat angka 0 sampai 9"),
        ("employee_number", "\uff11" * 18, "hanya memuat angka 0 sampai 9"),
        ("name", "R" * 5000, "paling banyak 200 huruf. Sekarang 5000."),
        ("name", "Rahmat\r\nBcc: semua@dinas.example", "ganti baris"),
        ("name", "Rahmat\0", "karakter kendali"),
        ("name", "\u202e\u2067", "paling sedikit 2 huruf"),
        ("description", "d" * 5001, "paling banyak 5000 huruf"),
        ("scope", "network", "Pilih salah satu: application, data."),
        ("email", "rahmat@dishub.example\r\nBcc: semua@dinas.example", "ganti baris"),
        ("email", "rahmat@dishub.example\nBcc: semua@dinas.example", "ganti baris"),
        ("email", "rahmat at dishub", "tidak dikenali"),
        ("letter_date", TOMORROW, "Tanggal surat tidak boleh melewati hari ini."),
        ("letter_date", "2026-02-30", "misalnya 2026-03-31"),
        ("letter_date", "1767225600", "misalnya 2026-03-31"),
        ("phone", "telepon saya", "8 sampai 20 angka"),
        ("colour", "red", "Isian ini tidak dikenal."),
        ("status", "verified", "Isian ini tidak dikenal."),
        ("number", "INT-2026-000900", "Isian ini tidak dikenal."),
        ("name[$ne]", "1", "Isian ini tidak dikenal."),
    ],
)
def test_each_wrong_field_is_told_in_a_sentence(simpul: ServerHarness, field: str, sent: str, sentence: str):
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.submit(**{field: sent}), 422)
    assert set(told) == {"", field}
    assert sentence in told[field]


def test_everything_that_is_wrong_is_told_at_once(simpul: ServerHarness):
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.submit(FILES[:1], name=None, email="x", letter_date=TOMORROW, colour="red"), 422)
    assert set(told) == {"", "name", "email", "letter_date", "colour", "requirements"}


def test_an_impossible_birth_date_is_taken_with_a_warning_that_the_officer_must_acknowledge(simpul: ServerHarness):
    answer = simpul.submit(employee_number="198502302010011001")
    assert answer.status_code == 201
    [warning] = answer.json()["warnings"]
    assert warning["code"] == "birth_date"
    assert "lahir" in warning["message"]
    made = SubmittedRequest.of(simpul, answer).wait_for_status("submitted")
    told = refusal_errors(made.step("nurlaila", "verification", {"checklist": ALL_OK}), 422)
    assert "Nomor Pegawai" in told["acknowledged_warnings"]
    seen = {"checklist": ALL_OK, "acknowledged_warnings": ["birth_date"]}
    assert made.step("nurlaila", "verification", seen).json()["status"] == "verified"


def test_what_turns_text_around_does_not_stay_in_a_name(simpul: ServerHarness):
    asked = simpul.submitted(name="Rahmat \u202eContoh\u200b")
    assert asked.seen()[0]["name"] == "Rahmat Contoh"


@pytest.mark.parametrize("place", ["name", "unit", "position", "description", "letter_number"])
def test_markup_is_shown_as_it_was_written_and_never_as_markup(simpul: ServerHarness, place: str):
    written = "<img src=x onerror=alert(1)> =1+1 {{7*7}} ' OR 1=1 --"
    asked = simpul.submitted(**{place: written})
    assert asked.seen()[0][place] == written
    page = simpul.http.get(f"/lacak/{asked.number}", params={"kunci": asked.token}, follow_redirects=True)
    assert page.status_code == 200
    assert "<img src=x" not in page.text


def test_numbers_go_on_without_a_hole_after_all_that_was_refused(simpul: ServerHarness):
    before = int(simpul.submitted().number[-6:])
    for bad in ({"name": None}, {"employee_number": "1"}, {"letter_date": TOMORROW}):
        refusal_errors(simpul.submit(**bad), 422)
    refusal_errors(simpul.submit([*FILES, ("requirements", LETTER._replace(content=b""))]), 415)
    assert int(simpul.submitted().number[-6:]) == before + 1 == simpul.requests


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "caf\xe9"])
def test_a_bad_key_leaves_no_document_behind(simpul: ServerHarness, key: str):
    data, files = dict(FORM), list(FILES)
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    with simpul.assert_nothing_stored():
        told = refusal_errors(simpul.http.post("/api/requests", data=data, files=files, headers=headers), 422)
    assert "1 sampai 200" in told["Idempotency-Key"]
