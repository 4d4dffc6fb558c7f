"""A data folder, empty engines and the command line that migrates from one to the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.backends.distributed import open_backend
from shared.backends.platform import Platform, open_platform
from shared.backends.port import Backend
from shared.clock import random_id, system_clock
from shared.eventlog.port import EventLog
from shared.settings import Settings, load_settings
from simpul.registry import build_services
from tests.support.distributed.deployment import Engines
from tests.support.simpul_process import run_simpul

CompletedCommand = subprocess.CompletedProcess[str]


@pytest.fixture
def empty(real_engines: Engines) -> dict[str, str]:
    """Settings of empty engines."""
    return real_engines.settings


@dataclass
class MigrationHarness:
    """The source and the destination of a migration."""

    data: Path
    engines: dict[str, str]
    smtp: str = "smtp://127.0.0.1:25?tls=none"

    @property
    def embedded_environment(self) -> dict[str, str]:
        """The environment of the embedded mode with the settings of the engines."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith("SIMPUL_")}
        return {**bare, "SIMPUL_DATA": str(self.data), "SIMPUL_LOG_LEVEL": "warning", **self.engines}

    @property
    def distributed_environment(self) -> dict[str, str]:
        """The environment of the distributed mode."""
        return {
            **self.embedded_environment,
            "SIMPUL_MODE": "distributed",
            "SIMPUL_SECRET_FILE": str(self.data / "secret"),
            "SIMPUL_SMTP": self.smtp,
            "SIMPUL_BASE_URL": "http://127.0.0.1:8000",
        }

    @property
    def settings(self) -> Settings:
        named = {name.removeprefix("SIMPUL_").lower(): value for name, value in self.engines.items()}
        return load_settings(mode="embedded", data=self.data, **named)

    def move(self) -> CompletedCommand:
        return simpul(self.embedded_environment, "move", "--to", "distributed", "--json")

    def moved(self) -> dict[str, Any]:
        done = self.move()
        assert done.returncode == 0, done.stderr + done.stdout
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def verified(self) -> None:
        """Expect that `simpul events verify` finds no difference on the engines."""
        done = simpul(self.distributed_environment, "events", "verify", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["clean"] is True

    async def kill_when(self, so: Callable[[Backend], Any]) -> None:
        """Start the migration and kill it once the condition holds; fail if it ends before."""
        command = [sys.executable, "-m", "simpul", "move", "--to", "distributed"]
        async with self.backend() as backend:
            moving = await asyncio.create_subprocess_exec(*command, env=self.embedded_environment)
            try:
                async with asyncio.timeout(600):
                    while not await so(backend):
                        assert moving.returncode is None, "it was moved before it could be killed"
            finally:
                if moving.returncode is None:
                    moving.kill()
                await moving.wait()

    @contextlib.asynccontextmanager
    async def backend(self) -> AsyncIterator[Backend]:
        """Return the contents of the engines."""
        opened = open_backend(self.settings, system_clock, random_id)
        try:
            await opened.prepare()
            yield opened
        finally:
            await opened.close()

    @contextlib.asynccontextmanager
    async def folder(self) -> AsyncIterator[Platform]:
        opened = open_platform(self.settings)
        try:
            await opened.prepare()
            for service in build_services(opened):
                await service.runtime.store.prepare()
            yield opened
        finally:
            await opened.close()


def simpul(environment: dict[str, str], *words: str) -> CompletedCommand:
    return run_simpul(*words, env=environment, timeout=300)


async def count_of(log: EventLog) -> int:
    return sum([len(batch) async for batch in log.read()])
