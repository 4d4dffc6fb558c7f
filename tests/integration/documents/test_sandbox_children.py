"""One child inspects many files, and no file affects the verdict on the next one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from shared.documents.inspection.inspector import INSPECTION_LIMITS, Inspector
from shared.documents.media_types import PDF, PNG
from shared.documents.port import DocumentRefused
from shared.documents.sandbox.child import MAX_FILES
from shared.documents.sandbox.client import Sandbox, anonymous_file
from shared.documents.sandbox.protocol import OUT_OF_TIME, Job, Limits
from tests.support import office_files
from tests.support.minimal_files import large_png, small_pdf, small_picture
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are listed in /proc")

LETTER = small_pdf()
SHORT = replace(INSPECTION_LIMITS, elapsed_seconds=1.0)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    made = Sandbox()
    await verdict(made, LETTER)
    yield made
    made.close()


def children(sandbox: Sandbox) -> list[int]:
    server = sandbox.server_pid
    return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]


def idle_child(sandbox: Sandbox) -> int:
    [child] = children(sandbox)
    return child


async def verdict(
    sandbox: Sandbox, content: bytes, name: str = "surat.pdf", limits: Limits = INSPECTION_LIMITS
) -> tuple[str, str]:
    try:
        return "accepted", await Inspector(sandbox, limits=limits).media_type(name, BytesIO(content))
    except DocumentRefused as refusal:
        return refusal.code, refusal.message


async def verdicts(sandbox: Sandbox, files: Sequence[tuple[str, bytes]]) -> list[tuple[str, str]]:
    return [await verdict(sandbox, content, name) for name, content in files]


def address_space(pid: int | None) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


async def wait_until_gone(sandbox: Sandbox, child: int) -> None:
    await wait_until(lambda: child not in children(sandbox))


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)


async def test_one_child_inspects_files_one_after_another_until_it_is_spent(sandbox: Sandbox):
    first = idle_child(sandbox)
    for _ in range(MAX_FILES - 2):
        assert await verdict(sandbox, LETTER) == ("accepted", PDF)
    assert children(sandbox) == [first]
    for _ in range(3):
        assert await verdict(sandbox, LETTER) == ("accepted", PDF)
    await wait_until_gone(sandbox, first)


async def test_verdicts_do_not_depend_on_the_files_before(sandbox: Sandbox):
    files = [
        ("surat.pdf", LETTER),
        ("surat.docx", office_files.word("surat.docx", "Surat permohonan.").content),
        ("foto.png", small_picture("PNG")),
        ("foto.jpg", small_picture("JPEG")),
        ("rusak.pdf", LETTER[: len(LETTER) // 2]),
        ("sandi.pdf", office_files.encrypted_pdf("Rahasia.")),
        ("surat.png", LETTER),
        ("kosong.pdf", b""),
        ("program.pdf", b"MZ\x90\x00"),
        ("lampiran.ods", office_files.sheet("lampiran.xlsx").content),
        ("besar.png", large_png(3000, 3000)),
    ]
    alone = []
    for index, (name, content) in enumerate(files):
        # Children are reused for the same limits only.
        limits = replace(INSPECTION_LIMITS, elapsed_seconds=100.0 + index)
        alone.append(await verdict(sandbox, content, name, limits))
    assert [code for code, _ in alone[:4]] == ["accepted"] * 4
    assert "accepted" not in [code for code, _ in alone[4:10]]
    assert await verdicts(sandbox, files) == alone
    assert await verdicts(sandbox, files[::-1]) == alone[::-1]
    assert await verdicts(sandbox, [*files[1::2], *files[::2]]) == [*alone[1::2], *alone[::2]]


async def test_after_a_child_died_the_file_goes_to_another_one(sandbox: Sandbox):
    first = idle_child(sandbox)
    os.kill(first, signal.SIGKILL)
    assert await verdict(sandbox, LETTER) == ("accepted", PDF)
    await wait_until_gone(sandbox, first)


async def test_a_file_whose_reused_child_crashes_is_inspected_again_by_a_fresh_one(sandbox: Sandbox):
    first = idle_child(sandbox)
    os.kill(first, signal.SIGSTOP)
    inspection = asyncio.create_task(verdict(sandbox, LETTER))
    await asyncio.sleep(0.2)  # the stopped child has the file, or dies idle; both must be survived
    os.kill(first, signal.SIGKILL)
    assert await inspection == ("accepted", PDF)
    assert await verdict(sandbox, small_picture("PNG"), "foto.png") == ("accepted", PNG)
    await wait_until_gone(sandbox, first)


async def test_a_child_that_ran_out_of_time_reads_no_further_file(sandbox: Sandbox):
    assert await verdict(sandbox, LETTER, limits=SHORT) == ("accepted", PDF)
    before = children(sandbox)
    for child in before:
        os.kill(child, signal.SIGSTOP)
    assert (await verdict(sandbox, LETTER, limits=SHORT))[0] == "too_complex"
    assert await verdict(sandbox, LETTER, limits=SHORT) == ("accepted", PDF)
    assert set(before).intersection(children(sandbox)) <= {before[0]}  # the one with other limits is still stopped
    os.kill(before[0], signal.SIGCONT)


async def test_a_file_that_takes_all_memory_does_not_affect_the_next_one(sandbox: Sandbox):
    small = replace(INSPECTION_LIMITS, memory_bytes=address_space(sandbox.server_pid) + 8 * 1024**2)
    large = small_picture("JPEG", (5000, 5000), progressive=True)  # the decoder takes 150 MB for it
    assert await verdict(sandbox, LETTER, limits=small) == ("accepted", PDF)
    for _ in range(3):
        assert (await verdict(sandbox, large, "foto.jpg", small))[0] in ("too_complex", "damaged")
        assert await verdict(sandbox, LETTER, limits=small) == ("accepted", PDF)


async def test_a_job_that_fails_ends_its_child_alone(sandbox: Sandbox):
    first = idle_child(sandbox)
    descriptor = anonymous_file()
    try:
        answer = await sandbox.run(Job("inspect", INSPECTION_LIMITS), descriptor)  # without a name
    finally:
        os.close(descriptor)
    assert answer.status not in (0, OUT_OF_TIME)
    await wait_until_gone(sandbox, first)
    assert await verdict(sandbox, LETTER) == ("accepted", PDF)


async def test_a_child_whose_caller_gave_up_reads_no_further_file(sandbox: Sandbox):
    first = idle_child(sandbox)
    os.kill(first, signal.SIGSTOP)
    inspection = asyncio.create_task(verdict(sandbox, LETTER))
    await asyncio.sleep(0.2)
    inspection.cancel()
    with pytest.raises(asyncio.CancelledError):
        await inspection
    with contextlib.suppress(ProcessLookupError):  # The server may have ended it already.
        os.kill(first, signal.SIGCONT)
    assert await verdict(sandbox, LETTER) == ("accepted", PDF)
    await wait_until_gone(sandbox, first)


async def test_of_the_children_that_inspected_files_concurrently_two_stay(sandbox: Sandbox):
    inspector = Inspector(sandbox, max_concurrency=8)
    answers = await asyncio.gather(*(inspector.media_type("surat.pdf", BytesIO(LETTER)) for _ in range(24)))
    assert answers == [PDF] * 24
    await wait_until(lambda: len(children(sandbox)) <= 2)


ANSWERED_AND_ENDED = """
import os, socket, sys
from shared.documents.sandbox import child
from shared.documents.sandbox.client import anonymous_file
from shared.documents.sandbox.protocol import Job, Limits
from shared.documents.sandbox.server import Server
from tests.support.minimal_files import small_pdf
child.MAX_FILES = 1
control, server_control = socket.socketpair()
result, result_writer = socket.socketpair()
status, status_writer = socket.socketpair()
file = anonymous_file()
os.write(file, small_pdf())
message = Job("inspect", Limits(10, 10.0, 1024**3), {"name": "surat.pdf"}).to_bytes()
socket.send_fds(control, [message], [result_writer.fileno(), status_writer.fileno(), file])
server = Server(server_control)
server._accept()
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
server._reap()
print(*status.recv(2), result.recv(100).decode())
"""


def test_a_child_that_answers_and_ends_before_the_server_reads_its_answer_has_succeeded():
    command = [sys.executable, "-c", ANSWERED_AND_ENDED]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.split(maxsplit=2) == ["0", "0", '{"media_type": "application/pdf"}\n'], ended.stderr
