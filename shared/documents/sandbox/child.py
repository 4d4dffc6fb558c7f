"""What a child of the sandbox server does: it limits itself, then reads one file, or several while nothing fails."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from time import process_time
from types import FrameType
from typing import BinaryIO

from shared.documents.inspection.detection import detect_media_type
from shared.documents.port import DocumentRefused
from shared.documents.rendering.rasterizer import WIDTH, measure_pages_job, render_page_job
from shared.documents.rendering.text_finder import find_text_job
from shared.documents.sandbox.office_conversion import convert_to_pdf
from shared.documents.sandbox.protocol import (
    FAILED,
    MAX_RESULT_BYTES,
    OUT_OF_MEMORY,
    SUCCEEDED,
    Job,
    Limits,
    receive_job,
)

NICENESS = 5
"""Long jobs yield to the event loop of the service."""
LONG_JOB_CPU_SECONDS = 0.1
"""CPU time after which an inspection is a long job; its child, whose priority cannot rise again, reads no further file."""
REUSING_JOBS = frozenset({"inspect"})
"""Jobs that are much shorter than the start of a child, so that one child does many."""
MAX_FILES = 100
MAX_CPU_SECONDS = 1
MAX_GROWTH_KIB = 32 * 1024
"""CPU time and memory that the files of one child may take before it is spent. Its limits are higher by as much, so that each
file has all that a fresh child would give it."""

JobFunction = Callable[[BinaryIO, dict[str, str | int]], tuple[int, bytes]]


def _inspect(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return the media type of a file that was uploaded under `name`, or its refusal, as JSON."""
    try:
        answer = {"media_type": detect_media_type(str(arguments["name"]), file)}
    except DocumentRefused as refusal:
        answer = {"code": refusal.code, "message": refusal.message}
    return SUCCEEDED, json.dumps(answer).encode()


def _render_page(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return the number of pages followed by one page as PNG."""
    return render_page_job(
        file.read(),
        str(arguments["media_type"]),
        int(arguments["page"]),
        int(arguments.get("width", WIDTH)),
        int(arguments.get("rotation", 0)),
    )


def _measure_pages(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return the size of each page image."""
    return measure_pages_job(file.read(), str(arguments["media_type"]))


def _find_text(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return the pages of a PDF with these words, as JSON."""
    return find_text_job(file.read(), str(arguments["words"]))


def _convert(file: BinaryIO, arguments: dict[str, str | int]) -> tuple[int, bytes]:
    """Return a document of a word processor or a spreadsheet as PDF."""
    return convert_to_pdf(file, str(arguments["program"]), str(arguments["extension"]))


JOBS: Mapping[str, JobFunction] = {
    "convert": _convert,
    "find": _find_text,
    "inspect": _inspect,
    "measure": _measure_pages,
    "render": _render_page,
}


def run_single_job(job: Job, connection: socket.socket, file: int) -> int:
    """Run the only job of a child and return its exit status."""
    os.nice(NICENESS)
    limit_this_process(job.limits)
    return _run(job, connection, file)


def run_jobs(control: socket.socket, job: Job, connection: socket.socket, file: int) -> int:
    """Run a job and those that follow on `control` until one fails or the child is spent; return the exit status."""
    limits, files = job.limits, 0
    limit_this_process(
        replace(
            limits,
            cpu_seconds=limits.cpu_seconds + MAX_CPU_SECONDS,
            memory_bytes=limits.memory_bytes + MAX_GROWTH_KIB * 1024,
        )
    )
    memory_kib, niceness = _peak_memory_kib(), os.nice(0)
    signal.signal(signal.SIGPROF, _lower_priority)
    while True:
        signal.setitimer(signal.ITIMER_PROF, LONG_JOB_CPU_SECONDS)
        with connection:
            status = _run(job, connection, file)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if status >= FAILED:
            return status
        files += 1
        is_spent = (
            files == MAX_FILES
            or os.nice(0) > niceness
            or process_time() > MAX_CPU_SECONDS
            or _peak_memory_kib() - memory_kib > MAX_GROWTH_KIB
        )
        control.send(bytes([status, is_spent]))
        if is_spent or (received := receive_job(control, 2)) is None:
            return SUCCEEDED
        job, (result, file) = received
        connection = socket.socket(fileno=result)


def _lower_priority(_number: int, _frame: FrameType | None) -> None:
    os.nice(NICENESS)


def _run(job: Job, connection: socket.socket, file: int) -> int:
    with open(file, "rb") as opened:
        opened.seek(0)  # a retried job reads the whole file again
        status, result = JOBS[job.name](opened, job.arguments)
    if len(result) > MAX_RESULT_BYTES:
        return OUT_OF_MEMORY
    connection.sendall(result)
    return status


def limit_this_process(limits: Limits) -> None:
    """Limit CPU time, memory, files and processes of this process irrevocably."""
    # If the container runs out of memory, the kernel ends this process first.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    numbers = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    if not limits.file_bytes:
        numbers[resource.RLIMIT_NPROC] = 0
    if sys.platform != "darwin":  # macOS has no limit of address space
        numbers[resource.RLIMIT_AS] = limits.memory_bytes
    for resource_number, limit in numbers.items():
        resource.setrlimit(resource_number, (limit, limit))


def _peak_memory_kib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak
