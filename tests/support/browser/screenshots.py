"""`make pictures`: screenshots of every page state in four widths and both color schemes, and small ones for the docs."""

from __future__ import annotations

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
from tests.support.e2e.server_session import running_server

ALL, BEST = Path("build/pictures"), Path("docs/pictures")
HISTORY_MONTHS = 12
WIDTHS = (PHONE, 768, DESK, 1920)
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
    Picture("head overdue", DESK),
    Picture("head dashboard", DESK),
)


def taken(sessions: BrowserSessions, samples: SampleRequests, scene: PageState) -> None:
    """Take all screenshots of one page state."""
    session = sessions(scene.who)
    scene.way(session, samples)
    for width in WIDTHS:
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
        opened = stack.enter_context(running_server(folder, history_months=HISTORY_MONTHS))
        samples = create_sample_requests(SiteUnderTest(opened))
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
