"""Every error is a problem document with a message and security headers, and without internal details."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.observability.logging import JsonLogFormatter, configure_logging, redact
from tests.support.services.web_harness import WebHarness, web_harness

SECURED = ("content-security-policy", "x-content-type-options", "referrer-policy", "permissions-policy", "x-request-id")


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[WebHarness]:
    async with web_harness(tmp_path) as made:
        yield made


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLogFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel("INFO")
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def told(response) -> dict[str, str]:
    return {error["field"]: error["message"] for error in response.json()["errors"]}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("PUT", "/api/orders", 405),
        ("POST", "/api/broken/state", 503),
        ("POST", "/api/broken/documents", 503),
        ("POST", "/api/broken/key", 422),
        ("POST", "/api/broken/bug", 500),
        ("GET", "/metrics", 401),
        ("GET", "/static/app.py", 404),
        ("GET", "/api/orders?limit=0", 422),
        ("GET", "/api/orders/", 404),
    ],
)
async def test_every_error_is_a_problem_with_security_headers(harness, method, path, status):
    async with harness.client() as client:
        response = await client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert response.json()["detail"].endswith(".")
    assert all(name in response.headers for name in SECURED)
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in response.headers
    assert "10.0.0.7" not in response.text
    assert "/srv" not in response.text
    assert "password" not in response.text


async def test_an_outage_has_a_retry_after_header(harness):
    async with harness.client() as client:
        for part in ("state", "documents"):
            assert (await client.post(f"/api/broken/{part}")).headers["retry-after"] == "5"


async def test_an_unexpected_error_returns_a_reference_number_found_in_the_log(harness, log):
    async with harness.client() as client:
        response = await client.post("/api/broken/bug")
    reference = response.json()["reference"]
    assert reference in response.json()["detail"]
    assert response.headers["x-request-id"].upper().startswith(reference)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    [line] = [line for line in lines if reference in line["message"]]
    assert "RuntimeError" in line["exception"]
    assert "budi@" not in log.getvalue()


async def test_an_access_log_line_has_path_and_status_but_no_query_or_token(harness, log):
    async with harness.client() as client:
        secret = {"Authorization": "Bearer abc.def", "Cookie": "simpul=xyz"}
        await client.get("/api/requests/INT-2026-000001?kunci=abc&email=budi@dinas.example", headers=secret)
    [text] = [line for line in log.getvalue().splitlines() if '"answered"' in line]
    line = json.loads(text)
    assert (line["path"], line["status"], line["method"]) == ("/api/requests/INT-2026-000001", 200, "GET")
    assert not any(secret in text for secret in ("abc", "xyz", "budi", "kunci"))


async def test_hsts_is_sent_with_tls(tmp_path):
    async with web_harness(tmp_path, base_url="https://simpul.example") as made, made.client() as client:
        for path in ("/", "/api/nothing"):
            assert "max-age=" in (await client.get(path)).headers["strict-transport-security"]


async def test_a_response_may_set_its_own_cache_control(harness):
    async with harness.client() as client:
        response = await client.get("/api/stream")
    assert response.headers.get_list("cache-control") == ["private"]


async def test_all_errors_of_a_body_are_reported_together(harness):
    body = {
        "reason": "   ",
        "day": "2026-02-30",
        "count": "3",
        "lines": [{"item": "green", "ok": 1, "note": "too long"}, {}],
        "$where": "1",
    }
    async with harness.client() as client:
        response = await client.post("/api/orders", json=body)
    assert response.status_code == 422
    assert told(response) == {
        "reason": "Wajib diisi.",
        "day": "Tulis tanggal dengan susunan tahun-bulan-hari, misalnya 2026-03-31.",
        "count": "Isi dengan bilangan bulat.",
        "lines.0.item": "Pilih salah satu: red, blue.",
        "lines.0.ok": "Isi dengan true atau false.",
        "lines.0.note": "Tulis paling banyak 5 huruf. Sekarang 8.",
        "lines.1.item": "Wajib diisi.",
        "lines.1.ok": "Wajib diisi.",
        "$where": "Isian ini tidak dikenal.",
    }


@pytest.mark.parametrize("operator", [{"$gt": ""}, {"$ne": None}, ["a"], 1, True, None])
async def test_an_operator_in_the_place_of_text_is_refused(harness, operator):
    async with harness.client() as client:
        response = await client.post("/api/orders", json={"reason": operator})
    assert (response.status_code, told(response)) == (422, {"reason": "Isi dengan teks."})


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"reason":"\\ud800"}', "application/json", 422),
        (b'{"reason":"x","count":' + b"9" * 5000 + b"}", "application/json", 400),
        (b"reason=x", "application/x-www-form-urlencoded", 415),
        (b"<a/>", "text/xml", 415),
        (b'"text"', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"", "application/json", 422),
    ],
)
async def test_a_body_that_is_not_a_json_object_is_refused(harness, content, kind, status):
    async with harness.client() as client:
        response = await client.post("/api/orders", content=content, headers={"Content-Type": kind})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_valid_body_keeps_its_dates_and_enum_values(harness):
    body = {"reason": " x ", "day": "2026-02-28", "count": 3, "lines": [{"item": "red", "ok": True}]}
    async with harness.client() as client:
        response = await client.post("/api/orders", json=body)
    assert response.json() == {**body, "reason": "x", "lines": [{"item": "red", "ok": True, "note": ""}]}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("to budi.s+x@dinas.example now", "to [surel] now"),
        ("NIP 198502142010011001.", "NIP [nomor]."),
        ("NIP 19850214 201001 1 001", "NIP [nomor]"),
        ("Authorization: Bearer abc-DEF", "Authorization: Bearer[rahasia]"),
        ("GET /lacak/1?kunci=abc&x=1", "GET /lacak/1?kunci=[rahasia]&x=1"),
        ("token " + "aB3_" * 11, "token [token]"),
        ("id 0d5c7f6f-6a31-4c0b-9d57-6f1d2a527f0c", "id 0d5c7f6f-6a31-4c0b-9d57-6f1d2a527f0c"),
        ("[input_value='Rahmat', input_type=str]", "[input_value=[isian], input_type=str]"),
        ("INT-2026-000001 answered in 12 ms", "INT-2026-000001 answered in 12 ms"),
    ],
)
def test_logs_contain_no_email_address_number_or_token(text, kept):
    assert redact(text) == kept


def test_a_log_line_cannot_be_forged_or_contain_terminal_escapes():
    stream = io.StringIO()
    before = logging.getLogger().handlers, logging.getLogger().level
    try:
        configure_logging("info", stream)
        logging.getLogger("a").info('one\n{"level": "error"} \x1b[31m \u202e \u2028 %s', "\r\x85")
    finally:
        logging.getLogger().handlers, logging.getLogger().level = before
    [line] = stream.getvalue().splitlines()
    assert line.isascii()
    assert line.isprintable()
