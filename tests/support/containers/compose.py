"""Docker Compose with Docker, or with the tool that SIMPUL_CONTAINERS names (`TOOL compose`, `TOOL podman`)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from simpul.cli.secrets import compose_settings
from tests.support.paths import REPOSITORY
from tests.support.ports import free_port

ROOT = REPOSITORY
PROJECT = "simpul-try"
TIMEOUT_SECONDS = 900.0
"""An upper bound for building the image and for starting all containers."""


class ContainersUnavailable(Exception):
    """Containers are not available, for the reason in the text."""


class Failed(Exception):
    """A command failed; the text is the end of its output."""


def find_tools() -> tuple[Sequence[str], Sequence[str]]:
    """Find the commands of Compose and of the container engine. Raises ContainersUnavailable."""
    tool = os.environ.get("SIMPUL_CONTAINERS")
    if tool:
        if not shutil.which(tool):
            raise ContainersUnavailable(f"SIMPUL_CONTAINERS names {tool}, which does not exist.")
        return (tool, "compose"), (tool, "podman")
    if not shutil.which("docker") or _run(["docker", "info"], seconds=20).returncode:
        raise ContainersUnavailable("Docker is not available, and SIMPUL_CONTAINERS names no alternative.")
    return ("docker", "compose"), ("docker",)


@dataclass(frozen=True)
class ComposeProject:
    """docker-compose.yml as a separate project with unused ports."""

    compose_command: Sequence[str]
    engine_command: Sequence[str]
    environment: Path
    url: str
    mail: str

    def compose(self, *arguments: str, stdin: str = "", seconds: float = TIMEOUT_SECONDS) -> str:
        """Run Compose and return its output. Raises Failed."""
        options = ["--project-name", PROJECT, "--file", str(ROOT / "docker-compose.yml")]
        return _output_of(
            [*self.compose_command, *options, "--env-file", str(self.environment), *arguments], stdin, seconds
        )

    def up(self, **scale: int) -> None:
        scales = [word for name, count in scale.items() for word in ("--scale", f"{name}={count}")]
        self.compose("up", "--detach", "--wait", *scales)

    def simpul(self, *arguments: str, stdin: str = "") -> str:
        """Run a `simpul` command in a container of intake."""
        return self.compose("exec", "-T", "intake", "simpul", *arguments, stdin=stdin)

    def containers(self, service: str = "") -> dict[str, int]:
        """The running containers by name, each with the pid of its first process on this machine."""
        ids = self.compose("ps", "--quiet", *([service] if service else [])).split()
        form = "{{.Name}} {{.State.Pid}}"
        lines = (
            _output_of([*self.engine_command, "inspect", "--format", form, *ids], "", 60).splitlines() if ids else []
        )
        return {name.lstrip("/"): int(pid) for name, pid in (line.split() for line in lines)}

    def log(self, container: str) -> str:
        completed = _run([*self.engine_command, "logs", container], seconds=60)
        return completed.stdout + completed.stderr


def project(folder: Path, **settings: str) -> ComposeProject:
    """Configure a project with new passwords and unused ports, without starting it. Raises ContainersUnavailable."""
    compose, engine = find_tools()
    http, https, mail = free_port(), free_port(), free_port()
    url = f"http://127.0.0.1:{http}"
    ports = {"GATEWAY_HTTPS_PORT": str(https), "MAILPIT_PORT": str(mail)}
    environment = folder / "production.env"
    environment.write_text(_with(compose_settings(url, "127.0.0.1"), {**ports, **settings}))
    return ComposeProject(compose, engine, environment, url, f"http://127.0.0.1:{mail}")


def _with(text: str, settings: Mapping[str, str]) -> str:
    """Replace these settings in the text."""
    others = [line for line in text.splitlines() if line.partition("=")[0] not in settings]
    return "\n".join([*others, *(f"{name}={value}" for name, value in settings.items())]) + "\n"


def _output_of(command: Sequence[str], stdin: str, seconds: float) -> str:
    completed = _run(command, stdin, seconds)
    if completed.returncode:
        raise Failed(f"{' '.join(command[-4:])}: {(completed.stderr or completed.stdout).strip()[-800:]}")
    return completed.stdout


def _run(command: Sequence[str], stdin: str = "", seconds: float = TIMEOUT_SECONDS) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False, cwd=ROOT
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(command[-4:])} took more than {seconds:.0f} s") from error
