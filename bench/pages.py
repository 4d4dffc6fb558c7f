"""Bytes over the wire of each page with everything that it loads, and the time to its first byte, into docs/benchmarks.md."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, CDPSession, sync_playwright

from bench.report import PAGE, PAGES, with_section
from tests.browser import chromium
from tests.browser.visits import House, Visits
from tests.browser.world import World, world_of
from tests.journeys.gate import gate

TIMES = 60
STREAM, ICON = "EventSource", "/mark.svg"
KIND = {"Document": "page", "Stylesheet": "style", "Script": "script"}


@dataclass
class Weight:
    """Bytes that came over the wire, heads of the answers and all, by what was loaded."""

    parts: dict[str, int]
    hosts: set[str]

    @property
    def whole(self) -> int:
        return sum(self.parts.values())


class Scale:
    """Weighs everything that a page of this browser context loads, from the moment that it is made."""

    def __init__(self, session: CDPSession):
        self._kinds: dict[str, str] = {}
        self._awaited: set[str] = set()
        self._iconic = False
        self.weight = Weight({}, set())
        session.on("Network.requestWillBeSent", self._asked)
        session.on("Network.loadingFinished", self._done)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def _asked(self, told: dict[str, Any]) -> None:
        address = urlsplit(told["request"]["url"])
        if address.scheme != "data" and told.get("type") != STREAM:
            self.weight.hosts.add(address.netloc)
            self._kinds[told["requestId"]] = KIND.get(told.get("type", ""), "other")
            self._awaited.add(told["requestId"])
            self._iconic |= address.path.endswith(ICON)

    def _done(self, told: dict[str, Any]) -> None:
        if kind := self._kinds.get(told["requestId"]):
            self.weight.parts[kind] = self.weight.parts.get(kind, 0) + round(told["encodedDataLength"])
            self._awaited.discard(told["requestId"])

    @property
    def settled(self) -> bool:
        """Everything is here that was asked for, the icon of the window too, which browsers fetch last."""
        return self._iconic and not self._awaited


@dataclass(frozen=True)
class Line:
    """A page: its name for readers, who looks at it ("" is everybody, a state the applicant of that request), and its path."""

    name: str
    who: str
    path: str


def lines(world: World) -> Sequence[Line]:
    delivered, led, waiting = world.asked["delivered"], world.asked["in_progress"], world.asked["submitted"]
    return (
        Line("the service and its form", "", "/"),
        Line("tracking, awaiting confirmation", "delivered", f"/lacak/{delivered.number}"),
        Line("tracking, returned", "returned", f"/lacak/{world.asked['returned'].number}"),
        Line("confirmation of a submission", "submitted", f"/lacak/{waiting.number}/diterima"),
        Line("service standard", "", "/standar-pelayanan"),
        Line("sign in", "", "/masuk"),
        Line("officer's queue", "nurlaila", "/verifikasi"),
        Line("officer's request, with a page of its letter", "nurlaila", f"/verifikasi/{waiting.id}"),
        Line("head's queue", "hasan", "/penugasan"),
        Line("head's request, to appoint", "hasan", f"/penugasan/{world.asked['verified'].id}"),
        Line("leads with their load", "hasan", "/beban-kerja"),
        Line("lead's work", "dewi", "/pekerjaan"),
        Line("lead's request", "dewi", f"/pekerjaan/{led.id}"),
        Line("message ledger", "admin", "/surel-keluar"),
        Line("staff accounts", "admin", "/akun"),
    )


def weight_of(visits: Visits, world: World, line: Line) -> Weight:
    """With a cold cache, by a browser that accepts gzip."""
    visit = visits("" if line.who in world.asked else line.who)
    if asked := world.asked.get(line.who):
        path = f"/lacak/{asked.number}"
        visit.context.add_cookies([{"name": "lacak", "value": asked.token, "domain": "127.0.0.1", "path": path}])
    scale = Scale(visit.context.new_cdp_session(visit.page))
    answer = visit.page.goto(world.house.url + line.path, wait_until="load")
    assert answer is not None
    assert answer.status == 200, line
    visit.until(lambda: scale.settled)
    return scale.weight


def first_byte(world: World, line: Line, times: int = TIMES) -> tuple[float, float]:
    """Milliseconds until the head of the answer is here: the median, and the 95th percentile."""
    cookies = _cookies(world, line)
    took = []
    with httpx.Client(base_url=world.house.url, headers={"Cookie": cookies}) as http:
        for _ in range(times + 5):
            begun = time.perf_counter()
            with http.stream("GET", line.path) as answer:
                took.append((time.perf_counter() - begun) * 1000)
                answer.read()
                assert answer.status_code == 200, (line, answer.status_code)
    quantiles = statistics.quantiles(took[5:], n=20)
    return statistics.median(took[5:]), quantiles[18]


def _cookies(world: World, line: Line) -> str:
    if not line.who:
        return ""
    asked = world.asked.get(line.who)
    return f"lacak={asked.token}" if asked else f"simpul={world.house.session(line.who)}"


def section(world: World, browser: Browser, rows: Iterable[Line]) -> str:
    parts = ["page", "style", "script", "other"]
    table = [
        "|  | page | style | script | pictures | all | first byte, ms | p95 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for line in rows:
        visits = Visits(world.house, browser)
        weight = weight_of(visits, world, line)
        complaints = visits.close()
        assert not complaints, complaints
        median, late = first_byte(world, line)
        sizes = " | ".join(_kilobytes(weight.parts, part) for part in parts)
        table.append(f"| {line.name} | {sizes} | {weight.whole / 1000:.1f} | {median:.1f} | {late:.1f} |")
        print(table[-1], flush=True)
    about = (
        "Written by `make bench-pages`. Bytes over the wire in KB (1000 bytes) with a cold cache, gzip and the heads of the\n"
        "answers, in Chromium; milliseconds to the first byte on the server's own machine, the median and the 95th percentile of "
        f"{TIMES}.\nThe browser keeps the style sheet, the script and the mark, so a second page costs its own bytes alone.\n"
    )
    return "\n".join([PAGES, about, *table]) + "\n"


def _kilobytes(parts: Mapping[str, int], part: str) -> str:
    return f"{parts[part] / 1000:.1f}" if part in parts else "-"


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simpul-pages-")))
        house = House(stack.enter_context(gate(folder)))
        world = world_of(house)
        browser = chromium.launched(stack.enter_context(sync_playwright()), folder)
        if browser is None:
            raise SystemExit("bench.pages: no Chromium on this machine, and none could be downloaded.")
        stack.callback(browser.close)
        PAGE.write_text(with_section(PAGE.read_text(), PAGES, section(world, browser, lines(world))))
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
