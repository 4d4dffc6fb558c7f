"""Measure the transferred bytes of each page with its resources, and the time to first byte, into docs/benchmarks.md."""

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
from tests.support.browser import chromium
from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.sample_requests import SampleRequests, create_sample_requests
from tests.support.e2e.server_session import running_server

SAMPLES = 60
STREAM, ICON = "EventSource", "/mark.svg"
FETCH_ICON = """() => { fetch(document.querySelector("link[rel=icon]").href, { cache: "reload" }) }"""
"""As a browser does that shows it; the headless shell shows none."""
KIND = {"Document": "page", "Stylesheet": "style", "Script": "script"}


@dataclass
class PageWeight:
    """Transferred bytes by kind of resource, response headers included."""

    parts: dict[str, int]
    hosts: set[str]

    @property
    def whole(self) -> int:
        return sum(self.parts.values())


class NetworkRecorder:
    """Records everything that the page of a browser session loads."""

    def __init__(self, session: CDPSession, coding: str) -> None:
        self._kinds: dict[str, str] = {}
        self._pending: set[str] = set()
        self._icon_requested = False
        self.weight = PageWeight({}, set())
        session.on("Network.requestWillBeSent", self._on_request)
        session.on("Network.loadingFinished", self._on_finished)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        session.send("Network.setExtraHTTPHeaders", {"headers": {"Accept-Encoding": coding}})

    def _on_request(self, event: dict[str, Any]) -> None:
        address = urlsplit(event["request"]["url"])
        is_second_icon = self._icon_requested and address.path.endswith(ICON)
        if address.scheme != "data" and event.get("type") != STREAM and not is_second_icon:
            self.weight.hosts.add(address.netloc)
            self._kinds[event["requestId"]] = KIND.get(event.get("type", ""), "other")
            self._pending.add(event["requestId"])
            self._icon_requested |= address.path.endswith(ICON)

    def _on_finished(self, event: dict[str, Any]) -> None:
        if kind := self._kinds.get(event["requestId"]):
            self.weight.parts[kind] = self.weight.parts.get(kind, 0) + round(event["encodedDataLength"])
            self._pending.discard(event["requestId"])

    @property
    def settled(self) -> bool:
        """Whether all requested resources have arrived, including the icon, which browsers fetch last."""
        return self._icon_requested and not self._pending


@dataclass(frozen=True)
class PageSpec:
    """A page to measure.

    `who` is a staff account, "" for anonymous, or the status of a request for its applicant.
    """

    name: str
    who: str
    path: str


def page_specs(samples: SampleRequests) -> Sequence[PageSpec]:
    delivered, led, waiting = samples.asked["delivered"], samples.asked["in_progress"], samples.asked["submitted"]
    return (
        PageSpec("the service and its form", "", "/"),
        PageSpec("tracking, awaiting confirmation", "delivered", f"/lacak/{delivered.number}"),
        PageSpec("tracking, returned", "returned", f"/lacak/{samples.asked['returned'].number}"),
        PageSpec("confirmation of a submission", "submitted", f"/lacak/{waiting.number}/diterima"),
        PageSpec("service standard", "", "/standar-pelayanan"),
        PageSpec("sign in", "", "/masuk"),
        PageSpec("officer's queue", "nurlaila", "/verifikasi"),
        PageSpec("officer's request, with a page of its letter", "nurlaila", f"/verifikasi/{waiting.id}"),
        PageSpec("head's queue", "hasan", "/penugasan"),
        PageSpec("head's request, to assign", "hasan", f"/penugasan/{samples.asked['verified'].id}"),
        PageSpec("workload of the leads", "hasan", "/beban-kerja"),
        PageSpec("lead's work", "dewi", "/pekerjaan"),
        PageSpec("lead's request", "dewi", f"/pekerjaan/{led.id}"),
        PageSpec("message ledger", "admin", "/surel-keluar"),
        PageSpec("staff accounts", "admin", "/akun"),
        PageSpec("days off", "admin", "/pengaturan/libur"),
        PageSpec("checklist of a scope", "admin", "/pengaturan/daftar-periksa/data"),
    )


def measure_weight(
    sessions: BrowserSessions, samples: SampleRequests, spec: PageSpec, coding: str = "gzip"
) -> PageWeight:
    """Measure with a cold cache, and gzip or another content coding."""
    session = sessions("" if spec.who in samples.asked else spec.who)
    if asked := samples.asked.get(spec.who):
        path = f"/lacak/{asked.number}"
        session.context.add_cookies([{"name": "lacak", "value": asked.token, "domain": "127.0.0.1", "path": path}])
    recorder = NetworkRecorder(session.context.new_cdp_session(session.page), coding)
    answer = session.page.goto(samples.site.url + spec.path, wait_until="load")
    assert answer is not None
    assert answer.status == 200, spec
    session.page.evaluate(FETCH_ICON)
    session.until(lambda: recorder.settled)
    return recorder.weight


def first_byte(samples: SampleRequests, spec: PageSpec, times: int = SAMPLES) -> tuple[float, float]:
    """Milliseconds to the response headers: the median and the 95th percentile."""
    cookies = _cookies(samples, spec)
    durations = []
    with httpx.Client(base_url=samples.site.url, headers={"Cookie": cookies}) as http:
        for _ in range(times + 5):
            started_at = time.perf_counter()
            with http.stream("GET", spec.path) as answer:
                durations.append((time.perf_counter() - started_at) * 1000)
                answer.read()
                assert answer.status_code == 200, (spec, answer.status_code)
    quantiles = statistics.quantiles(durations[5:], n=20)
    return statistics.median(durations[5:]), quantiles[18]


def _cookies(samples: SampleRequests, spec: PageSpec) -> str:
    if not spec.who:
        return ""
    asked = samples.asked.get(spec.who)
    return f"lacak={asked.token}" if asked else f"simpul={samples.site.session(spec.who)}"


def section(samples: SampleRequests, browser: Browser, rows: Iterable[PageSpec]) -> str:
    parts = ["page", "style", "script", "other"]
    table = [
        "|  | page | style | script | pictures | all | all, Brotli | first byte, ms | p95 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for spec in rows:
        sessions = BrowserSessions(samples.site, browser)
        weight = measure_weight(sessions, samples, spec)
        brotli = measure_weight(sessions, samples, spec, "br")
        complaints = sessions.close()
        assert not complaints, complaints
        median, p95 = first_byte(samples, spec)
        sizes = " | ".join(_kilobytes(weight.parts, part) for part in parts)
        table.append(f"| {spec.name} | {sizes} | {_total(weight)} | {_total(brotli)} | {median:.1f} | {p95:.1f} |")
        print(table[-1], flush=True)
    about = (
        "Written by `make bench-pages`. Transferred KB (1000 bytes) with a cold cache, gzip and response headers, in Chromium;\n"
        "browsers that accept Brotli get that. Milliseconds to the first byte on the machine of the server, the median and\n"
        f"the 95th percentile of {SAMPLES}. The browser caches the style sheet, the script and the icon, so a second page\n"
        "costs its own bytes only.\n"
    )
    return "\n".join([PAGES, about, *table]) + "\n"


def _total(weight: PageWeight) -> str:
    return f"{weight.whole / 1000:.1f}"


def _kilobytes(parts: Mapping[str, int], part: str) -> str:
    return f"{parts[part] / 1000:.1f}" if part in parts else "-"


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simpul-pages-")))
        site = SiteUnderTest(stack.enter_context(running_server(folder)))
        samples = create_sample_requests(site)
        browser = chromium.launched(stack.enter_context(sync_playwright()), folder)
        if browser is None:
            raise SystemExit("bench.page_weight: no Chromium on this machine, and none could be downloaded.")
        stack.callback(browser.close)
        PAGE.write_text(with_section(PAGE.read_text(), PAGES, section(samples, browser, page_specs(samples))))
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
