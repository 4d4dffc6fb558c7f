"""Start, measure and stop processes, and describe the machine."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import apsw

TICKS = os.sysconf("SC_CLK_TCK")
LIBRARIES = ("uvicorn", "uvloop", "httptools", "starlette", "fastapi", "pydantic", "python-multipart", "aiosmtplib")
FSYNCS = 50


class NotReady(Exception):
    """A server did not start, or ended."""


@contextlib.contextmanager
def running(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command in a separate process; terminate it at the end, and kill it after 30 s."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=output, stderr=output)
        try:
            yield process
        except NotReady as error:
            output.seek(max(0, output.tell() - 4000))
            raise NotReady(f"{error}\n{output.read().decode(errors='replace')}") from error
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], port: int, seconds: float = 60) -> None:
    """Wait until /health/ready responds with 200. Raises NotReady."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotReady(f"{process.args!r} ended with status {process.returncode}.")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise NotReady(f"{process.args!r} did not become ready.")


def cpu_seconds(root: int) -> float:
    """CPU time of a process and its descendants, including those that have ended."""
    stats = dict(_process_stats())
    return sum(stats[pid][1] for pid in process_tree(root) if pid in stats)


def process_tree(root: int) -> set[int]:
    """The process and its descendants."""
    stats = dict(_process_stats())
    family, added = {root}, True
    while added:
        grown = family | {pid for pid, (parent, _) in stats.items() if parent in family}
        added, family = grown != family, grown
    return family


def _process_stats() -> Iterator[tuple[int, tuple[int, float]]]:
    """Yield every process with its parent and its CPU seconds, including children that it has waited for."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                yield int(entry.name), (int(fields[1]), sum(map(int, fields[11:15])) / TICKS)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def describe_machine() -> list[str]:
    """Describe the hardware and the versions, one line each."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return [
        f"{os.cpu_count()} cores ({_processor()}), {_memory():.0f} GiB of memory, {platform.system()}",
        f"a 4 KiB write with fsync takes {fsync_milliseconds():.2f} ms (median of {FSYNCS})",
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()} through apsw {apsw.apsw_version()}",
        libraries,
    ]


def fsync_milliseconds() -> float:
    """The median time of a small durable write."""
    durations = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(FSYNCS):
            started_at = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            durations.append(time.perf_counter() - started_at)
    return 1000 * statistics.median(durations)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
