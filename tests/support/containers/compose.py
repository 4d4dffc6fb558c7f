"""Docker Compose and the engine under it: Docker, or the tool that SIMPUL_CONTAINERS names (`TOOL compose`, `TOOL podman`)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from simpul.cli.secrets import compose_settings
from tests.support.engines.engine_process import free_port
from tests.support.paths import REPOSITORY

ROOT = REPOSITORY
PROJECT = "simpul-try"
TIMEOUT_SECONDS = 900.0
"""Seconds that building the image or starting everything may take."""


class ContainersUnavailable(Exception):
    """Containers cannot be run here; the text is the one line that says why."""


class Failed(Exception):
    """A command ended badly; the text is its last words."""


def find_tools() -> tuple[Sequence[str], Sequence[str]]:
    """The commands of Compose and of the engine. Raises Unavailable."""
    named = os.environ.get("SIMPUL_CONTAINERS")
    if named:
        if not shutil.which(named):
            raise ContainersUnavailable(f"SIMPUL_CONTAINERS names {named}, which is not there.")
        return (named, "compose"), (named, "podman")
    if not shutil.which("docker") or _run(["docker", "info"], seconds=20).returncode:
        raise ContainersUnavailable("There is no Docker here, and SIMPUL_CONTAINERS names nothing in its place.")
    return ("docker", "compose"), ("docker",)


@dataclass(frozen=True)
class ComposeProject:
    """docker-compose.yml as a project of its own, at ports and addresses that nobody else has."""

    compose_command: Sequence[str]
    engine_command: Sequence[str]
    environment: Path
    url: str
    mail: str

    def compose(self, *words: str, given: str = "", seconds: float = TIMEOUT_SECONDS) -> str:
        """What Compose prints. Raises Failed."""
        front = ["--project-name", PROJECT, "--file", str(ROOT / "docker-compose.yml")]
        return _output_of([*self.compose_command, *front, "--env-file", str(self.environment), *words], given, seconds)

    def up(self, **scale: int) -> None:
        scales = [word for name, count in scale.items() for word in ("--scale", f"{name}={count}")]
        self.compose("up", "--detach", "--wait", *scales)

    def simpul(self, *words: str, given: str = "") -> str:
        """A command of ours inside a container of intake."""
        return self.compose("exec", "-T", "intake", "simpul", *words, given=given)

    def containers(self, service: str = "") -> dict[str, int]:
        """The containers that run, by name, each with the number of its first process on this machine."""
        ids = self.compose("ps", "--quiet", *([service] if service else [])).split()
        form = "{{.Name}} {{.State.Pid}}"
        lines = (
            _output_of([*self.engine_command, "inspect", "--format", form, *ids], "", 60).splitlines() if ids else []
        )
        return {name.lstrip("/"): int(pid) for name, pid in (line.split() for line in lines)}

    def log(self, container: str) -> str:
        done = _run([*self.engine_command, "logs", container], seconds=60)
        return done.stdout + done.stderr


def project(folder: Path, **settings: str) -> ComposeProject:
    """A site with passwords and ports of its own; nothing is started. Raises Unavailable."""
    compose, engine = find_tools()
    http, https, mail = free_port(), free_port(), free_port()
    url = f"http://127.0.0.1:{http}"
    ports = {"GATEWAY_HTTPS_PORT": str(https), "MAILPIT_PORT": str(mail)}
    environment = folder / "production.env"
    environment.write_text(_with(compose_settings(url, "127.0.0.1"), {**ports, **settings}))
    return ComposeProject(compose, engine, environment, url, f"http://127.0.0.1:{mail}")


def _with(text: str, settings: Mapping[str, str]) -> str:
    """The file with these lines in place of its own."""
    kept = [line for line in text.splitlines() if line.partition("=")[0] not in settings]
    return "\n".join([*kept, *(f"{name}={value}" for name, value in settings.items())]) + "\n"


def _output_of(command: Sequence[str], given: str, seconds: float) -> str:
    done = _run(command, given, seconds)
    if done.returncode:
        raise Failed(f"{' '.join(command[-4:])}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


def _run(command: Sequence[str], given: str = "", seconds: float = TIMEOUT_SECONDS) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=seconds, check=False, cwd=ROOT
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(command[-4:])} took more than {seconds:.0f} s") from error
