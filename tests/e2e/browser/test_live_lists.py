"""An open list under bursts of updates, and on slow or broken connections."""

from __future__ import annotations

import time

from playwright.sync_api import APIResponse, Page, Request, Route, expect

from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import Lead, Officer, Staff
from tests.support.e2e.request_steps import STEPS, request_in_status
from tests.support.e2e.server_session import SubmittedRequest

BURST = 40
APART = 0.25
"""Seconds that a list waits for more updates before it reloads."""


def looks(page: Page) -> list[Request]:
    """Record every reload of the list by its script from now on."""
    seen: list[Request] = []
    page.on("request", lambda request: seen.append(request) if _is_look(request) else None)
    return seen


def _is_look(request: Request) -> bool:
    return "x-live" in request.headers


def gets_on(asked: SubmittedRequest, percent: int) -> None:
    answer = asked.step("dewi", "progress", {"note": "Uji.", "percent": percent})
    assert answer.status_code == 200, answer.text


def test_a_burst_of_news_is_a_few_looks_and_the_last_of_it_is_shown(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "in_progress")
    lead = Lead(sessions("dewi"))
    lead.watch_queue()
    seen, began = looks(lead.page), time.monotonic()
    for percent in range(1, BURST + 1):
        gets_on(asked, percent)
        lead.page.wait_for_timeout(1)
    took = time.monotonic() - began  # on a slow machine it is no burst, and more looks are right
    expect(lead.row(asked.number).get_by_text(f"{BURST}%", exact=True)).to_be_visible()
    lead.page.wait_for_timeout(2000 * APART)
    most = took / APART + 2
    assert 0 < len(seen) <= most, f"{len(seen)} looks at {BURST} changes in {took:.1f} s"


def test_under_steady_news_a_list_does_not_wait_for_quiet(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "in_progress")
    lead = Lead(sessions("dewi"))
    lead.watch_queue()
    seen = looks(lead.page)
    for percent in range(1, BURST + 1):
        gets_on(asked, percent)
        lead.page.wait_for_timeout(400 * APART)
    assert len(seen) > 2


def test_of_two_looks_the_older_does_not_come_last(site: SiteUnderTest, sessions: BrowserSessions):
    first, second = request_in_status(site.harness, "submitted"), request_in_status(site.harness, "submitted")
    officer, held = Officer(sessions("nurlaila")), list[tuple[Route, APIResponse]]()

    def hold_the_first(route: Route, request: Request) -> None:
        if _is_look(request) and not held:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    officer.page.route("**/verifikasi?status=all", hold_the_first)
    officer.session.open("/verifikasi?status=all")
    officer.listen()
    assert STEPS["verification"](first).status_code == 200
    officer.session.until(lambda: held != [])
    assert STEPS["verification"](second).status_code == 200
    officer.page.wait_for_timeout(4000 * APART)
    [(route, older)] = held
    route.fulfill(response=older)
    for asked in (first, second):
        verified(officer, asked)
    officer.page.wait_for_timeout(2000 * APART)
    verified(officer, second)


def verified(officer: Staff, asked: SubmittedRequest) -> None:
    expect(officer.row(asked.number).get_by_text("Terverifikasi", exact=True)).to_be_visible()


def test_news_that_was_refused_for_a_moment_is_looked_for_again(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "submitted")
    officer, refused = Officer(sessions("nurlaila")), list[str]()

    def refuse_once(route: Route, request: Request) -> None:
        if _is_look(request) and not refused:
            refused.append(request.url)
            route.fulfill(status=503)
        else:
            route.continue_()

    officer.page.route("**/verifikasi", refuse_once)
    officer.watch_queue()
    officer.session.monitor.expect("503")
    assert STEPS["verification"](asked).status_code == 200
    verified(officer, asked)
    assert len(refused) == 1


def test_news_that_a_cut_line_kept_from_being_seen_is_seen_once_it_is_back(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked = request_in_status(site.harness, "submitted")
    officer, cut = Officer(sessions("nurlaila")), list[str]()

    def cut_once(route: Route, request: Request) -> None:
        if _is_look(request) and not cut:
            cut.append(request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    officer.page.route("**/verifikasi", cut_once)
    officer.watch_queue()
    officer.session.monitor.expect("ERR_CONNECTION_RESET")
    assert STEPS["verification"](asked).status_code == 200
    officer.session.until(lambda: cut != [])
    site.harness.server.kill()
    officer.session.monitor.expect("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_SOCKET")
    expect(officer.page.get_by_text("Sambungan langsung terputus")).to_be_visible()
    site.harness.server.start()
    verified(officer, asked)
