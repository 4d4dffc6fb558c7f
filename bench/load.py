"""Load generator: clients that take requests from submission to confirmation, one after another, for a given time.

Prints the results as JSON. Officer and head wait until a request appears in their live lists, as their pages do; the applicant
reads an email first, for 0.3 s. A command that is refused because an event has not reached its service yet (404, 409) is
retried; the waiting time counts into the lifecycle, and the retries are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import uvloop
from fpdf import FPDF
from PIL import Image

from bench.http_client import Body, Connections, Response, as_form, as_json
from bench.live_feed import LiveFeed, live_feeds
from shared.contracts.facts import ChecklistItem

FILE_BYTES = 100 * 1024
PDF_OVERHEAD_BYTES = 1200
RETRY_TIMEOUT_SECONDS = 30.0
INITIAL_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.05, 0.2
EMAIL_SECONDS = 0.3
"""How long the applicant takes to learn of the handover, which is told by email."""
RETRYABLE_STATUSES = (404, 409)
APPLICANT = {
    "name": "Rahmat Beban",
    "employee_number": "198502142010011001",
    "unit": "DISKOMINFO",
    "position": "Analis Sistem Informasi",
    "description": "Pertukaran data kepegawaian dengan aplikasi kehadiran untuk uji beban.",
    "scope": "data",
    "email": "rahmat.beban@contoh.example",
    "letter_number": "045.2/117/2026",
}
VERDICTS = [{"item": item.value, "ok": True} for item in ChecklistItem]

Sessions = tuple[dict[str, str], date]
"""A token for every role, and the date of the server."""


class UnexpectedResponse(Exception):
    """A response that does not occur in a correct lifecycle."""


@dataclass
class LoadResults:
    """Seconds per command, and finished lifecycles as (seconds since the start, duration in seconds)."""

    commands: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waited: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    retries: int = 0
    finished: list[tuple[float, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LoadConfig:
    """The request bodies and staff sessions that all clients share."""

    ports: Mapping[str, int]
    tokens: Mapping[str, str]
    submission: Body
    completion: Body
    assignment: Body
    until: float
    feeds: Mapping[str, LiveFeed]


class Client:
    """One applicant, one officer, one head and one lead in turn on the same connections."""

    def __init__(self, config: LoadConfig, results: LoadResults) -> None:
        self._config, self._results = config, results
        self._connections = Connections(config.ports)

    async def run(self, started: float) -> None:
        while time.perf_counter() < self._config.until:
            started_at = time.perf_counter()
            try:
                await self._lifecycle()
            except (UnexpectedResponse, OSError, EOFError) as error:
                self._results.failures.append(str(error))
                self._connections.close()
                continue
            ended = time.perf_counter()
            self._results.finished.append((ended - started, ended - started_at))
        self._connections.close()

    async def _lifecycle(self) -> None:
        made = (await self._do("submit", "/api/requests", self._config.submission)).content
        request, number, tracking = made["id"], made["number"], made["tracking_token"]
        verified = as_json({"checklist": VERDICTS, "acknowledged_warnings": []})
        tokens = self._config.tokens
        work = f"/api/assignment/requests/{request}"
        await self._do(
            "verify",
            f"/api/verification/requests/{request}/verification",
            verified,
            tokens["officer"],
            self._arrival("verification", request, "submitted"),
        )
        await self._do(
            "assign",
            f"{work}/assignment",
            self._config.assignment,
            tokens["structural"],
            self._arrival("assignment", request, "verified"),
        )
        await self._do("start", f"{work}/start", as_json({}), tokens["technical"])
        await self._do(
            "complete",
            f"{work}/completion",
            self._config.completion,
            tokens["technical"],
        )
        await self._do(
            "confirm", f"/api/requests/{number}/confirmation", as_json({}), tracking, self._email_of_handover()
        )

    async def _arrival(self, service: str, request: str, status: str) -> None:
        if feed := self._config.feeds.get(service):
            await feed.wait_for(request, status)

    async def _email_of_handover(self) -> None:
        if self._config.feeds:
            await asyncio.sleep(EMAIL_SECONDS)

    async def _do(
        self, command: str, path: str, body: Body, token: str = "", arrival: Coroutine[Any, Any, None] | None = None
    ) -> Response:
        first = time.perf_counter()
        if arrival is not None:
            await arrival
        delay = INITIAL_DELAY_SECONDS
        while True:
            started_at = time.perf_counter()
            response = await self._connections.post(path, body, token)
            ended = time.perf_counter()
            if response.status < 300:
                self._results.commands[command].append(ended - started_at)
                self._results.waited[command].append(started_at - first)
                return response
            if response.status not in RETRYABLE_STATUSES or ended - first > RETRY_TIMEOUT_SECONDS:
                raise UnexpectedResponse(f"{command}: {response.status} {response.body[:300].decode(errors='replace')}")
            self._results.retries += 1
            await asyncio.sleep(delay)
            delay = min(2 * delay, MAX_DELAY_SECONDS)


async def sign_in(ports: Mapping[str, int], accounts: list[dict[str, Any]]) -> Sessions:
    """Sign in all accounts; return a token for every role and the date of the server."""
    connections, today = Connections(ports), date.min
    tokens: dict[str, str] = {}
    for account in accounts:
        credentials = {"username": account["username"], "password": account["password"]}
        response = await connections.post("/api/session", as_json(credentials))
        if response.status >= 300:
            raise UnexpectedResponse(f"session: {response.status} {response.body[:300].decode(errors='replace')}")
        tokens |= dict.fromkeys(account["roles"], response.content["token"])
        today = parsedate_to_datetime(response.date).date()
    connections.close()
    return tokens, today


def pdf_of(size: int, rng: random.Random) -> bytes:
    """A valid PDF of `size` bytes, to within one percent: a page of text and an image of noise, which cannot be compressed."""
    side = int(max(size - PDF_OVERHEAD_BYTES, 3) ** 0.5)
    picture = Image.frombytes("L", (side, side), rng.randbytes(side * side))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    pdf = FPDF()
    pdf.set_compression(True)
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.cell(text="Dokumen uji beban")
    pdf.image(io.BytesIO(buffer.getvalue()), w=100)
    return bytes(pdf.output())


def submission(today: date, rng: random.Random) -> Body:
    """The form with two files."""
    files = [
        ("letter", "surat.pdf", pdf_of(FILE_BYTES, rng)),
        ("requirements", "persyaratan.pdf", pdf_of(FILE_BYTES, rng)),
    ]
    return as_form(APPLICANT | {"letter_date": (today - timedelta(days=2)).isoformat()}, files)


def reuse_sessions(ports: Mapping[str, int], accounts: Path) -> Sessions:
    """Like `sign_in`, but once for all runs with this file of accounts: hashing passwords is no part of a lifecycle."""
    saved = accounts.with_suffix(".sessions.json")
    if saved.exists():
        tokens, day = json.loads(saved.read_text())
        return tokens, date.fromisoformat(day)
    sessions = uvloop.run(sign_in(ports, json.loads(accounts.read_text())))
    saved.write_text(json.dumps(sessions, default=str))
    return sessions


async def load(
    ports: Mapping[str, int],
    clients: int,
    seconds: float,
    accounts: list[dict[str, Any]],
    sessions: Sessions,
    *,
    live: bool,
) -> dict[str, Any]:
    tokens, today = sessions
    rng = random.Random(1)
    submitted, result = submission(today, rng), pdf_of(FILE_BYTES, rng)
    lead = next(account["username"] for account in accounts if "technical" in account["roles"])
    assignment = {
        "lead": lead,
        "complexity": "medium",
        "target_date": (today + timedelta(days=30)).isoformat(),
    }
    async with AsyncExitStack() as stack:
        feeds = await stack.enter_async_context(live_feeds(ports, tokens)) if live else {}
        results, started, used = LoadResults(), time.perf_counter(), _cpu()
        config = LoadConfig(
            ports,
            tokens,
            submitted,
            as_form(
                {"summary": "Integrasi selesai dan telah diuji."},
                [("documents", "hasil.pdf", result)],
            ),
            as_json(assignment),
            started + seconds,
            feeds,
        )
        await asyncio.gather(*(Client(config, results).run(started) for _ in range(clients)))
    return report(results, seconds, time.perf_counter() - started, _cpu() - used)


def report(results: LoadResults, seconds: float, elapsed: float, cpu: float) -> dict[str, Any]:
    """Rates are per second, times in milliseconds; lifecycles that end after `seconds` are not part of the rate."""
    inside = [at for at, _ in results.finished if at <= seconds]
    return {
        "seconds": seconds,
        "elapsed": elapsed,
        "lifecycles": len(results.finished),
        "rate": len(inside) / seconds,
        "client_cpu": cpu,
        "again": results.retries,
        "failures": len(results.failures),
        "first_failures": results.failures[:5],
        "lifecycle": quantiles([took for _, took in results.finished]),
        "commands": {name: quantiles(times) for name, times in results.commands.items()},
        "waited": {name: quantiles(times) for name, times in results.waited.items()},
    }


def quantiles(times: list[float]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds."""
    if len(times) < 2:
        return {"p50": 1000 * sum(times), "p95": 1000 * sum(times)}
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return {"p50": 1000 * cuts[9], "p95": 1000 * cuts[18]}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ports", type=json.loads, required=True, help='{"intake": 8000, ...}, or {"": 8000}')
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--accounts", type=Path, required=True)
    arguments.add_argument(
        "--live", type=int, default=0, help="1: follow the live lists, which a baseline does not have"
    )
    options = arguments.parse_args()
    accounts = json.loads(options.accounts.read_text())
    sessions = reuse_sessions(options.ports, options.accounts)
    measured = load(options.ports, options.clients, options.seconds, accounts, sessions, live=bool(options.live))
    print(json.dumps(uvloop.run(measured)))


if __name__ == "__main__":
    main()
