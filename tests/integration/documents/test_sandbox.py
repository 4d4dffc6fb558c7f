"""Files are inspected in limited child processes, whose failures affect nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import SpooledTemporaryFile, TemporaryFile
from time import monotonic, sleep
from typing import Any
from zipfile import ZipFile

import pytest
from PIL import Image

from shared.documents.inspection.inspector import INSPECTION_LIMITS, InspectionUnavailable, Inspector
from shared.documents.media_types import PDF
from shared.documents.port import DocumentRefused, StoreUnavailable
from shared.documents.sandbox.client import Sandbox, anonymous_file
from shared.documents.sandbox.protocol import CRASHED, OUT_OF_TIME, SUCCEEDED, Job
from tests.support import office_files
from tests.support.minimal_files import endless_pdf
from tests.support.paths import REPOSITORY

LETTER = office_files.pdf("surat.pdf", "Surat permohonan.").content


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(grace_seconds=0.5)
    yield made
    made.close()


def zipped(name: str, content: bytes) -> bytes:
    out = BytesIO()
    with ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()


async def code(inspector: Inspector, content: bytes, name: str = "surat.pdf") -> str:
    with pytest.raises(DocumentRefused) as refusal:
        await inspector.media_type(name, BytesIO(content))
    return refusal.value.code


async def test_a_file_is_inspected_wherever_its_bytes_are(sandbox: Sandbox, tmp_path: Path):
    inspector = Inspector(sandbox)
    with (
        SpooledTemporaryFile(max_size=10**6) as in_memory,
        SpooledTemporaryFile(max_size=1) as rolled_over,
        TemporaryFile() as unnamed,
        (tmp_path / "surat.pdf").open("w+b") as named,
    ):
        files: list[Any] = [in_memory, rolled_over, unnamed, named, BytesIO()]
        for file in files:
            file.write(LETTER)
            assert await inspector.media_type("surat.pdf", file) == PDF
            assert file.read() == LETTER


async def test_a_refusal_has_its_code_and_message(sandbox: Sandbox):
    with pytest.raises(DocumentRefused, match="adalah program") as refusal:
        await Inspector(sandbox).media_type("surat.pdf", BytesIO(b"MZ\x90\x00"))
    assert refusal.value.code == "program"


async def test_file_names_of_any_length_and_characters_are_passed_on(sandbox: Sandbox):
    for name in ("n" * 100_000 + ".pdf", "\ud800\u202e\x00日.pdf", "surat.PDF"):
        assert await Inspector(sandbox).media_type(name, BytesIO(LETTER)) == PDF


async def test_one_server_handles_many_files_concurrently(sandbox: Sandbox):
    inspector = Inspector(sandbox, max_concurrency=8)
    answers = await asyncio.gather(*(inspector.media_type("surat.pdf", BytesIO(LETTER)) for _ in range(20)))
    assert answers == [PDF] * 20


async def test_a_file_over_the_memory_limit_is_refused(sandbox: Sandbox):
    small = replace(INSPECTION_LIMITS, memory_bytes=1024**2)
    large = zipped("dalam.zip", zipped("isi.bin", bytes(20 * 1024**2)))
    assert await code(Inspector(sandbox, limits=small), large, "lampiran.zip") == "too_complex"


async def test_a_file_over_the_time_limit_is_refused(sandbox: Sandbox):
    await Inspector(sandbox).media_type("surat.pdf", BytesIO(LETTER))
    hurried = replace(INSPECTION_LIMITS, elapsed_seconds=0.0)
    assert await code(Inspector(sandbox, limits=hurried), LETTER) == "too_complex"
    assert await Inspector(sandbox).media_type("surat.pdf", BytesIO(LETTER)) == PDF


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_dead_or_hung_server_is_replaced(sandbox: Sandbox, end: signal.Signals):
    short = replace(INSPECTION_LIMITS, elapsed_seconds=3.0)
    inspector = Inspector(sandbox, limits=short)
    await inspector.media_type("surat.pdf", BytesIO(LETTER))
    first = sandbox.server_pid
    assert first
    os.kill(first, end)
    assert await inspector.media_type("surat.pdf", BytesIO(LETTER)) == PDF
    assert sandbox.server_pid not in (None, first)


async def test_without_a_sandbox_the_inspection_is_unavailable_and_can_be_retried():
    with pytest.raises(InspectionUnavailable) as failure:
        await Inspector(Sandbox(start_seconds=0.0)).media_type("surat.pdf", BytesIO(LETTER))
    assert isinstance(failure.value, StoreUnavailable)


async def test_a_server_ends_with_the_process_that_started_it(sandbox: Sandbox):
    await Inspector(sandbox).media_type("surat.pdf", BytesIO(LETTER))
    server = sandbox.server_pid
    sandbox.close()
    assert sandbox.server_pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(server or 0, 0)


async def test_a_file_over_the_cpu_limit_is_refused(sandbox: Sandbox):
    limits = replace(INSPECTION_LIMITS, cpu_seconds=1, elapsed_seconds=300.0)
    descriptor = anonymous_file()
    try:
        os.write(descriptor, endless_pdf())
        os.lseek(descriptor, 0, os.SEEK_SET)
        answer = await sandbox.run(Job("render", limits, {"media_type": PDF, "page": 1}), descriptor)
    finally:
        os.close(descriptor)
    assert answer.status == OUT_OF_TIME


LIMITED = """
import os, signal, sys
from shared.documents.sandbox.protocol import Limits
from shared.documents.sandbox.child import limit_this_process
limit_this_process(Limits(5, 5.0, 300 * 1024**2))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for action in (lambda: bytearray(400 * 1024**2), lambda: os.write(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), b"x")):
    try:
        action()
    except (MemoryError, OSError) as error:
        print(type(error).__name__)
"""


def test_a_limited_process_cannot_take_memory_or_write_files(tmp_path: Path):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "berkas")]
    limited = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert limited.stdout.split() == ["MemoryError", "OSError"], limited.stderr
    assert (tmp_path / "berkas").read_bytes() == b""


STARTED_AND_KILLED = """
import asyncio, io, os, signal
from shared.documents.inspection.inspector import Inspector
from shared.documents.sandbox.client import Sandbox
sandbox = Sandbox()
try:
    asyncio.run(Inspector(sandbox).media_type("surat.pdf", io.BytesIO(b"x")))
except Exception:
    print(sandbox.server_pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_ends_when_the_process_that_started_it_is_killed():
    killed = subprocess.run(
        [sys.executable, "-c", STARTED_AND_KILLED], cwd=REPOSITORY, capture_output=True, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    server, deadline = int(killed.stdout), monotonic() + 30
    while is_running(server) and monotonic() < deadline:
        sleep(0.02)
    assert not is_running(server)


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_cancelled_caller_leaves_no_child_behind(sandbox: Sandbox):
    inspector = Inspector(sandbox)
    await inspector.media_type("surat.pdf", BytesIO(LETTER))
    for _ in range(20):
        waiting = asyncio.create_task(inspector.media_type("surat.pdf", BytesIO(LETTER)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert await inspector.media_type("surat.pdf", BytesIO(LETTER)) == PDF


def noise(height: int) -> bytes:
    """Build an incompressible image, whose page takes half a byte for each of 1200 x `height` pixels."""
    out = BytesIO()
    Image.frombytes("L", (1200, height), Random(height).randbytes(1200 * height)).save(out, "PNG")
    return out.getvalue()


def wait_until_the_child_has_ended(server: int, *, begun: bool = False, seconds: float = 1.0) -> None:
    """Delay all reads; a child whose result does not fit into the socket buffer must not be lost."""
    children, deadline = Path(f"/proc/{server}/task/{server}/children"), monotonic() + seconds
    while monotonic() < deadline and not (begun and not children.read_text()):
        begun = begun or bool(children.read_text())
        sleep(0.005)


@pytest.mark.skipif(sys.platform != "linux", reason="children are counted in /proc")
async def test_a_result_larger_than_the_socket_buffer_arrives(sandbox: Sandbox):
    await Inspector(sandbox).media_type("surat.pdf", BytesIO(LETTER))
    server = sandbox.server_pid
    for height in range(280, 370, 12):
        descriptor = anonymous_file()
        try:
            os.write(descriptor, noise(height))
            drawing = asyncio.create_task(
                sandbox.run(Job("render", INSPECTION_LIMITS, {"media_type": "image/png", "page": 1}), descriptor)
            )
            await asyncio.sleep(0)
            wait_until_the_child_has_ended(server or 0)
            assert (await drawing).status == SUCCEEDED
        finally:
            os.close(descriptor)
        assert sandbox.server_pid == server


async def test_a_job_that_does_not_exist_harms_only_its_child(sandbox: Sandbox):
    descriptor = anonymous_file()
    try:
        answer = await sandbox.run(Job("none", INSPECTION_LIMITS), descriptor)
    finally:
        os.close(descriptor)
    assert answer.status not in (0, CRASHED)
    assert await Inspector(sandbox).media_type("surat.pdf", BytesIO(LETTER)) == PDF
