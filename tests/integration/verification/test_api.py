"""The API of verification: roles, bodies, decisions, documents and the live stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shared.contracts.facts import DocumentKind, Scope
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import (
    APPLICANT,
    LETTER,
    RESULT,
    assigned,
    rejected,
    resubmitted,
    withdrawn,
)
from tests.support.services.staff_harness import OTHER, PEOPLE, StaffHarness, pdf, staff_harness

REQUESTS = "/api/verification/requests"
HERE = f"{REQUESTS}/{REQUEST}"
ITEMS = ("form", "letter", "scope", "documents")
ALL_OK = [{"item": item, "ok": True} for item in ITEMS]
LETTER_FAILED = [
    {"item": item, "ok": item != "letter", "note": "Surat belum ditandatangani." if item == "letter" else ""}
    for item in ITEMS
]
VERIFY = {"checklist": ALL_OK, "acknowledged_warnings": ["birth_date"]}
RETURN = {"checklist": LETTER_FAILED}
RECOMMEND = {"reason": "Di luar lingkup layanan."}
DECISIONS: list[tuple[str, dict[str, Any]]] = [
    ("verification", VERIFY),
    ("return", RETURN),
    ("recommendation", RECOMMEND),
]


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        yield opened


async def test_the_queue_shows_only_what_an_officer_needs(harness: StaffHarness):
    await harness.submitted()
    answer = await harness.get("nurlaila", REQUESTS)
    assert answer.status_code == 200
    page = answer.json()
    assert (page["next"], page["previous"]) == (None, None)
    [line] = page["items"]
    assert line["id"] == REQUEST
    assert line["number"] == "INT-2026-000001"
    assert line["status"] == "submitted"
    assert line["target_date"] == "2026-11-24"
    assert line["employee_number"] == "198502** ****** * ***"
    assert APPLICANT.employee_number not in answer.text
    assert "email" not in line


async def test_a_request_shows_everything_except_storage_keys(harness: StaffHarness):
    document = await harness.store_document("kamus.pdf", pdf())
    await harness.submitted(document)
    shown = (await harness.get("nurlaila", HERE)).json()
    assert shown["employee_number"] == APPLICANT.employee_number
    assert [entry["item"] for entry in shown["checklist"]] == list(ITEMS)
    assert shown["warnings"][0]["code"] == "birth_date"
    assert shown["documents"][0]["sha256"] == document.sha256
    assert "key" not in shown["documents"][0]
    assert shown["timeline"][0]["event"] == "RequestSubmitted"


async def test_the_queue_is_paged_both_ways_and_filtered(harness: StaffHarness):
    ids = [f"00000000-0000-4000-8000-0000000001{n:02d}" for n in range(5)]
    for place, request_id in enumerate(ids):
        unit = "Dinas Sosial" if place % 2 else "Dinas Kesehatan"
        applicant = APPLICANT.model_copy(update={"unit": unit})
        number = f"INT-2026-0000{place:02d}"
        scope = Scope.APPLICATION if place == 4 else Scope.DATA
        await harness.submitted(subject=request_id, number=number, applicant=applicant, scope=scope)
        harness.clock.advance(minutes=1)
    first = (await harness.get("nurlaila", REQUESTS, params={"limit": 2})).json()
    second = (await harness.get("nurlaila", REQUESTS, params={"limit": 2, "after": first["next"]})).json()
    assert [line["id"] for line in first["items"] + second["items"]] == ids[:4]
    back = (await harness.get("nurlaila", REQUESTS, params={"limit": 2, "before": second["previous"]})).json()
    assert back["items"] == first["items"]
    for parameters, found in (
        ({"unit": "Dinas Sosial"}, [ids[1], ids[3]]),
        ({"scope": "application"}, [ids[4]]),
        ({"search": "kesehatan 000002"}, [ids[2]]),
        ({"status": "verified"}, []),
    ):
        page = (await harness.get("nurlaila", REQUESTS, params=parameters)).json()
        assert [line["id"] for line in page["items"]] == found, parameters


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 0},
        {"limit": 201},
        {"status": "done"},
        {"stage": "done"},
        {"scope": "x"},
        {"after": "x"},
        {"unknown": "1"},
        {"sort": "search"},
        {"from": "23 November"},
        {"to": "1999-12-31"},
        {"overdue": "sometimes"},
        {"total": "2"},
    ],
)
async def test_a_list_refuses_invalid_parameters(harness: StaffHarness, parameters: dict[str, Any]):
    answer = await harness.get("nurlaila", REQUESTS, params=parameters)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == next(iter(parameters))


async def test_a_list_refuses_what_does_not_fit_together_with_a_sentence(harness: StaffHarness):
    await three_requests(harness)
    by_unit = (await harness.get("nurlaila", REQUESTS, params={"sort": "unit", "limit": 1})).json()["next"]
    for parameters, sentence in (
        ({"sort": "colour"}, "Urutkan menurut salah satu: number, subject, name, unit, scope, status, lead"),
        ({"from": "2026-11-24", "to": "2026-11-23"}, "Hari terakhir (to) tidak boleh sebelum hari pertama (from)."),
        ({"sort": "name", "after": by_unit}, "Penanda halaman ini milik urutan lain."),
        ({"after": by_unit}, "Penanda halaman ini milik urutan lain."),
    ):
        answer = await harness.get("nurlaila", REQUESTS, params=parameters)
        assert answer.status_code == 422, parameters
        assert sentence in answer.json()["errors"][0]["message"], parameters


async def three_requests(harness: StaffHarness) -> list[str]:
    """Submit requests on three days, of which the first is returned and the second verified."""
    ids = [f"00000000-0000-4000-8000-0000000001{n:02d}" for n in range(3)]
    given = (
        ("Siti Umpama", "Dinas Sosial", "Zakat daring dihubungkan."),
        ("andi Misal", "Badan Kesbangpol", "Ijin penelitian\ndikirim ke portal."),
        ("Rahmat Contoh", "Dinas Sosial", "Aplikasi presensi membaca data."),
    )
    for place, (name, unit, description) in enumerate(given):
        applicant = APPLICANT.model_copy(update={"name": name, "unit": unit})
        number = f"INT-2026-0000{place:02d}"
        await harness.submitted(subject=ids[place], number=number, applicant=applicant, description=description)
        if place < 2:
            decision, body = (("return", RETURN), ("verification", VERIFY))[place]
            assert (await harness.post("nurlaila", f"{REQUESTS}/{ids[place]}/{decision}", body)).status_code == 200
        await harness.sign_in_again_after(days=1)
    return ids


async def test_a_list_is_sorted_by_every_column_and_its_pages_follow(harness: StaffHarness):
    ids = await three_requests(harness)
    for sort, places in (
        ("number", [0, 1, 2]),
        ("subject", [2, 1, 0]),
        ("name", [1, 2, 0]),
        ("unit", [1, 0, 2]),
        ("scope", [0, 1, 2]),
        ("status", [2, 0, 1]),
        ("lead", [0, 1, 2]),
        ("submitted_at", [0, 1, 2]),
        ("due", [1, 2, 0]),
        ("received_at", [0, 1, 2]),
    ):
        for descending in (False, True):
            parameters = {"sort": "-" * descending + sort, "limit": 2}
            first = (await harness.get("nurlaila", REQUESTS, params=parameters)).json()
            second = (await harness.get("nurlaila", REQUESTS, params={**parameters, "after": first["next"]})).json()
            found = [ids.index(line["id"]) for line in first["items"] + second["items"]]
            assert found == (places[::-1] if descending else places), parameters
            back = await harness.get("nurlaila", REQUESTS, params={**parameters, "before": second["previous"]})
            assert back.json()["items"] == first["items"]


async def test_a_list_is_narrowed_by_day_stage_lead_and_delay_and_counted(harness: StaffHarness):
    ids = await three_requests(harness)
    await harness.publish(assigned, subject=ids[1])
    for parameters, places in (
        ({"from": "2026-11-24"}, [1, 2]),
        ({"from": "2026-11-24", "to": "2026-11-24"}, [1]),
        ({"to": "2026-11-23", "sort": "-name"}, [0]),
        ({"stage": "start"}, [1]),
        ({"lead": "dewi"}, [1]),
        ({"lead": "jafar"}, []),
        ({"overdue": "true"}, []),
        ({"overdue": "false"}, [0, 1, 2]),
        ({"search": "ijin ANDI"}, [1]),
    ):
        page = (await harness.get("nurlaila", REQUESTS, params={**parameters, "total": "true", "limit": 1})).json()
        assert page["total"] == len(places), parameters
        page = (await harness.get("nurlaila", REQUESTS, params=parameters)).json()
        assert [ids.index(line["id"]) for line in page["items"]] == places, parameters
        assert "total" not in page
    await harness.sign_in_again_after(days=6)
    page = (await harness.get("nurlaila", REQUESTS, params={"overdue": "true", "sort": "due"})).json()
    shown = [(ids.index(line["id"]), line["stage"], line["due"], line["overdue_days"]) for line in page["items"]]
    assert shown == [(2, "verify", "2026-11-26", 4), (1, "start", "2026-11-30", 2)]
    assert page["items"][1]["subject"] == "Ijin penelitian dikirim ke portal."


@pytest.mark.parametrize("step", DECISIONS, ids=lambda step: step[0])
async def test_each_decision_returns_the_same_fields(harness: StaffHarness, step: tuple[str, dict[str, Any]]):
    await harness.submitted()
    answer = await harness.post("nurlaila", f"{HERE}/{step[0]}", step[1])
    status = {"verification": "verified", "return": "returned", "recommendation": "submitted"}[step[0]]
    assert answer.status_code == 200
    assert answer.json() == {"id": REQUEST, "number": "INT-2026-000001", "status": status, "version": 2}
    [event] = await harness.events("verification")
    assert getattr(event.fact, "by").username == "nurlaila"  # noqa: B009


@pytest.mark.parametrize("who", [name for name in PEOPLE if name not in ("nurlaila", "samsul")])
async def test_only_officers_read_and_decide(harness: StaffHarness, who: str):
    await harness.submitted()
    document = f"{HERE}/documents/{LETTER.id}"
    for path in (REQUESTS, HERE, document, f"{document}/pages/1", "/api/verification/live"):
        assert (await harness.get(who, path)).status_code == 403, path
    for step, body in DECISIONS:
        assert (await harness.post(who, f"{HERE}/{step}", body)).status_code == 403
    assert await harness.events("verification") == []


@pytest.mark.parametrize("step", DECISIONS, ids=lambda step: step[0])
async def test_a_late_decision_is_409_with_the_current_status(harness: StaffHarness, step: tuple[str, dict[str, Any]]):
    await harness.submitted()
    await harness.publish(rejected)
    answer = await harness.post("nurlaila", f"{HERE}/{step[0]}", step[1])
    problem = answer.json()
    assert answer.status_code == 409
    assert "Hasan Umpama, Penanggung Jawab Struktural" in problem["detail"]
    assert problem["current"]["status"] == "rejected"
    assert problem["current"]["version"] == 2
    assert await harness.events("verification") == []


async def test_a_withdrawn_request_cannot_be_verified(harness: StaffHarness):
    await harness.submitted()
    await harness.publish(withdrawn)
    answer = await harness.post("nurlaila", f"{HERE}/verification", VERIFY)
    assert answer.status_code == 409
    assert "oleh Pemohon pada 23 November 2026, 12.00 WIT" in answer.json()["detail"]


async def test_unknown_requests_and_documents_are_404(harness: StaffHarness):
    for path in (f"{REQUESTS}/{OTHER}", f"{REQUESTS}/{OTHER}/documents/x", f"{REQUESTS}/{OTHER}/documents/x/pages/1"):
        assert (await harness.get("nurlaila", path)).status_code == 404, path
    for step, body in DECISIONS:
        assert (await harness.post("nurlaila", f"{REQUESTS}/{OTHER}/{step}", body)).status_code == 404
    await harness.submitted()
    assert (await harness.get("nurlaila", f"{HERE}/documents/unknown")).status_code == 404


async def test_a_request_is_404_until_its_submission_arrives(harness: StaffHarness):
    await harness.publish(rejected)
    assert (await harness.get("nurlaila", HERE)).status_code == 404
    assert (await harness.post("nurlaila", f"{HERE}/verification", VERIFY)).status_code == 404
    await harness.submitted()
    assert (await harness.get("nurlaila", HERE)).json()["status"] == "rejected"


@pytest.mark.parametrize(
    ("step", "body", "field", "words"),
    [
        ("verification", {**VERIFY, "checklist": ALL_OK[:3]}, "checklist", "Dokumen persyaratan lengkap"),
        ("verification", {**VERIFY, "checklist": [*ALL_OK, ALL_OK[0]]}, "checklist", "lebih dari sekali"),
        ("verification", {**VERIFY, "checklist": LETTER_FAILED}, "checklist", "semua butir terpenuhi"),
        ("verification", {"checklist": ALL_OK}, "acknowledged_warnings", "birth_date"),
        ("verification", {}, "checklist", "Wajib diisi"),
        ("verification", {**VERIFY, "status": "verified"}, "status", "tidak dikenal"),
        ("verification", {**VERIFY, "checklist": {"$ne": 1}}, "checklist", "daftar"),
        ("return", {"checklist": ALL_OK}, "checklist", "tidak ada yang perlu dilengkapi"),
        (
            "return",
            {"checklist": [{**LETTER_FAILED[1], "note": " "}, *ALL_OK[:1], *ALL_OK[2:]]},
            "checklist",
            "catatan",
        ),
        ("return", {"checklist": [{"item": "form", "ok": "yes"}]}, "checklist.0.ok", "true"),
        ("return", {"checklist": [{"item": "stamp", "ok": True}]}, "checklist.0.item", "Pilih"),
        ("return", {"checklist": [{"item": "form", "ok": False, "note": "x" * 501}]}, "checklist.0.note", "500"),
        ("recommendation", {"reason": "  "}, "reason", "Wajib diisi"),
        ("recommendation", {"reason": "a\u0000b"}, "reason", "kendali"),
        ("recommendation", {"reason": "x" * 4001}, "reason", "4000"),
    ],
)
async def test_an_invalid_body_names_the_field(
    harness: StaffHarness, step: str, body: dict[str, Any], field: str, words: str
):
    await harness.submitted()
    answer = await harness.post("nurlaila", f"{HERE}/{step}", body)
    assert answer.status_code == 422
    errors = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert words in errors[field]
    assert await harness.events("verification") == []


async def test_a_second_recommendation_names_the_first(harness: StaffHarness):
    await harness.submitted()
    await harness.post("nurlaila", f"{HERE}/recommendation", RECOMMEND)
    answer = await harness.post("samsul", f"{HERE}/recommendation", RECOMMEND)
    assert answer.status_code == 409
    assert "Nurlaila Ibarat" in answer.json()["detail"]


async def test_a_repeated_key_gets_the_first_response_and_decides_once(harness: StaffHarness):
    await harness.submitted()
    first = await harness.post("nurlaila", f"{HERE}/return", RETURN, key="k")
    await harness.publish(resubmitted)
    again = await harness.post("nurlaila", f"{HERE}/return", RETURN, key="k")
    assert (again.status_code, again.json()) == (200, first.json())
    other = [{**line, "note": "Lain."} if not line["ok"] else line for line in LETTER_FAILED]
    assert (await harness.post("nurlaila", f"{HERE}/return", {"checklist": other}, key="k")).status_code == 422
    assert len(await harness.events("verification")) == 1


async def test_one_of_fifty_concurrent_decisions_succeeds(harness: StaffHarness):
    await harness.submitted()
    steps = [(("nurlaila", "samsul")[n % 2], *DECISIONS[n // 2 % 2]) for n in range(50)]
    answers = await asyncio.gather(*(harness.post(who, f"{HERE}/{step}", body) for who, step, body in steps))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 49]
    winner = next(place for place, answer in enumerate(answers) if answer.status_code == 200)
    for answer in answers:
        if answer.status_code == 409:
            assert PEOPLE[steps[winner][0]][0] in answer.json()["detail"]
            assert answer.json()["current"]["version"] == 2
    assert len(await harness.events("verification")) == 1
    assert (await harness.get("nurlaila", HERE)).json()["status"] == answers[winner].json()["status"]


async def test_a_document_is_downloaded_as_an_attachment(harness: StaffHarness):
    content = pdf()
    document = await harness.store_document("kamus data.pdf", content)
    await harness.submitted(document)
    answer = await harness.get("nurlaila", f"{HERE}/documents/{document.id}")
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-disposition"].startswith('attachment; filename="kamus data.pdf"')
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_pages_are_images_that_link_to_the_next(harness: StaffHarness):
    document = await harness.store_document("surat.pdf", pdf(pages=2), DocumentKind.LETTER)
    await harness.submitted(document)
    pages = f"{HERE}/documents/{document.id}/pages"
    first = await harness.get("nurlaila", f"{pages}/1")
    assert (first.status_code, first.headers["content-type"]) == (200, "image/png")
    assert Image.open(BytesIO(first.content)).width == 1200
    assert first.headers["link"] == f'<{pages}/2>; rel="next"'
    last = await harness.get("nurlaila", f"{pages}/2")
    assert last.status_code == 200
    assert "link" not in last.headers
    for missing in (0, 3, -1, 10**9):
        assert (await harness.get("nurlaila", f"{pages}/{missing}")).status_code == 404, missing
    assert (await harness.get("nurlaila", f"{pages}/satu")).status_code == 422


async def test_documents_without_pages_are_refused(harness: StaffHarness):
    broken = await harness.store_unchecked("rusak.pdf", b"%PDF-1.7\nno more than this", "application/pdf")
    archive = RESULT.model_copy(update={"id": "arsip", "media_type": "application/zip"})
    lost = RESULT.model_copy(update={"id": "hilang"})
    await harness.submitted(broken, archive, lost)
    for document_id, status in ((broken.id, 422), ("arsip", 415), ("hilang", 404), ("unknown", 404)):
        answer = await harness.get("nurlaila", f"{HERE}/documents/{document_id}/pages/1")
        assert answer.status_code == status, document_id
        assert answer.json()["detail"].endswith(".")


async def test_the_live_stream_reports_which_request_changed(harness: StaffHarness):
    await harness.submitted()
    streams = harness.app.state.streams
    listening = asyncio.create_task(harness.get("samsul", "/api/verification/live"))

    async def open_() -> bool:
        return bool(streams.open_count)

    await harness.wait_until(open_)
    await harness.post("nurlaila", f"{HERE}/verification", VERIFY)
    await asyncio.sleep(0.2)
    streams.close()
    stream = (await asyncio.wait_for(listening, 20)).text
    [data] = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    reported = {"number": "INT-2026-000001", "status": "verified", "label": "Terverifikasi"}
    assert data == {"id": REQUEST, "version": 2, **reported}
