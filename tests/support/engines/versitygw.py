"""versitygw, a second S3 server, to show that the adapter uses plain S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.engines.engine_process import EngineProcess, given_or_serving
from tests.support.engines.minio import KEY, SECRET, answers, go_program
from tests.support.ports import free_port

VERSION = "v1.8.0"


def find() -> Path:
    """Return the program, built if allowed (under two minutes). Raises EngineUnavailable."""
    return go_program("versitygw", f"github.com/versity/versitygw/cmd/versitygw@{VERSION}", VERSION, "2 to 4 minutes")


def server(folder: Path) -> EngineProcess:
    """Versitygw with its data in this folder, on a port of its own; not started yet."""
    port, data = free_port(), folder / "versitygw"
    data.mkdir(parents=True, exist_ok=True)
    return EngineProcess(
        name="versitygw",
        address=f"http://{KEY}:{SECRET}@127.0.0.1:{port}/documents",
        command=[str(find()), "--quiet", "--port", f"127.0.0.1:{port}", "posix", str(data)],
        folder=folder,
        ready=lambda: answers(f"http://127.0.0.1:{port}/"),
        env={"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
    )


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run the server; its address is http://key:secret@host:port/bucket."""
    with given_or_serving("SIMPUL_TEST_VERSITYGW", lambda: server(folder)) as address:
        yield address
