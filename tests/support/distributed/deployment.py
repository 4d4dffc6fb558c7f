"""A distributed deployment: several processes of every service, real engines and a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from shared.settings import load_settings
from simpul.registry import SERVICE_NAMES
from tests.support.distributed.gateway import gateway
from tests.support.e2e.server_process import ServerProcess, is_ready
from tests.support.e2e.server_session import create_signed_in_staff
from tests.support.engines import kafka, minio, mongo
from tests.support.engines.engine_process import EngineProcess as Engine
from tests.support.engines.secured_engines import EngineAccess
from tests.support.ports import free_port
from tests.support.simpul_process import SimpulProcess

PROCESSES_PER_SERVICE = 2
"""The number of processes per service."""

READY_TIMEOUT_SECONDS = 180.0
"""An upper bound for starting all processes at once on a busy machine."""


@dataclass
class Engines:
    """The three engines, each of which can be killed and restarted; `access` has the credentials, if any."""

    kafka: Engine
    mongo: Engine
    minio: Engine
    access: EngineAccess | None = None

    @property
    def settings(self) -> dict[str, str]:
        """Return settings with a topic, a database and a bucket of their own."""
        name = self.access.name if self.access else f"test-{uuid4().hex[:12]}"
        return {
            **(_as_user(self.access) if self.access else {}),
            "SIMPUL_KAFKA": self.kafka.address,
            "SIMPUL_KAFKA_TOPIC": name,
            "SIMPUL_MONGO": urlsplit(self.mongo.address)._replace(path=f"/{name}").geturl(),
            "SIMPUL_MINIO": urlsplit(self.minio.address)._replace(path=f"/{name}").geturl(),
        }


def _as_user(access: EngineAccess) -> dict[str, str]:
    """Settings that are not part of the addresses of MongoDB and MinIO."""
    return {
        "SIMPUL_KAFKA_TLS": "true",
        "SIMPUL_KAFKA_CA_FILE": str(access.authority),
        "SIMPUL_KAFKA_USER": access.user,
        "SIMPUL_KAFKA_PASSWORD": access.password,
        "SSL_CERT_FILE": str(access.authority),
    }


@contextlib.contextmanager
def engines(folder: Path, access: EngineAccess | None = None) -> Iterator[Engines]:
    """Start three engines that tests may kill. Raises EngineUnavailable."""
    # All are looked for before any is started.
    made = Engines(
        kafka.server(folder / "kafka", access),
        mongo.server(folder / "mongo", access),
        minio.server(folder / "minio", access),
        access,
    )
    started = (made.kafka, made.mongo, made.minio)
    try:
        for engine in started:
            engine.start()
        yield made
    finally:
        for engine in started:
            engine.stop()


@dataclass
class ServiceProcess:
    """One process of one service, which can be killed and restarted on its port."""

    service: str
    environment: dict[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    running: SimpulProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {**self.environment, "SIMPUL_PORT": str(self.port)}
        with self.log.open("ab") as log:
            self.running = SimpulProcess("serve", self.service, env=environment, output=log, errors=log)

    def wait(self) -> None:
        """Wait until it is ready."""
        until = time.monotonic() + READY_TIMEOUT_SECONDS
        with httpx.Client(timeout=5) as client:
            while not is_ready(client, self.url):
                self.check_running()
                if time.monotonic() > until:
                    raise RuntimeError(f"{self.service} is not ready: {self.log.read_text()[-2000:]}")
                time.sleep(0.1)

    def check_running(self) -> None:
        """Raise RuntimeError if the process has ended, although another one may answer on its port."""
        if self.running is None or self.running.poll() is not None:
            raise RuntimeError(f"{self.service} has ended: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()
        self.running.wait()

    def stop(self) -> None:
        if self.running is not None:
            self.running.terminate()
            self.running.wait(timeout=40)


@dataclass
class Deployment(ServerProcess):
    """A deployment with the interface of a server process: the gateway's address and the command line."""

    processes: list[ServiceProcess] = field(default_factory=list)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            "SIMPUL_MODE": "distributed",
            "SIMPUL_SECRET_FILE": str(self.secret),
            "SIMPUL_BASE_URL": self.url,
            "SIMPUL_TRUSTED_PROXIES": "127.0.0.1",
            "SIMPUL_PUBLIC_RATE": "0",
            "SIMPUL_LOG_LEVEL": "warning",
        }
        return {**os.environ, **ours, **self.settings}

    @property
    def secret(self) -> Path:
        return self.data / "secret"

    def prepare(self) -> None:
        self.data.mkdir(parents=True)
        self.secret.touch(mode=0o600)
        self.secret.write_text(secrets.token_urlsafe(48))
        done = self.simpul("prepare")
        assert done.returncode == 0, done.stderr

    @property
    def pids(self) -> list[int]:
        return [process.running.pid for process in self.processes if process.running]

    def start(self) -> None:
        """Start every process and the gateway; after a kill on the same ports."""
        behind = bool(self.processes)
        if not behind:
            self.processes = self._planned()
        for process in self.processes:
            process.start()
        for process in self.processes:
            process.wait()
        for process in self.processes:
            process.check_running()
        if not behind:
            urls = {name: [each.url for each in self.of(name)] for name in SERVICE_NAMES}
            self._open.enter_context(gateway(self.port, urls))

    def _planned(self) -> list[ServiceProcess]:
        names = [name for name in SERVICE_NAMES for _ in range(PROCESSES_PER_SERVICE)]
        logs = [self.data / f"{name}-{number}.log" for number, name in enumerate(names)]
        planned = [ServiceProcess(name, self.environment, log) for name, log in zip(names, logs, strict=True)]
        for process in planned:
            self._open.callback(process.stop)
        return planned

    def kill(self) -> None:
        """Kill all processes at once, but not the gateway."""
        for process in self.processes:
            process.kill()

    def stop(self) -> None:
        self._open.close()

    def of(self, service: str) -> list[ServiceProcess]:
        return [process for process in self.processes if process.service == service]

    def add_staff(self) -> None:
        ours = {name: value for name, value in self.environment.items() if name.startswith("SIMPUL_")}
        named = {name.removeprefix("SIMPUL_").lower(): value for name, value in ours.items()}
        asyncio.run(create_signed_in_staff(load_settings(**named)))
