"""Attacks: malformed HTTP, false content types, cross-site requests, oversized bodies and floods."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.e2e.server_process import PASSWORD, ServerProcess
from tests.support.e2e.server_session import (
    ALL_OK,
    FILES,
    FORM,
    ServerHarness,
    SubmittedRequest,
    assert_security_headers,
    refusal_errors,
    running_server,
    session_token,
)

UNKNOWN = "00000000-0000-4000-8000-000000000000"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def asked(simpul: ServerHarness) -> SubmittedRequest:
    return simpul.submitted().wait_for_status("submitted")


# Bodies


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b'{"checklist": [}', JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b'{"checklist":' + b"[" * 50_000 + b"]" * 50_000 + b"}", JSON, 400),
        (b"", JSON, 422),
        (b"null", JSON, 422),
        (b"[]", JSON, 422),
        (b'"teks"', JSON, 422),
        (b"NaN", JSON, 422),
        (b'{"checklist": 1e999}', JSON, 422),
        (b'{"$where": "sleep(1000)", "checklist": {"$ne": 1}}', JSON, 422),
        (b'{"__proto__": {"ok": true}, "checklist": []}', JSON, 422),
        (b'{"checklist": [{"item": {"$gt": ""}, "ok": {"$ne": false}}]}', JSON, 422),
        (b'{"checklist": [{"item": "letter", "ok": false, "note": "\\ud800"}]}', JSON, 422),
        (b"checklist=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"<checklist/>", {"Content-Type": "text/xml"}, 415),
        (json.dumps({"checklist": ALL_OK}).encode(), {"Content-Type": "text/plain"}, 415),
        (json.dumps({"checklist": ALL_OK}).encode(), {}, 415),
        (b" " * 300_000, JSON, 413),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(
    simpul: ServerHarness, asked: SubmittedRequest, content: bytes, headers: dict[str, str], status: int
):
    path = f"/api/verification/requests/{asked.id}/verification"
    refusal_errors(simpul.call(session_token("nurlaila"), "POST", path, headers, content=content), status)
    assert asked.seen()[1]["status"] == "submitted"


@pytest.mark.parametrize(
    "body", [{"reason": {"$ne": 1}}, {"reason": ["x"]}, {"reason": 1}, {"reason": None}, {"reason": True}]
)
def test_an_operator_in_the_place_of_text_is_refused(asked: SubmittedRequest, body: dict[str, Any]):
    assert refusal_errors(asked.act_as_applicant("withdrawal", body), 422)["reason"]


@pytest.mark.parametrize(
    "body",
    [
        {"username": {"$ne": ""}, "password": {"$ne": ""}},
        {"username": "nurlaila", "password": {"$regex": ".*"}},
        {"username": "nurlaila", "password": PASSWORD, "roles": ["admin"]},
    ],
)
def test_nobody_signs_in_with_an_operator(simpul: ServerHarness, body: dict[str, Any]):
    refusal_errors(simpul.http.post("/api/session", json=body), 422)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data", 400),
        (b"--y\r\n\r\n--y--", "multipart/form-data; boundary=x", 400),
        (b"", "multipart/form-data; boundary=x", 400),
        (b"--x\r\n" + b"A: b\r\n" * 50 + b"\r\n", "multipart/form-data; boundary=x", 400),
        (b"--x--", "multipart/form-data; boundary=" + "x" * 500, 400),
    ],
)
def test_a_malformed_form_is_refused(simpul: ServerHarness, content: bytes, kind: str, status: int):
    with simpul.assert_nothing_stored():
        refusal_errors(simpul.http.post("/api/requests", content=content, headers={"Content-Type": kind}), status)


# HTTP


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/none", 404),
        ("GET", "/api/requests/", 404),
        ("GET", "/static/..%2f..%2fapp.py", 404),
        ("GET", "/static/%00", 404),
        ("GET", "/api/requests", 405),
        ("DELETE", "/api/requests", 405),
        ("PUT", "/api/session", 405),
        ("TRACE", "/api/requests", 405),
        ("GET", "/metrics", 401),
        ("GET", "/api/staff", 401),
        ("GET", f"/api/verification/requests/{UNKNOWN}", 401),
    ],
)
def test_every_unknown_path_or_method_gets_an_error_message(simpul: ServerHarness, method: str, path: str, status: int):
    answer = simpul.http.request(method, path)
    refusal_errors(answer, status)
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/tidak-ada", 404), ("TRACE", "/", 405), ("PUT", "/masuk", 405)]
)
def test_every_dead_end_of_a_page_is_a_page(simpul: ServerHarness, method: str, path: str, status: int):
    answer = simpul.http.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "Ke halaman depan" in answer.text
    assert_security_headers(answer)


@pytest.mark.parametrize("path", [b"/../../../etc/passwd", b"//evil.example/..", b"/api/../secret", b"*"])
def test_a_path_leads_nowhere_else(simpul: ServerHarness, path: bytes):
    came = simpul.raw(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
    assert came.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert b"evil" not in came
    assert b"root:" not in came


@pytest.mark.parametrize("path", ["/", "/api/docs", "/api/openapi.json", "/api/units", "/health/live", "/lacak/x"])
def test_every_response_has_security_headers(simpul: ServerHarness, path: str):
    assert_security_headers(simpul.http.get(path))


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 200_000,
        b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 20_000,
        b"GET /" + b"a" * 200_000,
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A : b\r\nX\0: c\r\n\r\n",
    ],
)
def test_broken_http_is_400_and_the_server_goes_on(simpul: ServerHarness, sent: bytes):
    came = simpul.raw(sent)
    assert came.startswith(b"HTTP/1.1 400"), came[:80]
    assert came.count(b"HTTP/1.1") == 1
    assert simpul.http.get("/health/live").status_code == 200


def test_an_answer_repeats_nothing_that_a_header_could_carry(simpul: ServerHarness):
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Request-Id": "evil"}
    for path in ("/", "/api/none", "/api/requests/"):
        answer = simpul.http.get(path, headers=headers)
        assert "evil" not in answer.text + str(answer.headers)


def test_a_slow_crowd_keeps_nobody_waiting(simpul: ServerHarness):
    with contextlib.ExitStack() as opened:
        for _ in range(200):
            # Another address than ours: these are as many connections as one address may have.
            address, source = ("127.0.0.1", simpul.server.port), ("127.0.0.2", 0)
            connection = opened.enter_context(socket.create_connection(address, timeout=3, source_address=source))
            connection.sendall(b"POST /api/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nX-Slow: ")
        began = time.monotonic()
        assert simpul.submit().status_code == 201
        assert time.monotonic() - began < 10


# Browsers


def signed_in(browser: httpx.Client) -> str:
    """Return the CSRF token of the browser's present session."""
    answer = browser.post("/api/session", json={"username": "nurlaila", "password": PASSWORD})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    return str(answer.json()["csrf"])


def test_a_cookie_alone_changes_nothing(simpul: ServerHarness, asked: SubmittedRequest):
    path, body = f"/api/verification/requests/{asked.id}/recommendation", {"reason": "Di luar lingkup."}
    with httpx.Client(base_url=simpul.server.url) as browser:
        csrf = signed_in(browser)
        assert browser.get(path.rpartition("/")[0]).status_code == 200
        foreign = {"X-CSRF-Token": csrf, "Origin": "https://evil.example"}
        cross = {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "cross-site"}
        for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": csrf[:-1]}, foreign, cross, {"Origin": "null"}):
            assert "Muat ulang halaman" in refusal_errors(browser.post(path, json=body, headers=headers), 403)[""]
        assert asked.seen()[1]["recommendation"] is None
        assert browser.post(path, json=body, headers={"X-CSRF-Token": csrf}).status_code == 200
        assert browser.delete("/api/session", headers={"X-CSRF-Token": csrf}).status_code == 200
        refusal_errors(browser.get("/api/session"), 401)


def test_another_sites_page_signs_nobody_in(simpul: ServerHarness):
    body = {"username": "nurlaila", "password": PASSWORD}
    refusal_errors(simpul.http.post("/api/session", json=body, headers={"Origin": "https://evil.example"}), 403)


# What breaks inside


def test_a_damaged_record_shows_only_a_reference_number(simpul: ServerHarness):
    asked = simpul.submitted().wait_for_status("submitted")
    with contextlib.closing(sqlite3.connect(simpul.server.data / "simpul.db")) as file:
        file.execute("UPDATE intake_documents SET body = x'00' WHERE id = ?", (asked.id,))
        file.commit()
    sentence = refusal_errors(simpul.call(asked.token, "GET", f"/api/requests/{asked.number}"), 500)[""]
    assert re.search(r"nomor rujukan [0-9A-F]{8}", sentence)
    assert simpul.submit().status_code == 201


def test_a_document_store_that_is_away_is_503_and_makes_no_request(simpul: ServerHarness):
    documents, aside = simpul.server.data / "documents", simpul.server.data / "aside"
    simpul.submitted()
    before = simpul.requests
    documents.rename(aside)
    documents.touch()
    try:
        answer = simpul.submit()
        assert "Penyimpanan dokumen" in refusal_errors(answer, 503)[""]
        assert answer.headers["retry-after"]
    finally:
        documents.unlink()
        aside.rename(documents)
    assert simpul.requests == before
    assert simpul.submit().status_code == 201


# Too often


def test_a_made_up_address_gets_no_more_submissions(tmp_path: Path):
    with running_server(tmp_path, SIMPUL_PUBLIC_RATE="3") as simpul:
        statuses = []
        for number in range(6):
            headers = {
                "X-Forwarded-For": f"10.0.0.{number}",
                "X-Real-IP": f"10.0.0.{number}",
                "Forwarded": f"for=10.0.0.{number}",
            }
            answer = simpul.call("", "POST", "/api/requests", headers, data=FORM, files=list(FILES))
            statuses.append(answer.status_code)
        assert statuses == [201] * 3 + [429] * 3
        assert int(answer.headers["retry-after"]) in range(1, 61)
        assert "Coba lagi dalam" in refusal_errors(answer, 429)[""]
        assert simpul.requests == 3
        looked = {simpul.http.get(f"/lacak/INT-2026-{number:06}").status_code for number in range(40)}
        assert looked == {404, 429}


# Reached from elsewhere


def test_a_server_that_others_reach_makes_no_accounts_and_shows_no_documentation(tmp_path: Path):
    settings = {"SIMPUL_HOST": "0.0.0.0", "SIMPUL_BASE_URL": "https://simpul.example"}
    server = ServerProcess(tmp_path / "data", settings)
    server.start()
    try:
        log = (tmp_path / "data.log").read_text()
        assert "There are no staff accounts yet" in log
        assert "password" not in log
        with httpx.Client(base_url=server.url) as http:
            for path in ("/api/docs", "/api/openapi.json", "/metrics", "/api/staff"):
                refusal_errors(http.get(path), 401)
            for name in ("admin", "petugas", "kepala", "teknis"):
                refusal_errors(http.post("/api/session", json={"username": name, "password": name}), 401)
            home = http.get("/")
            assert home.headers["strict-transport-security"].startswith("max-age=")
            assert str(tmp_path) not in home.text
        assert json.loads(server.simpul("staff", "list", "--json").stdout) == []
    finally:
        server.stop()
