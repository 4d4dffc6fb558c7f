"""The real server in a process of its own, an SMTP server, and signed-in staff."""

from __future__ import annotations

import contextlib
import email
import email.policy
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from aiosmtpd.controller import Controller

from simpul.client import RetryPolicy, SimpulClient, open_client
from tests.support.ports import free_port
from tests.support.simpul_process import SimpulProcess, run_simpul

STAFF = {
    "nurlaila": ("Nurlaila Ibarat", ["officer"]),
    "hasan": ("Hasan Umpama", ["structural"]),
    "dewi": ("Dewi Andaian", ["technical"]),
    "yusuf": ("Yusuf Misal", ["technical"]),
    "admin": ("Ahli Sistem", ["admin"]),
}
PASSWORD = "tujuh-ombak-biru-di-maba"
START_TIMEOUT_SECONDS = 120.0


@dataclass
class Inbox:
    """The handler of an SMTP server that keeps its messages."""

    messages: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.messages if address in str(message["To"])]

    def subjects(self, address: str) -> list[str]:
        return [str(message["Subject"]).partition("] ")[2] for message in self.to(address)]


@contextlib.contextmanager
def smtp_server(inbox: Inbox | None = None) -> Iterator[tuple[Inbox, str]]:
    """Run an SMTP server; its inbox and the value of SIMPUL_SMTP."""
    inbox = inbox or Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield inbox, f"smtp://127.0.0.1:{controller.port}?tls=none"
    finally:
        controller.stop()


@dataclass
class ServerProcess:
    """`simpul up` on a data folder, which can be killed and restarted."""

    data: Path
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    process: SimpulProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        ours = {"SIMPUL_DATA": str(self.data), "SIMPUL_PORT": str(self.port), "SIMPUL_PUBLIC_RATE": "0"}
        return {**os.environ, **ours, "SIMPUL_LOG_LEVEL": "warning", **self.settings}

    def start(self) -> None:
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            self.process = SimpulProcess("up", env=self.environment, output=log, errors=log)
        until = time.monotonic() + START_TIMEOUT_SECONDS
        with httpx.Client() as client:  # one for all attempts: its certificates take longer to load than an attempt
            while not is_ready(client, self.url):
                if self.process.poll() is not None or time.monotonic() > until:
                    self.kill()
                    raise RuntimeError(f"the server did not start; see {log.name}")
                time.sleep(0.05)

    @property
    def pids(self) -> list[int]:
        return [self.process.pid] if self.process else []

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=40)

    def simpul(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a `simpul` command in the server's environment."""
        return run_simpul(*words, env=self.environment, given=given)


def is_ready(client: httpx.Client, url: str) -> bool:
    """Whether the server at this address answers that it is ready."""
    with contextlib.suppress(httpx.TransportError):
        return client.get(f"{url}/health/ready").status_code == 200
    return False


@contextlib.asynccontextmanager
async def signed_in_clients(server: ServerProcess) -> AsyncIterator[dict[str, SimpulClient]]:
    """Sign in a client for each member of staff; "" is anonymous."""
    async with open_client(server.url, retry_policy=RetryPolicy(timeout_seconds=20)) as anybody:
        yield {"": anybody, **{name: await anybody.sign_in(name, PASSWORD) for name in STAFF}}


def address_of(username: str) -> str:
    return f"{username}@diskominfo.example"
