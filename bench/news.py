"""How soon another service has heard: requests begin at a steady pace, and each event is looked for until it is there.

Prints milliseconds from the answer to a command until another service shows what it did, as JSON. Looking itself is
a request every 10 ms, and counts.
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

from bench.load import VERDICTS, Refused, quantiles, signed_in, submission
from bench.wire import Answer, Body, Connections, as_json

LOOKS_EVERY = 0.01
PATIENCE = 30.0


@dataclass
class Hearing:
    """Requests on their way, and how long each event took to be heard."""

    ports: Mapping[str, int]
    tokens: Mapping[str, str]
    submission: Body
    took: dict[str, list[float]] = field(default_factory=lambda: {"verification": [], "assignment": []})

    async def one(self) -> None:
        """Submitted, then verified: intake tells verification, and verification tells assignment."""
        wire = Connections(self.ports)
        made = _done(await wire.post("/api/requests", self.submission)).content
        request = f"requests/{made['id']}"
        await self._heard(wire, "verification", request, "officer", "submitted")
        body = as_json({"checklist": VERDICTS, "acknowledged_warnings": []})
        _done(await wire.post(f"/api/verification/{request}/verification", body, self.tokens["officer"]))
        await self._heard(wire, "assignment", request, "structural", "verified")
        wire.close()

    async def _heard(self, wire: Connections, service: str, request: str, role: str, status: str) -> None:
        begun = time.perf_counter()
        while time.perf_counter() - begun < PATIENCE:
            answer = await wire.get(f"/api/{service}/{request}", self.tokens[role])
            if answer.status == 200 and answer.content["status"] == status:
                self.took[service].append(time.perf_counter() - begun)
                return
            await asyncio.sleep(LOOKS_EVERY)
        raise Refused(f"{service} has not heard of {request} within {PATIENCE:.0f} s")


def _done(answer: Answer) -> Answer:
    if answer.status >= 300:
        raise Refused(f"{answer.status} {answer.body[:300].decode(errors='replace')}")
    return answer


async def at_a_pace(begin: Callable[[], Any], per_second: float, seconds: float) -> None:
    """Begin one after another, each at its time whatever became of those before; wait for all."""
    started, begun = time.perf_counter(), []
    for number in range(round(per_second * seconds)):
        await asyncio.sleep(max(0.0, started + number / per_second - time.perf_counter()))
        begun.append(asyncio.ensure_future(begin()))
    await asyncio.gather(*begun)


async def measured(
    ports: Mapping[str, int], accounts: list[dict[str, Any]], per_second: float, seconds: float
) -> dict[str, Any]:
    tokens, today = await signed_in(ports, accounts)
    hearing = Hearing(ports, tokens, submission(today, random.Random(2)))
    await at_a_pace(hearing.one, per_second, seconds)
    every = [seconds for took in hearing.took.values() for seconds in took]
    return {
        "per_second": per_second,
        "events": len(every),
        "all": quantiles(every),
        "to": {name: quantiles(took) for name, took in hearing.took.items()},
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ports", type=json.loads, required=True)
    arguments.add_argument("--accounts", type=Path, required=True)
    arguments.add_argument("--per-second", type=float, default=5)
    arguments.add_argument("--seconds", type=float, default=20)
    options = arguments.parse_args()
    accounts = json.loads(options.accounts.read_text())
    print(json.dumps(uvloop.run(measured(options.ports, accounts, options.per_second, options.seconds))))


if __name__ == "__main__":
    main()
