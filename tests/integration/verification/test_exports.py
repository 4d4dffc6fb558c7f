"""Lists as files: the whole filtered list, without formulas."""

from __future__ import annotations

import asyncio
import csv
import io
import tempfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from shared.runtime.executor import Executor
from shared.storage.port import RecordQuery, StoreUnavailable
from tests.support.domain.request_events import APPLICANT
from tests.support.services.assignment_pages import advance_to
from tests.support.services.staff_harness import StaffHarness, staff_harness

NAMES = {"main": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


class PausedReads:
    def __init__(self) -> None:
        self.started, self.resume = 0, asyncio.Event()

    async def wait_until_started(self, count: int) -> None:
        async with asyncio.timeout(30):
            while self.started < count:  # noqa: ASYNC110 - few turns of the event loop
                await asyncio.sleep(0.01)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        yield opened


async def submit(harness: StaffHarness, count: int) -> None:
    for place in range(count):
        unit = "Dinas Sosial" if place % 2 else "Dinas Kesehatan"
        applicant = APPLICANT.model_copy(update={"name": f"=CMD({place})", "unit": unit})
        await harness.submitted(
            subject=f"00000000-0000-4000-8000-0000000001{place:02d}",
            number=f"INT-2026-{place:06d}",
            applicant=applicant,
            description="+62 nomor\ndaring",
        )


def cells(workbook: bytes, number: int = 1) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        assert not [name for name in archive.namelist() if "calcChain" in name]
        sheet = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
    assert sheet.find(".//main:f", NAMES) is None
    return [
        ["".join(cell.itertext()) for cell in row.findall("main:c", NAMES)]
        for row in sheet.iterfind(".//main:row", NAMES)
    ]


async def test_the_filtered_list_is_downloaded_whole_in_both_formats(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shared.web.api.exports.PAGE_SIZE", 2)
    await submit(harness, 5)
    parameters = {"unit": "Dinas Kesehatan", "sort": "-number", "limit": 1}
    expected = ["INT-2026-000004", "INT-2026-000002", "INT-2026-000000"]
    for path in ("/api/verification/requests", "/api/assignment/requests"):
        who = "nurlaila" if "verification" in path else "hasan"
        answer = await harness.get(who, f"{path}.csv", params=parameters)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert answer.headers["content-disposition"] == 'attachment; filename="permohonan.csv"'
        heads, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
        assert heads[:3] == ["Nomor", "Status", "Pemohon"]
        assert [row[0] for row in rows] == expected
        assert (rows[0][2], rows[0][5]) == ("'=CMD(4)", "'+62 nomor daring")
        book = await harness.get(who, f"{path}.xlsx", params=parameters)
        first, *others = cells(book.content)
        assert first == heads
        assert others == rows


async def test_a_list_longer_than_a_sheet_continues_on_the_next(harness: StaffHarness, monkeypatch: pytest.MonkeyPatch):
    await submit(harness, 5)
    monkeypatch.setattr("shared.web.api.exports.SHEET_ROWS", 2)
    book = (await harness.get("nurlaila", "/api/verification/requests.xlsx")).content
    sheets = [cells(book, number) for number in (1, 2, 3)]
    assert {sheet[0][0] for sheet in sheets} == {"Nomor"}
    assert [[row[0] for row in sheet[1:]] for sheet in sheets] == [
        ["INT-2026-000000", "INT-2026-000001"],
        ["INT-2026-000002", "INT-2026-000003"],
        ["INT-2026-000004"],
    ]


async def test_a_workbook_without_room_for_temporary_files_is_refused_in_words(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    await submit(harness, 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    refused = await harness.get("nurlaila", "/api/verification/requests.xlsx")
    assert (refused.status_code, "sementara" in refused.json()["detail"]) == (503, True), refused.text


async def test_a_workbook_that_breaks_off_leaves_no_temporary_files(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    await submit(harness, 3)
    monkeypatch.setattr("shared.web.api.exports.PAGE_SIZE", 1)
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    find, pages = Executor.find, 0

    async def break_off(executor: Executor[Any], query: RecordQuery) -> Any:
        nonlocal pages
        pages += 1
        if pages > 2:
            raise StoreUnavailable("down")
        return await find(executor, query)

    monkeypatch.setattr(Executor, "find", break_off)
    assert (await harness.get("nurlaila", "/api/verification/requests.xlsx")).status_code == 503
    assert list(temporary.iterdir()) == []


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> PausedReads:
    """Reads of lists that wait until they are resumed."""
    reads, find = PausedReads(), Executor.find

    async def wait(executor: Executor[Any], query: RecordQuery) -> Any:
        reads.started += 1
        await reads.resume.wait()
        return await find(executor, query)

    monkeypatch.setattr(Executor, "find", wait)
    return reads


async def test_a_process_writes_a_few_lists_at_a_time(
    harness: StaffHarness, monkeypatch: pytest.MonkeyPatch, paused: PausedReads
):
    await submit(harness, 1)
    monkeypatch.setattr("shared.web.api.exports.MAX_CONCURRENT_EXPORTS", 2)
    paths = [f"/api/verification/requests.{kind}" for kind in ("csv", "xlsx")]
    running = [asyncio.create_task(harness.get("nurlaila", path)) for path in paths]
    await paused.wait_until_started(2)
    refused = await harness.get("samsul", paths[0])
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
    assert refused.json()["detail"] == "Sedang banyak daftar yang disusun. Coba unduh lagi setengah menit lagi."
    paused.resume.set()
    assert [(await answer).status_code for answer in running] == [200, 200]
    assert (await harness.get("samsul", paths[1])).status_code == 200


async def test_a_person_downloads_two_lists_at_a_time_and_leaves_room_for_others(
    harness: StaffHarness, paused: PausedReads
):
    await submit(harness, 1)
    path = "/api/verification/requests.csv"
    running = [asyncio.create_task(harness.get("nurlaila", path)) for _ in range(2)]
    await paused.wait_until_started(2)
    async with asyncio.timeout(30):
        refused = await harness.get("nurlaila", path)
        page = await harness.call("nurlaila", "GET", "/verifikasi/daftar.csv", cookies={"simpul": "token of nurlaila"})
    for each in (refused, page):
        assert (each.status_code, each.headers["retry-after"]) == (429, "30")
    assert refused.json()["detail"] == ("Dua daftar Anda masih diunduh. Coba unduh lagi setelah salah satunya selesai.")
    running += [
        asyncio.create_task(harness.get(who, each))
        for who, each in (("samsul", path), ("hasan", "/api/assignment/requests.csv"))
    ]
    await paused.wait_until_started(4)
    paused.resume.set()
    assert [(await answer).status_code for answer in running] == [200] * 4
    assert (await harness.get("nurlaila", path)).status_code == 200


async def test_a_page_offers_its_list_as_a_file(harness: StaffHarness):
    await submit(harness, 2)
    page = await harness.call(
        "nurlaila", "GET", "/verifikasi?search=000001&status=open", cookies={"simpul": "token of nurlaila"}
    )
    assert 'href="/verifikasi/daftar.csv?status=open&amp;search=000001"' in page.text
    assert "1-1 dari 1" in page.text
    for who, path in (("nurlaila", "/verifikasi/daftar.csv?"), ("hasan", "/penugasan/daftar.csv?tab=submitted&")):
        answer = await harness.call(who, "GET", f"{path}search=000001", cookies={"simpul": f"token of {who}"})
        [_, row] = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
        assert row[0] == "INT-2026-000001"


@pytest.mark.parametrize("path", ["requests.pdf", "requests.csv?sort=colour"])
async def test_an_unknown_format_or_column_is_refused(harness: StaffHarness, path: str):
    assert (await harness.get("nurlaila", f"/api/verification/{path}")).status_code == 422


async def test_leads_download_their_own_requests_only(harness: StaffHarness):
    await submit(harness, 2)
    await advance_to(harness, "assigned")
    path = "/api/assignment/requests"
    for query, listed in (("", 1), ("?lead=dewi", 1), ("?lead=surya", 0)):
        assert len((await harness.get("dewi", f"{path}{query}")).json()["items"]) == listed
        exported = await harness.get("dewi", f"{path}.csv{query}")
        assert len(exported.content.decode().splitlines()) == 1 + listed
    assert (await harness.get("dewi", "/api/verification/requests.csv")).status_code == 403
