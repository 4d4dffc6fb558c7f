"""Wrong numbers, tokens, documents and pages of others, and a reused Idempotency-Key."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.e2e.server_session import (
    ALL_OK,
    DICTIONARY,
    FILES,
    LETTER,
    ServerHarness,
    SubmittedRequest,
    assert_security_headers,
    refusal_errors,
    session_token,
)
from tests.support.minimal_files import large_png

UNKNOWN = "00000000-0000-4000-8000-000000000000"
OTHER_LETTER = LETTER._replace(content=LETTER.content + b"\n")
REASON = {"reason": "Sudah tidak diperlukan."}


@pytest.fixture(scope="module")
def mine(simpul: ServerHarness) -> SubmittedRequest:
    return simpul.submitted().wait_for_status("submitted")


@pytest.fixture(scope="module")
def others(simpul: ServerHarness) -> SubmittedRequest:
    return simpul.submitted(name="Orang Lain").wait_for_status("submitted")


def tampered(token: str) -> str:
    return ("A" if token[0] != "A" else "B") + token[1:]


STEPS: dict[str, Any] = {
    "withdrawal": REASON,
    "answer": {"text": "Sudah."},
    "confirmation": {},
    "objection": REASON,
    "survey": {"answers": [4] * 9},
}


@pytest.mark.parametrize("step", ["", *STEPS])
def test_a_token_opens_nothing_but_its_own_request(
    simpul: ServerHarness, mine: SubmittedRequest, others: SubmittedRequest, step: str
):
    path = f"/api/requests/{others.number}" + (f"/{step}" if step else "")
    method, body = ("POST", {"json": STEPS[step]}) if step else ("GET", {})
    wrong = [mine.token, tampered(others.token), others.token[:-1], "a" * 43, "*", session_token("nurlaila")]
    sentences = {refusal_errors(simpul.call(token, method, path, **body), 404)[""] for token in wrong}
    missing = f"/api/requests/INT-2026-999999{'/' + step if step else ''}"
    assert sentences == {refusal_errors(simpul.call(mine.token, method, missing, **body), 404)[""]}
    refusal_errors(simpul.call("", method, path, **body), 401)
    assert others.seen()[0]["status"] == "submitted"


def test_a_resubmission_with_a_wrong_token_stores_nothing(
    simpul: ServerHarness, mine: SubmittedRequest, others: SubmittedRequest
):
    with simpul.assert_nothing_stored():
        refusal_errors(
            simpul.call(mine.token, "POST", f"/api/requests/{others.number}/resubmission", files=list(FILES)), 404
        )


@pytest.mark.parametrize(
    "number", ["INT-2026-000000", "INT-2026-1", "'%20OR%201=1--", "..%2f..%2fstaff", "%00", "x" * 3000]
)
def test_a_number_that_is_none_is_404(simpul: ServerHarness, mine: SubmittedRequest, number: str):
    refusal_errors(simpul.call(mine.token, "GET", f"/api/requests/{number}"), 404)
    page = simpul.http.get(f"/lacak/{number}", params={"kunci": mine.token})
    assert page.status_code == 404
    assert_security_headers(page)


def test_a_document_opens_only_through_its_own_request(
    simpul: ServerHarness, mine: SubmittedRequest, others: SubmittedRequest
):
    [theirs, *_] = others.document_ids
    for document in (theirs, UNKNOWN, "..%2f..%2fsecret", "%00"):
        refusal_errors(simpul.call(mine.token, "GET", f"/api/requests/{mine.number}/documents/{document}"), 404)
        refusal_errors(
            simpul.call(session_token("nurlaila"), "GET", f"/api/verification/requests/{mine.id}/documents/{document}"),
            404,
        )
        refusal_errors(
            simpul.call(session_token("hasan"), "GET", f"/api/assignment/requests/{mine.id}/documents/{document}"), 404
        )
    refusal_errors(
        simpul.call(session_token("dewi"), "GET", f"/api/assignment/requests/{others.id}/documents/{theirs}"), 404
    )
    refusal_errors(simpul.call("", "GET", f"/api/verification/requests/{others.id}/documents/{theirs}"), 401)
    answer = simpul.call(others.token, "GET", f"/api/requests/{others.number}/documents/{theirs}")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert_security_headers(answer)


@pytest.mark.parametrize(
    ("place", "page", "status"),
    [(0, "2", 404), (0, "0", 404), (0, "-1", 404), (0, "99999999999999999999", 404), (0, "x", 422), (1, "1", 415)],
)
def test_a_page_that_cannot_be_drawn_is_refused(
    simpul: ServerHarness, mine: SubmittedRequest, place: int, page: str, status: int
):
    path = f"/api/verification/requests/{mine.id}/documents/{mine.document_ids[place]}/pages/{page}"
    refusal_errors(simpul.call(session_token("nurlaila"), "GET", path), status)


def test_a_document_that_cannot_be_drawn_is_refused_and_the_next_can(simpul: ServerHarness):
    broken = LETTER._replace(name="peta.png", content=large_png(19_000, 19_000))
    asked = SubmittedRequest.of(simpul, simpul.submit([("letter", broken), ("requirements", LETTER)])).wait_for_status(
        "submitted"
    )
    pages = [
        simpul.call(
            session_token("nurlaila"), "GET", f"/api/verification/requests/{asked.id}/documents/{document}/pages/1"
        )
        for document in asked.document_ids
    ]
    refusal_errors(pages[0], 422)
    assert pages[1].content.startswith(b"\x89PNG")
    assert_security_headers(pages[1])


@pytest.mark.parametrize("path", ["/api/verification/requests", "/api/assignment/requests"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("after=rubbish", "after"),
        ("before=%00", "before"),
        ("after=" + base64.urlsafe_b64encode(b'[{"$gt":""},"x"]').decode(), "after"),
        ("after=" + "W" * 2000, "after"),
        ("status=green", "status"),
        ("status[$ne]=x", "status[$ne]"),
        ("colour=red", "colour"),
    ],
)
def test_a_bad_question_to_a_list_is_422(simpul: ServerHarness, path: str, query: str, field: str):
    who = "nurlaila" if "verification" in path else "hasan"
    assert field in refusal_errors(simpul.call(session_token(who), "GET", f"{path}?{query}"), 422)


@pytest.mark.parametrize("search", ["%", "' OR 'q9'='q9", '"', "a* OR b*", "NEAR(", "\\", "x" * 200, "\u202e", "_"])
def test_any_words_may_be_searched_for(simpul: ServerHarness, search: str):
    answer = simpul.call(session_token("nurlaila"), "GET", "/api/verification/requests", params={"search": search})
    assert answer.status_code == 200
    assert answer.json()["items"] == []


def test_the_same_key_gets_the_first_answer_and_with_another_form_422(simpul: ServerHarness):
    first = simpul.submit(FILES, "kunci-1")
    assert first.status_code == 201
    with simpul.assert_nothing_stored():
        assert simpul.submit(FILES, "kunci-1").json() == first.json()
        for files, fields in ((FILES, {"name": "Orang Lain"}), ([("letter", OTHER_LETTER), FILES[1]], {})):
            told = refusal_errors(simpul.submit(files, "kunci-1", **fields), 422)
            assert "sudah dipakai untuk isian yang lain" in told["Idempotency-Key"]


def test_keys_hold_over_a_killed_server(simpul: ServerHarness):
    first = simpul.submit(FILES, "kunci-2")
    asked = SubmittedRequest.of(simpul, first)
    key = {"Idempotency-Key": "kunci-3"}
    ended = asked.act_as_applicant("withdrawal", REASON, headers=key)
    assert ended.status_code == 200
    simpul.server.kill()
    simpul.server.start()
    with simpul.assert_nothing_stored():
        assert simpul.submit(FILES, "kunci-2").json() == first.json()
        refusal_errors(
            simpul.submit([FILES[0], ("requirements", DICTIONARY._replace(name="lain.docx"))], "kunci-2"), 422
        )
    assert asked.act_as_applicant("withdrawal", REASON, headers=key).json() == ended.json()
    refusal_errors(asked.act_as_applicant("withdrawal", {"reason": "Alasan lain."}, headers=key), 422)
    refusal_errors(asked.act_as_applicant("withdrawal", REASON), 409)


def test_the_key_of_one_is_not_the_key_of_another(
    simpul: ServerHarness, mine: SubmittedRequest, others: SubmittedRequest
):
    key = {"Idempotency-Key": "kunci-4"}
    answers = [asked.act_as_applicant("withdrawal", REASON, headers=key).json() for asked in (mine, others)]
    assert [answer["number"] for answer in answers] == [mine.number, others.number]


def test_the_same_key_of_the_same_person_for_another_step_is_another_key(simpul: ServerHarness):
    asked, key = simpul.submitted().wait_for_status("submitted"), {"Idempotency-Key": "kunci-5"}
    assert asked.step("nurlaila", "recommendation", REASON, headers=key).status_code == 200
    checklist = [{"item": "letter", "ok": False, "note": "Belum ditandatangani."}, ALL_OK[0], *ALL_OK[2:]]
    assert asked.step("nurlaila", "return", {"checklist": checklist}, headers=key).json()["status"] == "returned"
