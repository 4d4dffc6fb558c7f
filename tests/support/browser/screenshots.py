"""`make pictures`: screenshots of every page state in both widths and color schemes, and small ones for the docs."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Error, Page, sync_playwright

from tests.support.browser import chromium
from tests.support.browser.browser_sessions import DESK, PHONE, BrowserSessions, SiteUnderTest
from tests.support.browser.page_checks import rendered_at
from tests.support.browser.page_states import PAGE_STATES, PageState
from tests.support.browser.sample_requests import SampleRequests, create_sample_requests
from tests.support.e2e.server_process import PASSWORD, STAFF
from tests.support.e2e.server_session import ServerHarness, running_server

ALL, BEST = Path("build/pictures"), Path("docs/pictures")
DEMO_REQUESTS = 40
COLOURS = 256
MOST_BYTES = 150_000


@dataclass(frozen=True)
class Picture:
    """A screenshot in the documentation: the visible part of a page."""

    scene: str
    width: int
    dark: bool = False


SHOWN = (
    Picture("form refused", PHONE),
    Picture("track returned", PHONE),
    Picture("track delivered", PHONE, dark=True),
    Picture("form checked", DESK),
    Picture("officer queue", DESK),
    Picture("officer request odd", DESK),
    Picture("head appoint", DESK),
    Picture("lead progress", DESK, dark=True),
    Picture("head dashboard", DESK),
)


def fill(opened: ServerHarness, folder: Path) -> SampleRequests:
    """Fill the lists with demo requests."""
    accounts = [{"username": name, "password": PASSWORD, "roles": roles} for name, (_, roles) in STAFF.items()]
    staff = folder / "staff.json"
    staff.write_text(json.dumps(accounts))
    words = ("--requests", str(DEMO_REQUESTS), "--url", opened.server.url, "--accounts", str(staff))
    done = opened.server.simpul("demo", *words)
    if done.returncode:
        sys.exit(f"pictures: {done.stdout}{done.stderr}")
    return create_sample_requests(SiteUnderTest(opened))


def taken(sessions: BrowserSessions, samples: SampleRequests, scene: PageState) -> None:
    """Take all screenshots of one page state."""
    session = sessions(scene.who)
    scene.way(session, samples)
    for width in (DESK, PHONE):
        for dark in (False, True):
            rendered_at(session.page, width, "dark" if dark else "light")
            name = f"{scene.name.replace(' ', '-')}-{width}{'-dark' if dark else ''}.png"
            session.page.screenshot(path=ALL / name, full_page=True)
            if Picture(scene.name, width, dark) in SHOWN:
                _shown(session.page, BEST / name)


def _shown(page: Page, path: Path) -> None:
    """Save the visible part with few colors, which makes a small file."""
    page.evaluate("document.activeElement?.blur(); window.scrollTo(0, 0)")
    page.screenshot(path=path)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    assert path.stat().st_size < MOST_BYTES, f"{path} is too large"


def main() -> None:
    for folder in (ALL, BEST):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    wrong: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simpul-pictures-")))
        opened = stack.enter_context(running_server(folder))
        samples = fill(opened, folder)
        browser = chromium.launched(stack.enter_context(sync_playwright()), folder)
        if browser is None:
            sys.exit("pictures: no Chromium on this machine, and none could be downloaded.")
        stack.callback(browser.close)
        for scene in PAGE_STATES:
            sessions = BrowserSessions(samples.site, browser)
            try:
                taken(sessions, samples, scene)
            except (AssertionError, Error) as problem:
                wrong.append(f"{scene.name}: {str(problem).splitlines()[0]}")
            wrong += [f"{scene.name}: {complaint}" for complaint in sessions.close()]
    print(f"{len(list(ALL.iterdir()))} pictures in {ALL}, {len(list(BEST.iterdir()))} in {BEST}.")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
