"""Measure the pages and lists of staff over HTTP, one after the other; prints their milliseconds by path as JSON."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import uvloop

from bench.http_client import Connections
from bench.load import UnexpectedResponse, quantiles, reuse_sessions

REPEATS = 20
PAGES: Mapping[str, Sequence[str]] = {
    "": ("/", "/kinerja"),
    "officer": (
        "/verifikasi",
        "/verifikasi?status=all",
        "/verifikasi?status=all&search=zebrawati",
        "/verifikasi?status=all&search=dinas",
        "/verifikasi?status=all&from={month}&sort=number",
        "/verifikasi?status=all&from={year}&sort=number",
        "/api/verification/requests?status=submitted&total=true",
    ),
    "structural": (
        "/penugasan",
        "/penugasan?tab=archive",
        "/penugasan?tab=archive&status=withdrawn&sort=name",
        "/penugasan?tab=archive&from={month}&sort=number",
        "/penugasan?tab=overdue",
        "/beban-kerja",
        "/lewat-batas",
        "/dasbor",
        "/dasbor/kepuasan",
        "/dasbor/register",
        "/api/assignment/dashboard",
        "/api/assignment/survey",
        "/api/assignment/register",
    ),
    "technical": ("/pekerjaan", "/pekerjaan?tab=all"),
}
"""By role; `month` and `year` are days so long ago."""


async def measure(ports: Mapping[str, int], tokens: Mapping[str, str], today: date) -> dict[str, dict[str, float]]:
    """Return the median and the 95th percentile of each path. Raises UnexpectedResponse."""
    days = {"month": str(today - timedelta(days=30)), "year": str(today - timedelta(days=365))}
    connections, times = Connections(ports), {}
    for role, paths in PAGES.items():
        for path in paths:
            times[path] = quantiles(
                [await _seconds(connections, path.format(**days), tokens.get(role, "")) for _ in range(REPEATS)]
            )
    connections.close()
    return times


async def _seconds(connections: Connections, path: str, token: str) -> float:
    started_at = time.perf_counter()
    response = await connections.get(path, token, page=not path.startswith("/api/"))
    if response.status != 200:
        raise UnexpectedResponse(f"{path}: {response.status} {response.body[:300].decode(errors='replace')}")
    return time.perf_counter() - started_at


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ports", type=json.loads, required=True, help='{"": 8000}')
    arguments.add_argument("--accounts", type=Path, required=True)
    options = arguments.parse_args()
    tokens, today = reuse_sessions(options.ports, options.accounts)
    print(json.dumps(uvloop.run(measure(options.ports, tokens, today))))


if __name__ == "__main__":
    main()
