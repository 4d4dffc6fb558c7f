"""Ready-made sentences: the API, the page that changes them, and the pages that offer them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.domain.given_when_then import REQUEST
from tests.support.services.services_harness import services_harness
from tests.support.services.staff_harness import StaffHarness

PHRASES = "/api/phrases"
STAMP = {"shortcut": "cap", "title": "Cap belum ada", "text": "Mohon bubuhkan cap\ndinas.", "use": "return"}
WHY = {"shortcut": "luar", "title": "Di luar", "text": "Di luar lingkup.", "use": "rejection"}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "verification", "assignment", "notification") as opened:
        yield opened


async def put(harness: StaffHarness, who: str, **body: Any) -> httpx.Response:
    return await harness.call(who, "PUT", PHRASES, json=body)


def browser(harness: StaffHarness, who: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(harness.app)
    cookies = {"simpul": f"token of {who}"}
    return httpx.AsyncClient(transport=transport, base_url=harness.platform.settings.origin, cookies=cookies)


async def test_the_office_starts_with_sentences_for_every_use_and_replaces_them(harness: StaffHarness):
    first = (await harness.get("nurlaila", PHRASES)).json()
    assert first["version"] == 0
    assert {phrase["use"] for phrase in first["items"]} == {"return", "question", "rejection"}
    changed = await put(harness, "hasan", items=[STAMP, WHY], version=0)
    assert (changed.status_code, changed.json()) == (200, {"items": [STAMP, WHY], "version": 1})
    assert (await harness.get("dewi", PHRASES)).json() == {"items": [STAMP, WHY], "version": 1}
    late = await put(harness, "admin", items=[], version=0)
    assert (late.status_code, "sudah diubah orang lain" in late.json()["detail"]) == (409, True)
    assert (await put(harness, "admin", items=[])).json() == {"items": [], "version": 2}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("shortcut", "Dua Kata", "Isi singkatan dengan huruf kecil, angka, atau tanda hubung"),
        ("shortcut", "", "Wajib diisi."),
        ("title", " ", "Wajib diisi."),
        ("text", "x" * 501, "Tulis paling banyak 500 huruf. Sekarang 501."),
        ("use", "greeting", "Pilih salah satu: return, question, rejection."),
        ("more", "x", "Isian ini tidak dikenal."),
    ],
)
async def test_an_invalid_sentence_is_refused(harness: StaffHarness, field: str, value: str, message: str):
    answer = await put(harness, "hasan", items=[{**STAMP, field: value}])
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, f"items.0.{field}")
    assert error["message"].startswith(message)


async def test_shortcuts_are_unique_and_officers_change_nothing(harness: StaffHarness):
    answer = await put(harness, "hasan", items=[STAMP, {**WHY, "shortcut": "cap"}])
    assert (answer.status_code, "dipakai dua kali" in answer.text) == (422, True)
    assert (await put(harness, "nurlaila", items=[])).status_code == 403


async def test_the_page_changes_adds_and_removes_sentences(harness: StaffHarness):
    await put(harness, "hasan", items=[STAMP, WHY])
    async with browser(harness, "hasan") as client:
        page = await client.get("/kalimat")
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        rows = {
            "title": ["Cap dinas", "", "Baru"], "shortcut": ["cap", "luar", "baru"],
            "use": ["return", "rejection", "question"], "text": [STAMP["text"], " ", "Kapan?"],
        }  # fmt: skip
        refused = await client.post("/kalimat", data={**hidden, **rows, "shortcut": ["cap", "luar", "B A"]})
        assert (refused.status_code, 'id="shortcut-1-e"' in refused.text) == (422, True)
        assert 'value="B A"' in refused.text
        saved = await client.post("/kalimat", data={**hidden, **rows})
        assert (saved.status_code, saved.headers["location"]) == (303, "/kalimat?tersimpan")
        late = await client.post("/kalimat", data={**hidden, **rows, "_key": "other"})
        assert (late.status_code, "sudah diubah orang lain" in late.text) == (409, True)
    assert (await harness.get("hasan", PHRASES)).json()["items"] == [
        {**STAMP, "title": "Cap dinas"},
        {"shortcut": "baru", "title": "Baru", "text": "Kapan?", "use": "question"},
    ]


async def test_pages_offer_the_sentences_of_their_use(harness: StaffHarness):
    await put(harness, "hasan", items=[STAMP, WHY])
    await harness.submitted()
    for who, path, shortcuts in (
        ("nurlaila", f"/verifikasi/{REQUEST}", ["cap"]),
        ("nurlaila", f"/verifikasi/{REQUEST}/rekomendasi", ["luar"]),
        ("hasan", f"/penugasan/{REQUEST}/tolak", ["luar"]),
    ):
        async with browser(harness, who) as client:
            page = await client.get(path)
        assert re.findall(r'data-shortcut="([^"]+)"', page.text) == shortcuts, path
        for shortcut, text in (("cap", STAMP["text"]), ("luar", WHY["text"])):
            assert (unescape(page.text).count(text) > 0) == (shortcut in shortcuts)
