"""MinIO, built from its last public commit: release tags do not resolve as versions of its module."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.engine import Server, Unavailable, fetching, fetching_allowed, free_port, given_or_serving, run, say

VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
KEY, SECRET = "simpul-tests", "only-for-the-tests-of-loopback"


def find() -> Path:
    """The program, built if this run may (4.5 minutes on two cores). Raises Unavailable."""
    return go_program("minio", f"github.com/minio/minio@{VERSION}", VERSION, "4 to 10 minutes")


def server(folder: Path) -> Server:
    """MinIO with its data in this folder, on a port of its own; not started yet."""
    port = free_port()
    return Server(
        name="minio",
        address=f"http://{KEY}:{SECRET}@127.0.0.1:{port}/documents",
        command=[str(find()), "server", "--quiet", "--address", f"127.0.0.1:{port}", str(folder / "minio")],
        folder=folder,
        ready=lambda: answers(f"http://127.0.0.1:{port}/minio/health/ready"),
        # Its console would take a second port, and asking for updates the network.
        env={"MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"},
    )


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The address of one that runs: http://key:secret@host:port/bucket."""
    with given_or_serving("SIMPUL_MINIO", lambda: server(folder)) as address:
        yield address


def go_program(name: str, package: str, version: str, duration: str) -> Path:
    """A program of Go from the cache, or built into it. Raises Unavailable."""
    with fetching(name) as folder:
        program = folder / version / name
        if program.exists():
            return program
        if not fetching_allowed():
            raise Unavailable(f"{name} is not here; `make engines` builds it ({duration}, once)")
        say(f"Building {name} {version} ({duration}, once) ...")
        run(["go", "install", package], seconds=1800, env={"GOBIN": str(program.parent), "GOFLAGS": ""})
        say(f"{name} is built: {program}")
        return program


def answers(url: str) -> bool:
    """Whether this address answers with anything below 500."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except OSError:
        return False
