"""`make html`: the Nu Html Checker over every page state, as the server sends it; the jar is fetched once with npm."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

from tests.support.browser import chromium
from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.page_states import PAGE_STATES
from tests.support.browser.sample_requests import create_sample_requests
from tests.support.e2e.server_session import running_server
from tests.support.engines.engine_process import cache

PACKAGE, VERSION = "vnu-jar", "26.9.27"
MEMBER = "package/build/dist/vnu.jar"
TIMEOUT_SECONDS = 300
GRAVE = frozenset({"error", "non-document-error"})


@dataclass(frozen=True)
class HtmlChecker:
    jar: Path

    def problems(self, pages: Mapping[str, str]) -> list[str]:
        """Return the errors and warnings of these pages, which are named in the answer."""
        with tempfile.TemporaryDirectory(prefix="simpul-html-") as folder:
            files = {name: Path(folder) / f"{place}.html" for place, name in enumerate(pages)}
            for name, file in files.items():
                file.write_text(pages[name], "utf-8")
            names = {file.name: name for name, file in files.items()}
            return [_told(names, message) for message in self._messages([*files.values()]) if _counts(message)]

    def _messages(self, files: list[Path]) -> list[dict[str, str]]:
        command = ["java", "-jar", str(self.jar), "--format", "json", "--exit-zero-always", *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
        found: list[dict[str, str]] = json.loads(done.stderr)["messages"]
        return found


def _counts(message: Mapping[str, str]) -> bool:
    return message["type"] in GRAVE or message.get("subType") == "warning"


def _told(names: Mapping[str, str], message: Mapping[str, str]) -> str:
    extract = re.sub(r"\s+", " ", message.get("extract", ""))
    return f"{names[Path(message['url']).name]}: {message['message']} ({extract})"


def find_checker() -> HtmlChecker | None:
    """Return the checker that is named by SIMPUL_VNU or was fetched before; None without it or without Java."""
    named = os.environ.get("SIMPUL_VNU")
    jar = Path(named) if named else cache() / f"vnu-{VERSION}.jar"
    return HtmlChecker(jar) if jar.is_file() and shutil.which("java") else None


def fetch_checker() -> HtmlChecker | None:
    """Fetch the jar from npm, which verifies its checksum."""
    if not (shutil.which("java") and shutil.which("npm")):
        return None
    with tempfile.TemporaryDirectory(prefix="simpul-vnu-") as folder:
        command = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}", "--pack-destination", folder]
        subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_SECONDS)
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            member = packed.extractfile(MEMBER)
            assert member is not None
            (cache() / f"vnu-{VERSION}.jar").write_bytes(member.read())
    return find_checker()


def main() -> None:
    checker = find_checker() or fetch_checker()
    if checker is None:
        sys.exit("html: needs Java, and npm to fetch the Nu Html Checker once.")
    sent: dict[str, str] = {}
    failed: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simpul-html-")))
        samples = create_sample_requests(SiteUnderTest(stack.enter_context(running_server(folder))))
        browser = chromium.launched(stack.enter_context(sync_playwright()), folder)
        if browser is None:
            sys.exit("html: no Chromium on this machine, and none could be downloaded.")
        stack.callback(browser.close)
        for scene in PAGE_STATES:
            sessions = BrowserSessions(samples.site, browser)
            try:
                session = sessions(scene.who)
                scene.way(session, samples)
                sent[scene.name] = session.html()
            except (AssertionError, Error) as problem:
                failed.append(f"{scene.name}: {str(problem).splitlines()[0]}")
            sessions.close()
    wrong = [*failed, *checker.problems(sent)]
    print(f"{len(sent)} pages, {len(wrong)} problems.")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
