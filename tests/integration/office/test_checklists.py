"""Checklists that the office sets: from when they hold, what officers are asked, and how old verdicts and figures read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.facts import Scope
from tests.support.services.assignment_pages import error_beside, page, send, submit_form, visible_text
from tests.support.services.services_harness import request_id, services_harness, submission
from tests.support.services.staff_harness import StaffHarness

API, PAGE = "/api/checklists/data", "/pengaturan/daftar-periksa/data"
REQUESTS = "/api/verification/requests"
INITIAL = ["form", "letter", "scope", "documents"]
DICTIONARY = {"label": "Kamus data terlampir dan dapat dibuka", "concerns": "documents"}
OWNER = {"label": "Pemilik data menyetujui", "concerns": "letter"}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "verification", "assignment", "notification") as opened:
        yield opened


async def items_of(harness: StaffHarness) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await harness.get("admin", API)).json()["items"]
    return items


async def set_items(harness: StaffHarness, *items: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await harness.call("admin", "PUT", API, json={"items": items})
    assert answer.status_code == 200, answer.text
    stored: list[dict[str, Any]] = answer.json()["items"]
    return stored


async def submitted(harness: StaffHarness, number: int, minute: int) -> str:
    """Publish a request for data that was submitted in this minute."""
    harness.clock.now = datetime(2026, 11, 23, 3, minute, tzinfo=UTC)
    await harness.publish(submission(number, scope=Scope.DATA), subject=request_id(number))
    await harness.wait_for_status("verification", "submitted", request_id(number))
    return f"{REQUESTS}/{request_id(number)}"


async def checklist_of(harness: StaffHarness, path: str) -> list[str]:
    return [item["label"] for item in (await harness.get("nurlaila", path)).json()["checklist"]]


async def test_a_checklist_holds_for_requests_that_are_submitted_later(harness: StaffHarness):
    early = await submitted(harness, 1, 0)
    first = await items_of(harness)
    assert [item["id"] for item in first] == INITIAL
    harness.clock.now = datetime(2026, 11, 23, 3, 1, tzinfo=UTC)
    reworded = {**first[1], "label": "Surat ditandatangani dan bernomor"}
    stored = await set_items(harness, reworded, first[0], DICTIONARY)
    assert [item["label"] for item in stored] == [reworded["label"], first[0]["label"], DICTIONARY["label"]]
    late = await submitted(harness, 2, 2)
    assert await checklist_of(harness, early) == [item["label"] for item in first]
    assert await checklist_of(harness, late) == [item["label"] for item in stored]
    # The other scope keeps its own, and a repeated call changes nothing.
    other = (await harness.get("hasan", "/api/checklists/application")).json()
    assert ([item["id"] for item in other["items"]], other["version"]) == (INITIAL, 1)
    await set_items(harness, *stored)
    assert (await harness.get("admin", API)).json()["version"] == 1


async def test_officers_answer_the_items_of_the_request_and_old_verdicts_keep_their_wording(harness: StaffHarness):
    first = await items_of(harness)
    harness.clock.now = datetime(2026, 11, 23, 3, 1, tzinfo=UTC)
    letter, dictionary, owner = await set_items(harness, first[1], DICTIONARY, OWNER)
    path = await submitted(harness, 1, 2)
    findings = [
        {"item": letter["id"], "ok": True},
        {"item": dictionary["id"], "ok": False, "note": "Kolom B belum dijelaskan."},
        {"item": owner["id"], "ok": False, "note": "Lampirkan persetujuan."},
    ]
    missing = await harness.post("nurlaila", f"{path}/return", {"checklist": findings[:2]})
    assert missing.status_code == 422
    assert "Belum dinilai: Pemilik data menyetujui." in missing.text
    wrong = await harness.post("nurlaila", f"{path}/return", {"checklist": [*findings, {"item": "form", "ok": True}]})
    assert [error["field"] for error in wrong.json()["errors"]] == ["checklist.3.item"]
    assert (await harness.post("nurlaila", f"{path}/return", {"checklist": findings})).status_code == 200

    (returned,) = await harness.events("verification", request_id(1))
    verdicts = [(one["item"], one.get("check", "")) for one in returned.fact.model_dump(mode="json")["verdicts"]]
    assert verdicts == [("letter", ""), ("documents", dictionary["id"]), ("letter", owner["id"])]

    harness.clock.now = datetime(2026, 11, 23, 3, 3, tzinfo=UTC)
    await set_items(harness, {**dictionary, "label": "Kamus data lengkap"})
    shown = (await harness.get("nurlaila", path)).json()["verdicts"]
    assert [one["label"] for one in shown] == [letter["label"], DICTIONARY["label"], OWNER["label"]]
    assert DICTIONARY["label"] in visible_text(await page(harness, "nurlaila", f"/verifikasi/{request_id(1)}"))

    # The figures count by item, under the latest wording, with items that are no longer checked.
    async def counted() -> bool:
        body = (await harness.get("hasan", "/api/assignment/dashboard?from=2026-11-01&to=2026-11-30")).json()
        found = {one["item"]: (one["label"], one["count"]) for one in body["failed_items"]}
        return found.get(dictionary["id"]) == ("Kamus data lengkap", 1) and found[owner["id"]] == (OWNER["label"], 1)

    await harness.wait_until(counted)
    assert "Kamus data lengkap" in visible_text(await page(harness, "hasan", "/dasbor"))


async def test_the_page_of_a_request_asks_its_items(harness: StaffHarness):
    first = await items_of(harness)
    harness.clock.now = datetime(2026, 11, 23, 3, 1, tzinfo=UTC)
    letter, owner = await set_items(harness, first[1], OWNER)
    await submitted(harness, 1, 2)
    path = f"/verifikasi/{request_id(1)}"
    refused = await submit_form(harness, "nurlaila", path, _do="return", **{f"ok_{owner['id']}": "no"})
    assert refused.status_code == 422
    assert error_beside(refused, f"ok_{letter['id']}") == "Pilih Sesuai atau Belum."
    assert error_beside(refused, f"note_{owner['id']}")
    fields = {f"ok_{letter['id']}": "yes", f"ok_{owner['id']}": "no", f"note_{owner['id']}": "Lampirkan persetujuan."}
    done = await send(harness, "nurlaila", path, refused, _do="return", **fields)
    assert done.status_code == 303


REFUSALS: list[tuple[list[dict[str, Any]], str, str]] = [
    ([], "items", "Tulis paling sedikit satu butir."),
    ([{**DICTIONARY, "label": f"Butir {number}"} for number in range(13)], "items", "Isi paling banyak 12."),
    ([{**DICTIONARY, "label": " "}], "items.0.label", "Wajib diisi."),
    ([{**DICTIONARY, "label": "x" * 121}], "items.0.label", "Tulis paling banyak 120 huruf."),
    ([{**DICTIONARY, "concerns": "weather"}], "items.0.concerns", "Pilih salah satu: form, letter, scope, documents."),
    ([{**DICTIONARY, "id": "c0ffee00"}], "items", "Butir ini tidak dikenal, atau disebut dua kali."),
    (
        [{**DICTIONARY, "id": "form"}, {**OWNER, "id": "form"}],
        "items",
        "Butir ini tidak dikenal, atau disebut dua kali.",
    ),
    ([DICTIONARY, DICTIONARY], "items", "Tulis setiap butir satu kali saja: Kamus data terlampir dan dapat dibuka."),
]


@pytest.mark.parametrize(("items", "field", "message"), REFUSALS)
async def test_impossible_checklists_are_refused(
    harness: StaffHarness, items: list[dict[str, Any]], field: str, message: str
):
    answer = await harness.call("admin", "PUT", API, json={"items": items})
    assert answer.status_code == 422, answer.text
    assert len(answer.json()["errors"]) == 1, answer.text
    (error,) = answer.json()["errors"]
    assert (error["field"], error["message"][: len(message)]) == (field, message)


async def test_only_administrators_change_a_checklist_and_later_ones_conflict(harness: StaffHarness):
    body = {"items": await items_of(harness), "version": 0}
    assert (await harness.call("hasan", "PUT", API, json=body)).status_code == 403
    assert (await harness.get("nurlaila", API)).status_code == 403
    assert (await page(harness, "hasan", PAGE)).status_code == 403
    assert (await page(harness, "admin", "/pengaturan/daftar-periksa/lain")).status_code == 404
    await set_items(harness, DICTIONARY)
    answer = await harness.call("admin", "PUT", API, json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "settings_changed")


@pytest.mark.parametrize("shown_again", [{"_do": "add"}, {"_do": "up-1"}, {"label": " "}, {"_resume": "1"}])
async def test_a_checklist_that_is_shown_again_stays_on_its_version(harness: StaffHarness, shown_again: dict[str, str]):
    shown, first = await page(harness, "admin", PAGE), await items_of(harness)
    rows: dict[str, Any] = {name: [item[name] for item in first] for name in ("id", "label", "concerns")}
    stored = await set_items(harness, DICTIONARY)
    shown = await send(harness, "admin", PAGE, shown, **{**rows, **shown_again})
    assert shown.status_code == (422 if "label" in shown_again else 200)
    conflict = await send(harness, "admin", PAGE, shown, **rows)
    assert conflict.status_code == 409
    assert await items_of(harness) == stored
    text = visible_text(conflict)
    assert "Isian di halaman ini belum memuat perubahan itu; bila disimpan lagi, isian ini menggantikannya." in text
    # A button after the conflict keeps the version that the conflict has shown.
    shown = await send(harness, "admin", PAGE, conflict, **rows, _do="up-1")
    assert (await send(harness, "admin", PAGE, shown, **rows)).status_code == 303


async def test_rows_are_moved_added_and_removed_without_a_script(harness: StaffHarness):
    shown = await page(harness, "admin", PAGE)
    first = await items_of(harness)
    rows = {name: [item[name] for item in first] for name in ("id", "label", "concerns")}
    moved = await send(harness, "admin", PAGE, shown, **rows, _do="down-0")
    assert moved.status_code == 200
    labels = re.findall('name="label" value="([^"]*)"', moved.text)
    assert labels[:2] == [first[1]["label"], first[0]["label"]]
    assert [item["id"] for item in await items_of(harness)] == INITIAL
    added = await send(harness, "admin", PAGE, moved, **rows, _do="add")
    assert 'id="label-4" name="label" value=""' in added.text
    removed = await send(harness, "admin", PAGE, added, **rows, _do="remove-3")
    assert first[3]["label"] not in removed.text.partition("<main")[2]

    rows = {name: [*values[1:3], extra] for (name, values), extra in zip(rows.items(), ("", " ", "form"), strict=True)}
    refused = await send(harness, "admin", PAGE, removed, **rows)
    assert (refused.status_code, error_beside(refused, "label-2")) == (422, "Wajib diisi.")
    saved = await send(harness, "admin", PAGE, refused, **{**rows, "label": [*rows["label"][:2], DICTIONARY["label"]]})
    assert (saved.status_code, saved.headers["location"]) == (303, f"{PAGE}?tersimpan")
    items = await items_of(harness)
    assert [item["label"] for item in items] == [first[1]["label"], first[2]["label"], DICTIONARY["label"]]
    assert [item["id"] for item in items][:2] == ["letter", "scope"]
    text = visible_text(await page(harness, "admin", f"{PAGE}?tersimpan"))
    assert "Daftar periksa tersimpan." in text
    assert "Terakhir diubah oleh Admin Contoh, 23 November 2026." in text
    assert DICTIONARY["label"] in visible_text(await page(harness, "hasan", "/pengaturan"))
