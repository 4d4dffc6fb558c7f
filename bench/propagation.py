"""Measure the propagation latency: requests start at a constant rate, and each event is polled for until it has arrived.

Prints as JSON the milliseconds from the response to a command until another service shows its effect. A poll is a request every
10 ms, and its time is included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.http_client import Body, Connections, Response, as_json
from bench.load import VERDICTS, UnexpectedResponse, quantiles, sign_in, submission

POLL_INTERVAL_SECONDS = 0.01
RETRY_TIMEOUT_SECONDS = 30.0


@dataclass
class PropagationProbe:
    """The latencies in seconds by the service that received the event."""

    ports: Mapping[str, int]
    tokens: Mapping[str, str]
    submission: Body
    latencies: dict[str, list[float]] = field(default_factory=lambda: {"verification": [], "assignment": []})

    async def run_request(self) -> None:
        """Submit and verify one request: an event from intake to verification, and one from verification to assignment."""
        connections = Connections(self.ports)
        made = _checked(await connections.post("/api/requests", self.submission)).content
        request = f"requests/{made['id']}"
        await self._wait_for_status(connections, "verification", request, "officer", "submitted")
        body = as_json({"checklist": VERDICTS, "acknowledged_warnings": []})
        _checked(await connections.post(f"/api/verification/{request}/verification", body, self.tokens["officer"]))
        await self._wait_for_status(connections, "assignment", request, "structural", "verified")
        connections.close()

    async def _wait_for_status(
        self, connections: Connections, service: str, request: str, role: str, status: str
    ) -> None:
        started_at = time.perf_counter()
        while time.perf_counter() - started_at < RETRY_TIMEOUT_SECONDS:
            response = await connections.get(f"/api/{service}/{request}", self.tokens[role])
            if response.status == 200 and response.content["status"] == status:
                self.latencies[service].append(time.perf_counter() - started_at)
                return
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        raise UnexpectedResponse(f"{service} does not show {request} after {RETRY_TIMEOUT_SECONDS:.0f} s")


def _checked(response: Response) -> Response:
    if response.status >= 300:
        raise UnexpectedResponse(f"{response.status} {response.body[:300].decode(errors='replace')}")
    return response


async def run_at_rate(begin: Callable[[], Any], per_second: float, seconds: float) -> None:
    """Start calls at a constant rate, independent of their completion, and wait for all."""
    started_at, calls = time.perf_counter(), []
    for number in range(round(per_second * seconds)):
        await asyncio.sleep(max(0.0, started_at + number / per_second - time.perf_counter()))
        calls.append(asyncio.ensure_future(begin()))
    await asyncio.gather(*calls)


async def measure(
    ports: Mapping[str, int], accounts: list[dict[str, Any]], per_second: float, seconds: float
) -> dict[str, Any]:
    tokens, today = await sign_in(ports, accounts)
    probe = PropagationProbe(ports, tokens, submission(today, random.Random(2)))
    await run_at_rate(probe.run_request, per_second, seconds)
    all_latencies = [seconds for latencies in probe.latencies.values() for seconds in latencies]
    return {
        "per_second": per_second,
        "events": len(all_latencies),
        "all": quantiles(all_latencies),
        "to": {name: quantiles(latencies) for name, latencies in probe.latencies.items()},
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ports", type=json.loads, required=True)
    arguments.add_argument("--accounts", type=Path, required=True)
    arguments.add_argument("--per-second", type=float, default=5)
    arguments.add_argument("--seconds", type=float, default=20)
    options = arguments.parse_args()
    accounts = json.loads(options.accounts.read_text())
    print(json.dumps(uvloop.run(measure(options.ports, accounts, options.per_second, options.seconds))))


if __name__ == "__main__":
    main()
