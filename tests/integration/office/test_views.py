"""Saved views: the API, the page that saves and changes them, and the chips above the lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.domain.given_when_then import REQUEST
from tests.support.services.assignment_pages import advance_to, rows
from tests.support.services.form_browser import browser, visible_text
from tests.support.services.services_harness import services_harness, wait_for_email
from tests.support.services.staff_harness import OTHER, StaffHarness

PATH, PAGE, QUEUE = "/api/views", "/tampilan", "/verifikasi"
LATE = {"name": "Terlambat", "list": "verification", "query": "?status=open&overdue=true&after=x&limit=5"}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "verification", "assignment", "notification") as opened:
        yield opened


async def test_views_are_saved_renamed_and_deleted_for_one_person(harness: StaffHarness):
    first = await harness.post("nurlaila", PATH, LATE, key="once")
    assert (first.status_code, {**first.json(), "id": ""}) == (
        201,
        {
            "id": "",
            "name": "Terlambat",
            "list": "verification",
            "query": "overdue=true&status=open",
            "default": False,
            "url": "/verifikasi?overdue=true&status=open",
        },
    )
    assert (await harness.post("nurlaila", PATH, LATE, key="once")).json() == first.json()
    assert (await harness.post("nurlaila", PATH, {**LATE, "name": "Lain"}, key="once")).status_code == 422
    taken = await harness.post("nurlaila", PATH, {**LATE, "name": "terlambat"})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "name")
    second = (
        await harness.post("nurlaila", PATH, {**LATE, "name": "Data", "query": "scope=data", "default": True})
    ).json()
    address = f"{PATH}/{first.json()['id']}"
    changed = await harness.call("nurlaila", "PATCH", address, json={"name": "Lewat", "default": True})
    assert (changed.status_code, changed.json()["name"], changed.json()["default"]) == (200, "Lewat", True)
    listed = (await harness.get("nurlaila", PATH)).json()["items"]
    assert [(one["name"], one["default"]) for one in listed] == [("Data", False), ("Lewat", True)]
    assert (await harness.get("samsul", PATH)).json()["items"] == []
    for method in ("PATCH", "DELETE"):
        options: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
        assert (await harness.call("samsul", method, address, **options)).status_code == 404
    assert (await harness.call("nurlaila", "PATCH", address, json={"name": "Data"})).status_code == 409
    assert (await harness.call("nurlaila", "DELETE", address)).status_code == 200
    # A repeated call gets its first answer, and saves nothing again.
    repeated = await harness.post("nurlaila", PATH, LATE, key="once")
    assert (repeated.status_code, repeated.json()["id"]) == (201, first.json()["id"])
    assert (await harness.post("nurlaila", PATH, {**LATE, "name": "Lain"}, key="once")).status_code == 422
    assert [one["id"] for one in (await harness.get("nurlaila", PATH)).json()["items"]] == [second["id"]]
    for wrong, status in (
        ({"list": "assignment"}, 403),
        ({"list": "semua"}, 422),
        ({"name": " "}, 422),
        ({"more": 1}, 422),
    ):
        assert (await harness.post("nurlaila", PATH, {**LATE, "name": "Baru", **wrong})).status_code == status


async def test_an_officer_saves_what_the_queue_shows_and_opens_it_from_a_chip(harness: StaffHarness):
    await harness.submitted()
    await harness.submitted(subject=OTHER, number="INT-2026-000002", scope="application")
    async with browser(harness, "nurlaila") as client:
        shown = await client.get(f"{QUEUE}?scope=data&sort=-number")
        form = await client.get(chip(shown, "Simpan tampilan"))
        refused = await client.send(form)
        assert (refused.status_code, "Nama tampilan wajib diisi." in visible_text(refused)) == (422, True)
        saved = await client.send(refused, name="Data terbaru", default="yes")
        assert (saved.status_code, saved.headers["Location"]) == (303, "/verifikasi?scope=data&sort=-number")
        shown = await client.get(saved.headers["Location"])
        assert chip(shown, "Data terbaru") == "/verifikasi?scope=data&sort=-number"
        assert 'aria-current="true"><span>Data terbaru' in shown.text
        assert "Simpan tampilan" not in shown.text
        # The queue opens with the default view, and its tabs lead to all requests.
        opened = await client.get(QUEUE)
        assert (opened.status_code, opened.headers["Location"]) == (303, "/verifikasi?scope=data&sort=-number")
        assert len(rows(await client.get(f"{QUEUE}?status=submitted"))) == 2
        again = await client.get(f"{PAGE}?list=verification&query=scope%3Ddata")
        taken = await client.send(again, name="data TERBARU")
        assert (taken.status_code, "sudah ada untuk daftar ini" in visible_text(taken)) == (409, True)

        listed = await client.get(PAGE)
        (view,) = (await harness.get("nurlaila", PATH)).json()["items"]
        renamed = await client.send(listed, PAGE, name="Data")
        assert (renamed.status_code, renamed.headers["Location"]) == (303, f"{PAGE}?tersimpan")
        (view,) = (await harness.get("nurlaila", PATH)).json()["items"]
        assert (view["name"], view["default"]) == ("Data", False)
        assert (await client.get(QUEUE)).status_code == 200
        deleted = await client.send(await client.get(PAGE), PAGE, name="Data", _do="delete")
        assert deleted.status_code == 303
        assert "Belum ada tampilan" in visible_text(await client.get(PAGE))


async def test_heads_and_leads_have_views_of_their_lists(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    for who, name, path, query in (
        ("hasan", "assignment", "/penugasan", "lead=dewi&tab=running"),
        ("dewi", "work", "/pekerjaan", "overdue=true"),
    ):
        body = {"name": "Pilihan", "list": name, "query": query, "default": True}
        assert (await harness.post(who, PATH, body)).status_code == 201
        async with browser(harness, who) as client:
            opened = await client.get(path)
            assert (opened.status_code, opened.headers["Location"]) == (303, f"{path}?{query}")
            shown = await client.get(opened.headers["Location"])
            assert 'aria-current="true"><span>Pilihan' in shown.text
            assert chip(shown, "Kelola tampilan") == PAGE
            other = await client.get(f"{path}?tab=open")
            assert "/tampilan?list=" + name in chip(other, "Simpan tampilan")


async def test_lists_are_filtered_by_stage_on_their_pages(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    await advance_to(harness, "submitted", subject=OTHER, number="INT-2026-000002")
    for who, address, expected in (
        ("nurlaila", "/verifikasi?status=open&stage=verify", [OTHER]),
        ("nurlaila", "/verifikasi?status=all&stage=work", [REQUEST]),
        ("hasan", "/penugasan?tab=open&stage=work", [REQUEST]),
        ("dewi", "/pekerjaan?stage=work", [REQUEST]),
    ):
        async with browser(harness, who) as client:
            shown = await client.get(address)
            assert rows(shown) == expected, address
            stage = address.rpartition("=")[2]
            assert f'<option value="{stage}" selected>' in shown.text
            nothing = await client.get(address.replace(stage, "confirm"))
            assert rows(nothing) == []
    async with browser(harness, "nurlaila") as client:
        assert "Konfirmasi" in visible_text(await client.get("/verifikasi?status=open&stage=confirm"))
        days = await client.get("/verifikasi?status=open&from=23 Nov 2026&to=Senin, 23 November 2026")
        assert rows(days) == [REQUEST, OTHER]
        assert 'value="23/11/2026"' in days.text


async def test_the_list_of_emails_is_downloaded_from_its_page(harness: StaffHarness):
    await harness.submitted()
    await wait_for_email(harness, "sent")
    async with browser(harness, "admin") as client:
        shown = await client.get("/surel-keluar?status=sent")
        address = "/api/notification/requests.csv?status=sent"
        assert f'<a href="{address}">CSV</a>, <a href="{address.replace("csv", "xlsx")}">XLSX</a>' in shown.text
        file = await client.get(address)
    assert file.headers["content-disposition"] == 'attachment; filename="surel.csv"'
    assert "INT-2026-000001,received,r***@dishub.example,sent" in file.text


def chip(shown: httpx.Response, label: str) -> str:
    """Return the address of the chip with this label."""
    for part in shown.text.split('<a class="chip" href="')[1:]:
        inside = part.partition("</a>")[0]
        if label in inside:
            return unescape(inside.partition('"')[0])
    raise AssertionError(f"no chip {label}")
