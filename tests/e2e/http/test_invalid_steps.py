"""Invalid steps: out of order, by the wrong role, with wrong data, or fifty at once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.support.e2e.request_steps import ASSIGN, LETTER_REJECTED, STEPS, STEPS_TO_STATUS, request_in_status
from tests.support.e2e.server_session import (
    ALL_OK,
    TODAY,
    ServerHarness,
    SubmittedRequest,
    refusal_errors,
    session_token,
)

FITTING = {
    "submitted": {"withdrawal", "verification", "return", "recommendation", "rejection"},
    "returned": {"withdrawal", "resubmission"},
    "verified": {"withdrawal", "rejection", "assignment"},
    "assigned": {"withdrawal", "reassignment", "start"},
    "in_progress": {"withdrawal", "reassignment", "progress", "pause", "completion"},
    "on_hold": {"withdrawal", "reassignment", "answer", "resume"},
    "delivered": {"confirmation", "objection"},
    "completed": {"survey"},
    "rejected": set[str](),
    "withdrawn": set[str](),
}
BY_LEAD = {"start", "progress", "pause", "resume", "completion"}
UNLED = {"submitted", "returned", "verified", "rejected"}


@pytest.mark.parametrize("status", STEPS_TO_STATUS)
def test_each_step_out_of_order_is_refused_and_changes_nothing(simpul: ServerHarness, status: str):
    asked = request_in_status(simpul, status)
    before, documents = asked.seen(), simpul.documents
    for name in STEPS.keys() - FITTING[status]:
        answer = STEPS[name](asked)
        if name in BY_LEAD and status in UNLED:
            refusal_errors(answer, 404)
            continue
        sentence = refusal_errors(answer, 409)[""]
        assert "tidak disimpan" in sentence or "survei" in sentence.lower(), (name, sentence)
        if name != "survey":
            assert answer.json()["current"]["status"] == status, name
    assert (asked.seen(), simpul.documents) == (before, documents)


def test_of_fifty_decisions_at_once_one_is_taken_and_the_others_learn_which(simpul: ServerHarness):
    asked = request_in_status(simpul, "submitted")
    steps = [STEPS["verification"], STEPS["return"]] * 25
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda step: step(asked), steps))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.status_code == 409:
            current = answer.json()["current"]
            assert (current["status"], current["version"]) == (won["status"], won["version"])
            assert current["by"] == "Nurlaila Ibarat"
            assert "Nurlaila Ibarat" in refusal_errors(answer, 409)[""]
    asked.wait_for_status(won["status"])
    assert len(asked.seen()[0]["timeline"]) == 2


def test_of_fifty_appointments_at_once_one_is_made(simpul: ServerHarness):
    asked = request_in_status(simpul, "verified")
    with ThreadPoolExecutor(50) as crowd:
        bodies = [{**ASSIGN, "lead": lead} for lead in ("dewi", "yusuf") * 25]
        answers = list(crowd.map(lambda body: asked.step("hasan", "assignment", body), bodies))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"lead": "siapa"}, "lead", "penanggung jawab teknis yang akunnya masih aktif"),
        ({"lead": "nurlaila"}, "lead", "penanggung jawab teknis yang akunnya masih aktif"),
        ({"lead": "bekas"}, "lead", "penanggung jawab teknis yang akunnya masih aktif"),
        ({"lead": ""}, "lead", "Wajib diisi."),
        ({"lead": {"$ne": ""}}, "lead", "Isi dengan teks."),
        ({"target_date": (TODAY - timedelta(days=1)).isoformat()}, "target_date", "hari ini"),
        ({"target_date": "9999-12-31"}, "target_date", "2099"),
        ({"target_date": "besok"}, "target_date", "misalnya 2026-03-31"),
        ({"complexity": "extreme"}, "complexity", "Pilih salah satu: low, medium, high."),
        ({"priority": 1}, "priority", "Isian ini tidak dikenal."),
        ({"note": "x" * 4001}, "note", "paling banyak 4000 huruf"),
        ({"note": "\0"}, "note", "karakter kendali"),
    ],
)
def test_a_wrong_appointment_is_refused_and_the_right_one_still_possible(
    verified: SubmittedRequest, change: dict[str, Any], field: str, sentence: str
):
    told = refusal_errors(verified.step("hasan", "assignment", {**ASSIGN, **change}), 422)
    assert sentence in told[field]
    assert verified.seen()[2]["status"] == "verified"


@pytest.fixture(scope="module")
def verified(simpul: ServerHarness) -> SubmittedRequest:
    return request_in_status(simpul, "verified")


@pytest.mark.parametrize(
    ("checklist", "sentence"),
    [
        ([], "Belum dinilai"),
        (ALL_OK[1:], "Belum dinilai"),
        ([*ALL_OK, ALL_OK[0]], "lebih dari sekali"),
        (LETTER_REJECTED, "Belum terpenuhi"),
        ([{"item": "letter", "ok": "yes"}], "true atau false"),
        ([{"item": "stamp", "ok": True}], "Pilih salah satu"),
        ({"$ne": []}, "Isi dengan daftar."),
    ],
)
def test_a_wrong_checklist_is_refused(judged: SubmittedRequest, checklist: Any, sentence: str):
    told = refusal_errors(judged.step("nurlaila", "verification", {"checklist": checklist}), 422)
    assert any(sentence in one for one in told.values()), told
    assert judged.seen()[1]["status"] == "submitted"


@pytest.fixture(scope="module")
def judged(simpul: ServerHarness) -> SubmittedRequest:
    return request_in_status(simpul, "submitted")


def test_a_return_without_a_failed_item_or_a_note_is_refused(judged: SubmittedRequest):
    assert (
        "Semua butir terpenuhi"
        in refusal_errors(judged.step("nurlaila", "return", {"checklist": ALL_OK}), 422)["checklist"]
    )
    bare = [{"item": "letter", "ok": False}, ALL_OK[0], *ALL_OK[2:]]
    assert "catatan" in refusal_errors(judged.step("nurlaila", "return", {"checklist": bare}), 422)["checklist"]


@pytest.mark.parametrize(
    ("who", "step", "status"),
    [
        ("hasan", "verification", 403),
        ("dewi", "verification", 403),
        ("admin", "verification", 403),
        ("nurlaila", "assignment", 403),
        ("dewi", "rejection", 403),
        ("admin", "rejection", 403),
        ("hasan", "start", 403),
        ("nurlaila", "start", 403),
        ("yusuf", "start", 404),
        ("bekas", "start", 401),
        ("", "verification", 401),
        ("", "start", 401),
    ],
)
def test_somebody_elses_step_is_refused(simpul: ServerHarness, led: SubmittedRequest, who: str, step: str, status: int):
    service = "verification" if step == "verification" else "assignment"
    path = f"/api/{service}/requests/{led.id}/{step}"
    before = led.seen()
    refusal_errors(simpul.call(session_token(who) if who else "", "POST", path, json={}), status)
    assert led.seen() == before


@pytest.fixture(scope="module")
def led(simpul: ServerHarness) -> SubmittedRequest:
    return request_in_status(simpul, "assigned")
