"""Unauthorized uploads are refused before the body is read, and uploads without space in the temporary folder are refused."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.support.paths import REPOSITORY
from tests.support.services.assignment_pages import API, WORK, advance_to, page
from tests.support.services.forms_harness import hidden_fields
from tests.support.services.intake_harness import FILES, FORM, IntakeHarness, intake_harness, nothing_is_stored
from tests.support.services.staff_harness import StaffHarness, staff_harness
from tests.support.services.staff_harness import pdf as a_pdf

ROOT = REPOSITORY
MULTIPART = "multipart/form-data; boundary=bb"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path) as opened:
        await advance_to(opened, "in_progress")
        yield opened


async def status_of_unread(app: FastAPI, path: str, size: int | None = 5_000, **headers: str) -> tuple[int, str]:
    """The status and text of a response that must arrive before the server asks for the body."""
    declared = {"content-length": str(size)} if size is not None else {"transfer-encoding": "chunked"}
    given = {"host": "127.0.0.1:8000", "content-type": MULTIPART, **declared, **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "server": ("127.0.0.1", 8000),
    }
    sent: list[Mapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        assert sent, "the body was read"
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


UPLOADS = pytest.mark.parametrize("path", [f"{WORK}/serahkan", f"{WORK}/serahkan/berkas"])


@UPLOADS
@pytest.mark.parametrize("size", [300_000, 50_000_000, None])
async def test_a_page_does_not_read_an_upload_without_a_session(desk: StaffHarness, path: str, size: int | None):
    assert (await status_of_unread(desk.app, path, size))[0] == 401


@UPLOADS
async def test_a_page_says_that_a_large_upload_without_a_session_was_not_read(desk: StaffHarness, path: str):
    status, text = await status_of_unread(desk.app, path, 50_000_000, cookie="simpul=made up")
    assert status == 401
    assert "belum kami terima" in text


@UPLOADS
@pytest.mark.parametrize(("who", "status"), [("nurlaila", 403), ("hasan", 403), ("jafar", 404)])
async def test_a_page_does_not_read_an_upload_of_unauthorized_staff(
    desk: StaffHarness, path: str, who: str, status: int
):
    assert (await status_of_unread(desk.app, path, cookie=f"simpul=token of {who}"))[0] == status


@UPLOADS
async def test_a_page_does_not_read_a_cross_site_upload(desk: StaffHarness, path: str):
    headers = {"cookie": "simpul=token of dewi", "origin": "https://evil.example"}
    assert (await status_of_unread(desk.app, path, 5_000, **headers))[0] == 403


@pytest.mark.parametrize(("who", "status"), [("", 401), ("nobody", 401), ("hasan", 403), ("jafar", 404)])
async def test_the_api_does_not_read_an_upload_of_unauthorized_callers(desk: StaffHarness, who: str, status: int):
    headers = {"authorization": f"Bearer token of {who}"} if who else {}
    path = f"{API}/{WORK.rpartition('/')[2]}/completion"
    assert (await status_of_unread(desk.app, path, 5_000, **headers))[0] == status


@pytest.mark.parametrize("headers", [{"Cookie": "simpul=token of dewi"}, {}], ids=["ended", "cookie expired"])
async def test_text_beside_small_files_is_returned_after_the_session_ended(desk: StaffHarness, headers: dict[str, str]):
    shown = await page(desk, "dewi", f"{WORK}/serahkan")
    desk.clock.advance(minutes=31)
    async with desk.http as client:
        answer = await client.post(
            f"{WORK}/serahkan",
            data={**hidden_fields(shown, f"{WORK}/serahkan"), "summary": "Data tersinkron."},
            files=[("documents", ("laporan.pdf", a_pdf(1)))],
            headers=headers,
        )
    assert answer.status_code == 401
    assert "Data tersinkron." in answer.text


async def test_a_resubmission_is_not_read_without_the_tracking_token(tmp_path: Path):
    async with intake_harness(tmp_path) as intake:
        applicant = await intake.new_applicant()
        for cookie in ("", "lacak=made-up"):
            path = f"/lacak/{applicant.number}/lengkapi/berkas"
            assert (await status_of_unread(intake.app, path, cookie=cookie))[0] == 404
        path = f"/api/requests/{applicant.number}/resubmission"
        assert (await status_of_unread(intake.app, path))[0] == 401
        assert (await status_of_unread(intake.app, path, authorization="Bearer made up"))[0] == 404


# No room for what comes


@pytest.fixture
def small_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


LARGE = ("requirements", ("besar.pdf", a_pdf(1) + bytes(3_000_000), "application/pdf"))
PLACES = pytest.mark.parametrize("path", ["/api/requests", "/", "/berkas"])


async def refused_for_want_of_room(intake: IntakeHarness, path: str) -> None:
    async with intake.client(timeout=60) as client:
        answer = await client.post(path, data=FORM, files=[*FILES, LARGE])
    assert answer.status_code == 503
    assert "Penyimpanan sementara untuk unggahan sedang penuh" in answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert await nothing_is_stored(intake)


@PLACES
async def test_a_full_temporary_folder_is_reported_and_recovered_from(
    small_temporary_folder: Path, tmp_path: Path, path: str
):
    async with intake_harness(tmp_path / "data") as intake:
        await refused_for_want_of_room(intake, path)
        assert os.statvfs(small_temporary_folder).f_bfree == os.statvfs(small_temporary_folder).f_blocks
        assert (await intake.submit()).status_code == 201


@PLACES
async def test_a_missing_temporary_folder_is_reported(tmp_path: Path, monkeypatch, path: str):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    async with intake_harness(tmp_path / "data") as intake:
        await refused_for_want_of_room(intake, path)


def test_a_file_size_limit_is_reported(tmp_path: Path):
    """The limit applies to a whole process, so the test runs in a child process."""
    lines = [
        "import asyncio, resource, signal, sys, pathlib",
        "from tests.integration.uploads.test_early_refusals import refused_for_want_of_room, limited",
        "asyncio.run(limited(pathlib.Path(sys.argv[1])))",
    ]
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(lines), str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


async def limited(folder: Path) -> None:
    async with intake_harness(folder) as intake:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
        await refused_for_want_of_room(intake, "/api/requests")
