"""Measure submissions that arrive at given rates, also while live streams of pages are open.

Prints as JSON the times of the submissions of each phase, how many failed, and how long after a phase its load is noticed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.http_client import Body, Connections
from bench.load import UnexpectedResponse, quantiles, reuse_sessions, sign_in, submission
from bench.propagation import run_at_rate
from shared.web.http.stream_limits import MAX_STREAMS_PER_ADDRESS, MAX_STREAMS_PER_OWNER, PUBLIC_SHARE

NORMAL_FACTOR, NORMAL_SECONDS = 2.0, 0.1
"""A submission is as fast as before a jump if it takes at most this many times the slowest one before it, or this long."""
OPEN_TIMEOUT_SECONDS = 60.0

Phase = tuple[float, float]
"""Submissions per second, and for how many seconds."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """When a submission began, in seconds since the start, how long it took, and "" or why it failed."""

    at: float
    seconds: float
    failure: str = ""


@dataclass
class Applicants:
    """Submits requests; each over a connection of its own, as people do."""

    ports: Mapping[str, int]
    body: Body
    started_at: float = field(default_factory=time.perf_counter)
    done: list[Submitted] = field(default_factory=list)

    async def submit(self) -> dict[str, Any]:
        """Submit a request; return the response, empty if it failed."""
        connections, at, failure = Connections(self.ports), time.perf_counter(), ""
        made: dict[str, Any] = {}
        try:
            response = await connections.post("/api/requests", self.body)
            made = response.content if response.status < 300 else {}
            failure = "" if made else f"{response.status} {response.body[:200].decode(errors='replace')}"
        except (OSError, EOFError) as error:
            failure = repr(error)
        connections.close()
        self.done.append(Submitted(at - self.started_at, time.perf_counter() - at, failure))
        return made


async def run_phases(applicants: Applicants, phases: Sequence[Phase]) -> list[float]:
    """Submit at the rate of each phase, whatever has not been answered yet; return when each phase ended."""
    calls, ends = [], []
    for per_second, seconds in phases:
        calls.append(asyncio.ensure_future(run_at_rate(applicants.submit, per_second, seconds)))
        await asyncio.sleep(seconds)
        ends.append(time.perf_counter() - applicants.started_at)
    await asyncio.gather(*calls)
    return ends


def report(done: Sequence[Submitted], phases: Sequence[Phase], ends: Sequence[float]) -> dict[str, Any]:
    """Times are milliseconds of what succeeded; for `recovery_seconds` after the busiest phase, submissions were slow or failed."""
    starts = [0.0, *ends[:-1]]
    by_phase = [
        [one for one in done if start <= one.at < end or (end == ends[-1] <= one.at)]
        for start, end in zip(starts, ends, strict=True)
    ]
    busiest = max(range(len(phases)), key=lambda index: phases[index][0])
    slowest = max((one.seconds for one in by_phase[0] if not one.failure), default=0.0)
    normal = max(NORMAL_SECONDS, NORMAL_FACTOR * slowest)
    slow = [one.at + one.seconds - ends[busiest] for one in done if one.failure or one.seconds > normal]
    failures = [one.failure for one in done if one.failure]
    return {
        "phases": [
            {
                "per_second": rate,
                "submissions": len(every),
                **quantiles([one.seconds for one in every if not one.failure]),
            }
            for (rate, _), every in zip(phases, by_phase, strict=True)
        ],
        "submissions": len(done),
        "failures": len(failures),
        "first_failures": failures[:3],
        "recovery_seconds": max(0.0, *slow) if slow else 0.0,
        "timeline": [(round(one.at, 2), round(1000 * one.seconds, 1)) for one in sorted(done, key=lambda one: one.at)],
    }


@asynccontextmanager
async def open_pages(
    count: int, ports: Mapping[str, int], accounts: Sequence[Mapping[str, Any]], applicants: Applicants
) -> AsyncIterator[None]:
    """Keep the live streams of so many pages open, read what they send, and yield when all are open.

    Applicants have as many as they may, each from a page of a request; the others are lists of officers and heads. Each session and
    request has as many pages as it may, and they come from as many addresses as the limits need.
    """
    of_applicants = int(count * PUBLIC_SHARE)
    readers: list[asyncio.Task[None]] = []
    opened = [asyncio.Event() for _ in range(count)]
    try:
        for index in range(count):
            if index % MAX_STREAMS_PER_OWNER == 0 or index == of_applicants:
                path, token = await (
                    _followed_request(applicants) if index < of_applicants else _watched_list(index, ports, accounts)
                )
            address = f"127.0.1.{1 + index // MAX_STREAMS_PER_ADDRESS}"
            readers.append(asyncio.create_task(_read_stream(ports, path, token, address, opened[index])))
        async with asyncio.timeout(OPEN_TIMEOUT_SECONDS):
            for reader, event in zip(readers, opened, strict=True):
                await _wait_until_open(reader, event)
        yield
        if ended := sum(one.done() for one in readers):
            raise UnexpectedResponse(f"{ended} of {count} live streams ended")
    finally:
        for one in readers:
            one.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _wait_until_open(reader: asyncio.Task[None], opened: asyncio.Event) -> None:
    """Raises UnexpectedResponse if the stream was refused."""
    waiting = asyncio.ensure_future(opened.wait())
    await asyncio.wait((reader, waiting), return_when=asyncio.FIRST_COMPLETED)
    if not opened.is_set():
        waiting.cancel()
        await reader
        raise UnexpectedResponse("a live stream ended before it began")


async def _followed_request(applicants: Applicants) -> tuple[str, str]:
    made = await applicants.submit()
    if not made:
        raise UnexpectedResponse(f"a submission failed: {applicants.done[-1].failure}")
    return f"/api/intake/live?number={made['number']}", made["tracking_token"]


async def _watched_list(index: int, ports: Mapping[str, int], accounts: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    role, service = [("officer", "verification"), ("structural", "assignment")][index // MAX_STREAMS_PER_OWNER % 2]
    tokens, _ = await sign_in(ports, [dict(account) for account in accounts if role in account["roles"]])
    return f"/api/{service}/live", tokens[role]


async def _read_stream(ports: Mapping[str, int], path: str, token: str, address: str, opened: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", ports[""], local_addr=(address, 0))
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{ports['']}\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(head.encode())
    try:
        if b" 200 " not in (status := await reader.readline()):
            raise UnexpectedResponse(f"{path} from {address}: {status.decode(errors='replace')}")
        while line := await reader.readline():
            if line.startswith(b"retry:"):
                opened.set()
    finally:
        writer.close()


async def measure(
    ports: Mapping[str, int],
    accounts: Sequence[Mapping[str, Any]],
    body: Body,
    phases: Sequence[Phase],
    pages: int,
) -> dict[str, Any]:
    async with open_pages(pages, ports, accounts, Applicants(ports, body)):
        applicants = Applicants(ports, body)
        ends = await run_phases(applicants, phases)
    return {"pages": pages, **report(applicants.done, phases, ends)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ports", type=json.loads, required=True, help='{"": 8000}')
    arguments.add_argument("--accounts", type=Path, required=True)
    arguments.add_argument("--phases", type=json.loads, required=True, help="[[per second, seconds], ...]")
    arguments.add_argument("--pages", type=int, default=0, help="live streams that are open meanwhile")
    options = arguments.parse_args()
    accounts = json.loads(options.accounts.read_text())
    _, today = reuse_sessions(options.ports, options.accounts)
    body = submission(today, random.Random(3))
    print(json.dumps(uvloop.run(measure(options.ports, accounts, body, options.phases, options.pages))))


if __name__ == "__main__":
    main()
