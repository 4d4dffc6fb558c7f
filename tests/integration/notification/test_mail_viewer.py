"""The mail viewer: access, list and display of emails that are stored as files."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.mail.folder import FolderMailer, file_name
from shared.mail.port import Email
from shared.web.admin.mail_viewer import PAGE_SIZE, linkify
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import NOON, REQUEST
from tests.support.services.form_browser import Browser, browser, visible_text
from tests.support.services.services_harness import services_harness, wait_for_email
from tests.support.services.staff_harness import PEOPLE, StaffHarness

VIEWER = "/surel"
LETTER = Email(
    message_id="a.1",
    to=("rahmat@dishub.example", "sri@dishub.example"),
    subject="[INT-2026-000001] Hasil <b>siap</b>",
    text="Yth. Rahmat,\n\nBuka https://simpul.example/lacak/INT-2026-000001?kunci=x&y=1.\n<i>tidak miring</i>",
    html="<!doctype html><html><head><title>x</title></head><body><script>alert(1)</script>"
    '<a href="https://simpul.example/lacak/INT-2026-000001?kunci=x">Lacak</a></body></html>',
    sender="Layanan <simpul@simpul.example>",
    date=NOON,
)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "notification") as opened:
        yield opened


@pytest.fixture
async def visitor(harness: StaffHarness) -> AsyncIterator[Browser]:
    async with browser(harness) as opened:
        yield opened


async def kept(harness: StaffHarness, count: int = 1) -> list[str]:
    """Store so many emails and return their names, newest first."""
    mailer = harness.platform.mailer
    letters = [replace(LETTER, message_id=f"a.{index}", date=NOON + timedelta(minutes=index)) for index in range(count)]
    for letter in letters:
        assert (await mailer.send(letter)).kind == "sent"
    return [file_name(letter) for letter in reversed(letters)]


def listed(text: str) -> list[str]:
    return re.findall(rf'href="{VIEWER}/([^"]+)"', text)


async def test_an_empty_folder_explains_the_next_step(visitor: Browser):
    page = await visitor.get(VIEWER)
    assert page.status_code == 200
    assert "Belum ada surel" in page.text


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "LOCALHOST.",
        "simpul.localhost:8000",
        "127.0.0.1",
        "127.3.2.1:9",
        "[::1]",
        "[::1]:80",
    ],
)
async def test_the_viewer_is_open_for_requests_to_this_machine(harness: StaffHarness, visitor: Browser, host: str):
    [name] = await kept(harness)
    for path in (VIEWER, f"{VIEWER}/{name}", f"{VIEWER}/{name}/html"):
        assert (await visitor.get(path, headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "notlocalhost"),
        *("192.0.2.1", "10.0.0.1:8000", "[2001:db8::1]", "[::ffff:192.0.2.1]", "0.0.0.0", "[::]", "", ":8000"),
        *("evil.example@localhost", "localhost@evil.example", "localhost/", "localhost:x", "evil.example#localhost"),
        *("2130706433", "0x7f000001", "0177.0.0.1", "127.1"),
    ],
)
async def test_the_viewer_refuses_a_foreign_host_that_resolves_to_this_machine(
    harness: StaffHarness, visitor: Browser, host: str
):
    [name] = await kept(harness)
    for path in (VIEWER, f"{VIEWER}/{name}", f"{VIEWER}/{name}/html"):
        page = await visitor.get(path, headers={"Host": host})
        assert page.status_code == 421
        assert "Rahmat" not in page.text
    assert "komputer tempat Simpul berjalan" in visible_text(page)


async def test_the_viewer_refuses_two_host_headers(visitor: Browser):
    two = [("Host", "localhost"), ("Host", "evil.example")]
    assert (await visitor.client.get(VIEWER, headers=two)).status_code == 421


async def test_sent_emails_are_listed_with_a_working_link_to_the_request(harness: StaffHarness, visitor: Browser):
    await harness.publish(tale.submitted)
    await wait_for_email(harness, "sent")
    await wait_for_email(harness, "sent", "staff_submitted")
    page = await visitor.get(VIEWER)
    assert page.headers["cache-control"] == "no-store"
    assert tale.APPLICANT.email in visible_text(page)
    texts = [await visitor.get(f"{VIEWER}/{name}") for name in listed(page.text)]
    links = {link for text in texts for link in re.findall(r'<pre[^>]*>.*?href="([^"]+)"', text.text, re.DOTALL)}
    origin = harness.platform.settings.origin
    assert f"{origin}/verifikasi/{REQUEST}" in links
    assert any(link.startswith(f"{origin}/lacak/INT-2026-000001?kunci=") for link in links)


async def test_an_email_is_shown_with_headers_and_escaped_text(harness: StaffHarness, visitor: Browser):
    [name] = await kept(harness)
    page = await visitor.get(f"{VIEWER}/{name}")
    seen = visible_text(page)
    for words in (
        "[INT-2026-000001] Hasil <b>siap</b>",
        "rahmat@dishub.example, sri@dishub.example",
        "a.0@simpul.example",
    ):
        assert words in seen
    assert '<a href="https://simpul.example/lacak/INT-2026-000001?kunci=x&amp;y=1">' in page.text
    assert "<i>" not in page.text
    assert "<script>alert" not in page.text
    [frame] = re.findall(r"<iframe[^>]*>", page.text)
    assert f'src="{VIEWER}/{name}/html"' in frame
    assert 'sandbox="allow-popups allow-top-navigation-by-user-activation"' in frame
    assert "title=" in frame
    assert "frame-src 'self'" in page.headers["content-security-policy"]


async def test_the_html_part_is_sandboxed_in_its_frame_and_its_links_open_outside(
    harness: StaffHarness, visitor: Browser
):
    [name] = await kept(harness)
    part = await visitor.get(f"{VIEWER}/{name}/html")
    policy = part.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-top-navigation-by-user-activation; default-src 'none'; ")
    assert not [word for word in ("allow-scripts", "allow-same-origin", "allow-forms") if word in policy]
    assert "frame-ancestors 'self'" in policy
    assert part.headers["x-content-type-options"] == "nosniff"
    assert '<head><base target="_top">' in part.text
    assert part.text.replace('<base target="_top">', "") == LETTER.html + "\r\n"


async def test_pages_can_be_followed_in_both_directions(harness: StaffHarness, visitor: Browser):
    names = await kept(harness, 2 * PAGE_SIZE + 1)
    first = await visitor.get(VIEWER)
    assert listed(first.text) == names[:PAGE_SIZE]
    assert 'rel="prev"' not in first.text
    second = await visitor.get(re.findall(r'href="([^"]+)" rel="next"', first.text)[0])
    assert listed(second.text) == names[PAGE_SIZE : 2 * PAGE_SIZE]
    third = await visitor.get(re.findall(r'href="([^"]+)" rel="next"', second.text)[0])
    assert listed(third.text) == names[2 * PAGE_SIZE :]
    assert 'rel="next"' not in third.text
    back = await visitor.get(re.findall(r'href="([^"]+)" rel="prev"', third.text)[0])
    assert listed(back.text) == names[PAGE_SIZE : 2 * PAGE_SIZE]
    begin = await visitor.get(re.findall(r'href="([^"]+)" rel="prev"', back.text)[0])
    assert listed(begin.text) == names[:PAGE_SIZE]
    assert 'rel="prev"' not in begin.text
    assert 'rel="next"' in begin.text


async def test_other_files_in_the_folder_are_not_listed(harness: StaffHarness, visitor: Browser):
    [name] = await kept(harness)
    folder = harness.platform.settings.mail
    (folder / "notes.txt").write_text("x")
    (folder / (name + ".part")).write_text("x")
    assert listed((await visitor.get(VIEWER)).text) == [name]
    (folder / name).unlink()
    assert listed((await visitor.get(VIEWER)).text) == []


@pytest.mark.parametrize(
    "name", ["x", "..%2Fsecret", "%2e%2e", "..%2fsimpul.db", "20260101T000000000000Z-0123456789abcdef.eml", "%00"]
)
async def test_a_missing_one_is_a_not_found_page(harness: StaffHarness, visitor: Browser, name: str):
    await kept(harness)
    for path in (f"{VIEWER}/{name}", f"{VIEWER}/{name}/html"):
        page = await visitor.get(path)
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("query", [{"before": "<b>"}, {"after": "../x"}, {"before": "é"}])
async def test_a_path_that_is_no_email_name_is_refused(harness: StaffHarness, visitor: Browser, query: dict[str, str]):
    await kept(harness, 2)
    assert (await visitor.get(VIEWER, params=query)).status_code == 200


async def test_on_a_public_address_the_viewer_is_for_administrators(tmp_path: Path):
    async with services_harness(tmp_path, "notification", base_url="http://simpul.example") as harness:
        [name] = await kept(harness)
        paths = (VIEWER, f"{VIEWER}/{name}", f"{VIEWER}/{name}/html")
        async with browser(harness) as nobody:
            for path in paths:
                assert (await nobody.get(path)).headers["location"].startswith("/masuk?lanjut=")
        for who in PEOPLE:
            async with browser(harness, who) as one:
                codes = {(await one.get(path)).status_code for path in paths}
                assert codes == {200 if who == "admin" else 403}
        async with browser(harness, "admin") as admin:
            page = await admin.get(VIEWER)
            assert '<body class="staff' in page.text
            assert f'href="{VIEWER}"' in page.text.partition("<footer")[2]


async def test_with_an_smtp_server_there_is_no_viewer(tmp_path: Path):
    smtp = "smtp://127.0.0.1:9?tls=none"
    async with services_harness(tmp_path, "notification", smtp=smtp) as harness, browser(harness, "admin") as admin:
        for path in (VIEWER, f"{VIEWER}/x", f"{VIEWER}/x/html"):
            assert (await admin.get(path)).status_code == 404
        assert VIEWER + '"' not in (await admin.get("/surel-keluar")).text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a https://a.x/y?z=1&b=2, lalu", 'a <a href="https://a.x/y?z=1&amp;b=2">https://a.x/y?z=1&amp;b=2</a>, lalu'),
        ("(https://a.example/)", '(<a href="https://a.example/">https://a.example/</a>)'),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ('https://a.example/"onclick="x', '<a href="https://a.example/">https://a.example/</a>&#34;onclick=&#34;x'),
        ("<https://a.example/b>", '&lt;<a href="https://a.example/b">https://a.example/b</a>&gt;'),
        ("https://", "https://"),
        ("", ""),
    ],
)  # fmt: skip
def test_urls_in_a_text_become_links(text: str, shown: str):
    assert str(linkify(text)) == shown


async def test_a_folder_lists_emails_newer_than_a_given_one(tmp_path: Path):
    mailer = FolderMailer(tmp_path / "mail")
    for index in range(5):
        await mailer.send(replace(LETTER, message_id=f"a.{index}", date=NOON + timedelta(minutes=index)))
    names = [letter.name for letter in await mailer.list_messages()]
    assert [letter.name for letter in await mailer.list_messages(limit=2, after=names[3])] == names[1:3]
    assert await mailer.list_messages(after=names[0]) == []
    assert [letter.name for letter in await mailer.list_messages(names[2], 1)] == names[3:4]
