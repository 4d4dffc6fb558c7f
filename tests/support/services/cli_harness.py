"""A harness for the command line: each command in a separate process, on a folder that the tests of a module share."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.paths import REPOSITORY
from tests.support.simpul_process import run_simpul

ROOT = REPOSITORY
PASSWORD = "tujuh-ombak-biru-di-maba"
TIMEOUT_SECONDS = 120.0
"""An upper bound for a busy machine."""
ESCAPE = "\x1b"

CompletedCommand = subprocess.CompletedProcess[str]


@dataclass
class CommandLine:
    """A working folder, and the settings of commands in it."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def environment(self, settings: dict[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIMPUL_")}
        return {
            **inherited,
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "80",
            "SIMPUL_LOG_LEVEL": "warning",
            **self.settings,
            **settings,
        }

    def simpul(self, *arguments: str, given: str = "", **settings: str) -> CompletedCommand:
        """Run a command; settings are given like `port="8001"`."""
        env = self.environment(_environment_variables(settings))
        return run_simpul(*arguments, env=env, cwd=self.folder, given=given, timeout=TIMEOUT_SECONDS)

    @contextlib.contextmanager
    def running(self, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """Start a long-running command, and interrupt it at the end if it still runs."""
        process = subprocess.Popen(
            command(*arguments),
            cwd=self.folder,
            env=self.environment(_environment_variables(settings)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=TIMEOUT_SECONDS)
            process.kill()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "simpul", *arguments]


def _environment_variables(settings: dict[str, str]) -> dict[str, str]:
    return {f"SIMPUL_{name.upper()}": value for name, value in settings.items()}


def wait_until_serving(port: int) -> None:
    """Wait until a server responds at this port."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with httpx.Client() as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if client.get(f"http://127.0.0.1:{port}/health/live").is_success:
                    return
            time.sleep(0.05)
    raise AssertionError(f"no server responds at port {port}")


def assert_fails_with_message(completed: CompletedCommand, *parts: str) -> None:
    """Expect exit status 1, no standard output, and one line on standard error that contains these parts."""
    assert completed.returncode == 1, completed
    assert completed.stdout == ""
    assert completed.stderr.count("\n") == 1, completed.stderr
    assert "Traceback" not in completed.stderr
    for part in parts:
        assert part in completed.stderr
