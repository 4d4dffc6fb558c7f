"""Simpul in distributed mode as a target: one process per service, over engines on the same machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.machine import NotReady, free_port
from bench.rounds import SIMPUL, Program, Sink, Target, create_accounts, simpul_settings
from simpul.registry import SERVICE_NAMES
from simpul.routing import DEFAULT_SERVICE
from tests.support.distributed.deployment import Engines, engines


@contextlib.contextmanager
def distributed_target(data: Path, sink: Sink) -> Iterator[Target]:
    """Start engines with a new topic, database and bucket, and create accounts. Raises NotReady, EngineUnavailable."""
    with engines(data / "engines") as running_engines:
        ports = {name: free_port() for name in SERVICE_NAMES}
        origin = {"SIMPUL_BASE_URL": f"http://127.0.0.1:{ports[DEFAULT_SERVICE]}"}
        settings = {**_create_secret(data), **origin, **running_engines.settings, **simpul_settings(sink)}
        _prepare(settings)
        programs = [
            Program([SIMPUL, "serve", name], {**settings, "SIMPUL_PORT": str(port)}, port)
            for name, port in ports.items()
        ]
        accounts = create_accounts(data, settings)
        yield Target(
            "distributed",
            programs,
            ports,
            accounts,
            emails=True,
            measures_propagation=True,
            engine_pids=_pids(running_engines),
        )


def _create_secret(data: Path) -> dict[str, str]:
    secret = data / "secret"
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(48))
    return {"SIMPUL_MODE": "distributed", "SIMPUL_SECRET_FILE": str(secret)}


def _prepare(settings: dict[str, str]) -> None:
    completed = subprocess.run([SIMPUL, "prepare"], env={**os.environ, **settings}, capture_output=True, check=False)
    if completed.returncode:
        raise NotReady(f"simpul prepare failed: {completed.stderr.decode(errors='replace')}")


def _pids(engines: Engines) -> dict[str, int]:
    return {engine.name: engine.pid for engine in (engines.kafka, engines.mongo, engines.minio)}
