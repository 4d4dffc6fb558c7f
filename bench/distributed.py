"""Simpul in distributed mode as a side of its own: one process of each service over engines on the same machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.machine import NotReady, free_port
from bench.rounds import SIMPUL, Program, Sink, Target, create_accounts, simpul_settings
from simpul.registry import BUILDERS
from simpul.routing import DEFAULT_SERVICE
from tests.support.distributed.deployment import Engines, engines


@contextlib.contextmanager
def distributed_target(data: Path, sink: Sink) -> Iterator[Target]:
    """Engines that run, a topic, a database and a bucket of its own, and staff. Raises NotReady, and Unavailable."""
    with engines(data / "engines") as beneath:
        ports = {name: free_port() for name in BUILDERS}
        origin = {"SIMPUL_BASE_URL": f"http://127.0.0.1:{ports[DEFAULT_SERVICE]}"}
        settings = {**_create_secret(data), **origin, **beneath.settings, **simpul_settings(sink)}
        _prepare(settings)
        programs = [
            Program([SIMPUL, "serve", name], {**settings, "SIMPUL_PORT": str(port)}, port)
            for name, port in ports.items()
        ]
        accounts = create_accounts(data, settings)
        yield Target(
            "apart", programs, ports, accounts, emails=True, measures_propagation=True, beneath=_processes(beneath)
        )


def _create_secret(data: Path) -> dict[str, str]:
    secret = data / "secret"
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(48))
    return {"SIMPUL_MODE": "distributed", "SIMPUL_SECRET_FILE": str(secret)}


def _prepare(settings: dict[str, str]) -> None:
    done = subprocess.run([SIMPUL, "prepare"], env={**os.environ, **settings}, capture_output=True)
    if done.returncode:
        raise NotReady(f"simpul prepare failed: {done.stderr.decode(errors='replace')}")


def _processes(beneath: Engines) -> dict[str, int]:
    return {engine.name: engine.pid for engine in (beneath.kafka, beneath.mongo, beneath.minio)}
