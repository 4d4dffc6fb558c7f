"""Processes of engines: their cache, whether they may be fetched, and how they start and stop."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

POLL_SECONDS = 0.05
WATCH = 'read _; kill -s KILL -- "-$0"'
"""Kills the engine once the process that started it has ended."""


class EngineUnavailable(Exception):
    """An engine is unavailable; the text says in one line what is left out and why."""


def fetching_allowed() -> bool:
    """Whether this run may fetch and build all engines; otherwise only what pip provides."""
    return os.environ.get("SIMPUL_ENGINES") in {"fetch", "required"}


def required() -> bool:
    """Whether an unavailable engine is a failure."""
    return os.environ.get("SIMPUL_ENGINES") == "required"


def skip(reason: EngineUnavailable) -> NoReturn:
    """Skip the test with this reason, or fail it if engines are required."""
    if required():
        pytest.fail(f"SIMPUL_ENGINES=required, but {reason}", pytrace=False)
    pytest.skip(str(reason))


def cache() -> Path:
    """Return the cache folder of engines, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    folder = (Path(base) if base else Path.home() / ".cache") / "simpul-engines"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def fetching(name: str) -> Iterator[Path]:
    """Lock the cache folder of one engine, so that only one test process fetches it."""
    folder = cache() / name
    folder.mkdir(exist_ok=True)
    with open(cache() / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def say(line: str) -> None:
    """Write a line of progress to standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def run(
    command: Sequence[str], *, seconds: float, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a command that fetches or builds. Raises EngineUnavailable with its last line."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            timeout=seconds,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise EngineUnavailable(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable(f"{command[0]} took more than {seconds:.0f} s") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word"]
        raise EngineUnavailable(f"{command[0]} failed: {last[0][:200]}")


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_until(ready: Callable[[], bool], seconds: float, what: str, alive: Callable[[], bool] = lambda: True) -> None:
    """Wait for readiness. Raises EngineUnavailable after the timeout or when the process has ended."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not alive():
            raise EngineUnavailable(f"{what} ended at its start")
        if time.monotonic() > deadline:
            raise EngineUnavailable(f"{what} was not ready within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)


@dataclass
class EngineProcess:
    """One engine process with a fixed port and folder, which can be killed and restarted.

    `ready` asks whether it serves; `ended` tidies up after the last stop. Its output is in `folder`/NAME.log.
    """

    name: str
    address: str
    command: Sequence[str]
    folder: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60.0
    patience: float = 20.0
    _process: subprocess.Popen[bytes] | None = None
    _watcher: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of its present process."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start it and wait until it is ready. Raises EngineUnavailable with the end of its log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCH, str(self._process.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until(self.ready, self.seconds, self.name, lambda: self.alive)
        except BaseException as error:
            self.kill()
            if isinstance(error, EngineUnavailable):
                raise EngineUnavailable(f"{error}: {self._last_words()}") from error
            raise

    def kill(self) -> None:
        """Kill it and its children with SIGKILL."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None

    def restart(self, after: float = 0.0) -> None:
        """Kill it, wait, and restart it on the same port and folder."""
        self.kill()
        time.sleep(after)
        self.start()

    def stop(self) -> None:
        """Terminate it, and kill it after a timeout."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.patience)
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][:300] if lines else "it said nothing"


@contextlib.contextmanager
def serving(server: EngineProcess) -> Iterator[EngineProcess]:
    """Start it, and stop it at the end."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def given_or_serving(setting: str, server: Callable[[], EngineProcess]) -> Iterator[str]:
    """Return the address in this environment variable, or start an engine."""
    if given := os.environ.get(setting, ""):
        yield given
        return
    with serving(server()) as started:
        yield started.address
