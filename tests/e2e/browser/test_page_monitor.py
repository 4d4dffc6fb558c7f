"""The page monitor reports violations, and the pages of no service are accessible."""

from __future__ import annotations

import pytest

from tests.support.browser.browser_sessions import BrowserSessions

MISDEEDS = {
    "console: Executing inline event handler": "document.body.setAttribute('onclick', 'alert(1)')",
    "console: Applying inline style": "document.body.setAttribute('style', 'color: red')",
    "console: my own": "console.error('my own')",
    "script: thrown": "setTimeout(() => { throw new Error('thrown') })",
    "console: Loading the image": "new Image().src = 'http://192.0.2.1/x.png'",
    "elsewhere: http://192.0.2.1": "location = 'http://192.0.2.1/'",
    "console: Failed to load resource": "fetch('/nowhere')",
}


@pytest.mark.parametrize("told", MISDEEDS)
def test_a_page_that_misbehaves_is_noticed(sessions: BrowserSessions, told: str):
    session = sessions()
    page = session.open("/masuk")
    page.evaluate(f"() => {{ {MISDEEDS[told]} }}")
    session.until(lambda: session.monitor.complaints != [])
    assert session.monitor.complaints[0].startswith(told), session.monitor.complaints
    session.monitor.complaints.clear()
