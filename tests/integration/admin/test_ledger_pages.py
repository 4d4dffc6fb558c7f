"""The page of the message ledger: rows, filters, and resending."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from services.notification.domain.emails import PARAMETERS_BY_KIND
from shared.web.views.words import load_words
from tests.support.adapters.scripted_smtp import HANG_UP, ScriptedSmtp
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import REQUEST
from tests.support.services.form_browser import COOKIE, Browser, browser, hidden_fields, visible_text
from tests.support.services.services_harness import (
    delivered_emails,
    emails_to,
    request_id,
    submission,
    wait_for_email,
)
from tests.support.services.staff_harness import PEOPLE, StaffHarness

PAGE = "/surel-keluar"
APPLICANT = tale.APPLICANT.email


@pytest.fixture
async def admin(harness: StaffHarness) -> AsyncIterator[Browser]:
    async with browser(harness, "admin") as opened:
        yield opened


def again(message: str) -> str:
    return f"{PAGE}/{message}/kirim-ulang"


def rows_of(page: httpx.Response) -> dict[str, str]:
    """Return the rows by the id of the message."""
    found = re.findall(r'<tr data-id="([^"]+)"(.*?)</tr>', page.text, re.DOTALL)
    return dict(found)


async def failed(harness: StaffHarness, server: ScriptedSmtp) -> str:
    """Return an email to the applicant that was refused permanently."""
    server.script.answers = {f"RCPT {APPLICANT}": ["550 tidak dikenal"]}
    await harness.publish(tale.submitted)
    return str((await wait_for_email(harness, "failed"))["id"])


def test_every_kind_of_email_has_a_label():
    kinds = load_words("services.notification").kinds
    assert set(kinds) == set(PARAMETERS_BY_KIND)
    assert len({kinds[kind] for kind in kinds}) == len(PARAMETERS_BY_KIND)


async def test_an_empty_ledger_says_so(admin: Browser):
    page = await admin.get(PAGE)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert "Belum ada surel" in page.text
    assert '<div class="toast"' in page.text


async def test_a_row_shows_the_outcome_and_a_masked_address(harness: StaffHarness, admin: Browser):
    await harness.publish(tale.submitted, tale.verified, tale.assigned)
    for kind in ("received", "staff_submitted", "staff_assigned"):
        await wait_for_email(harness, "sent", kind)
    page = await admin.get(PAGE)
    seen = visible_text(page)
    for words in (
        "Permohonan diterima",
        "r***@dishub.example",
        "Semua Petugas Layanan TI",
        "Petugas: dewi",
        "Terkirim",
        "INT-2026-000001",
    ):
        assert words in seen
    assert APPLICANT not in page.text
    assert "gagal" not in seen


async def test_what_failed_is_counted_and_explained(harness: StaffHarness, server: ScriptedSmtp, admin: Browser):
    message = await failed(harness, server)
    page = await admin.get(PAGE)
    seen = visible_text(page)
    assert "1 surel gagal." in seen
    assert "Surel keluar 1 perlu ditindak" in seen
    row = rows_of(page)[message]
    for words in ("Gagal", "550", "Tidak dicoba lagi dengan sendirinya"):
        assert words in row
    assert "dua kali" not in row


async def test_resending_an_email_of_unknown_outcome_shows_a_warning(
    harness: StaffHarness, server: ScriptedSmtp, admin: Browser
):
    server.script.answers = {"CONTENT": [HANG_UP, HANG_UP]}
    await harness.publish(tale.submitted)
    message = (await wait_for_email(harness, "unknown"))["id"]
    page = await admin.get(PAGE)
    assert "tidak pasti terkirim" in visible_text(page)
    assert "mungkin menerimanya dua kali" in rows_of(page)[message]
    assert "Dicoba lagi" in rows_of(page)[message]


async def test_a_failed_email_is_queued_again_once(harness: StaffHarness, server: ScriptedSmtp, admin: Browser):
    message = await failed(harness, server)
    page = await admin.get(PAGE, params={"status": "failed"})
    answers = [await admin.client.post(again(message), data=hidden_fields(page, again(message))) for _ in range(2)]
    for answer in answers:
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?status=failed&antre=1")
    shown = await admin.get(answers[0].headers["location"])
    assert "masuk antrean lagi" in visible_text(shown)
    harness.clock.advance(seconds=1)
    await wait_for_email(harness, "sent")
    await wait_for_email(harness, "sent", "staff_submitted")
    assert len(emails_to(server, APPLICANT)) == 1
    assert len(delivered_emails(server)) == 2


async def test_resending_an_email_being_sent_is_refused_on_the_list(
    harness: StaffHarness, server: ScriptedSmtp, admin: Browser
):
    message = await failed(harness, server)
    page = await admin.get(PAGE, params={"request": "INT-2026-000001"})
    server.script.delay = 0.3
    await admin.send(page, again(message))
    harness.clock.advance(seconds=1)
    await wait_for_email(harness, "sending")
    refused = await admin.send(page, again(message), _key="another")
    assert refused.status_code == 409
    assert "sedang dikirim, jadi belum dapat dikirim ulang" in visible_text(refused)
    assert message in rows_of(refused)
    assert 'value="INT-2026-000001"' in refused.text
    assert "data-live=" not in refused.text
    assert f'action="{PAGE}"' in refused.text
    server.script.delay = 0.0
    await wait_for_email(harness, "sent")


async def test_the_list_is_filtered_by_number_id_and_status(
    harness: StaffHarness, server: ScriptedSmtp, admin: Browser
):
    message = await failed(harness, server)
    await harness.publish(submission(2), subject=request_id(2))
    await wait_for_email(harness, "sent", number="INT-2026-000002")
    everything = rows_of(await admin.get(PAGE))
    assert len(everything) == 4
    for asked in ("int-2026-000001", REQUEST, " INT-2026-000001 "):
        assert set(rows_of(await admin.get(PAGE, params={"request": asked, "status": ""}))) == {
            one for one in everything if one.startswith(REQUEST)
        }
    assert set(rows_of(await admin.get(PAGE, params={"status": "failed"}))) == {message}
    nothing = await admin.get(PAGE, params={"request": "INT-2026-000009"})
    assert "Tidak ada surel yang cocok" in nothing.text
    assert "Lepas penyaring" in nothing.text


async def test_pages_continue_where_the_last_one_ended(harness: StaffHarness, admin: Browser):
    for index in range(1, 4):
        harness.clock.advance(minutes=1)
        await harness.publish(submission(index), subject=request_id(index))
    await harness.wait_until(lambda: _all_sent(harness))
    first = await admin.get(PAGE, params={"limit": 4})
    [onward] = re.findall(r'href="([^"]+)" rel="next"', first.text)
    assert "Yang terbaru" not in first.text
    second = await admin.get(onward.replace("&amp;", "&"), params=None)
    assert not set(rows_of(first)) & set(rows_of(second))
    assert len(set(rows_of(first)) | set(rows_of(second))) == 6
    assert "Yang terbaru" in second.text


async def _all_sent(harness: StaffHarness) -> bool:
    sent = (await harness.get("admin", "/api/notification/messages", params={"status": "sent"})).json()["items"]
    return len(sent) == 6


async def test_a_changed_row_has_another_version(harness: StaffHarness, server: ScriptedSmtp, admin: Browser):
    message = await failed(harness, server)

    async def version() -> str:
        row = rows_of(await admin.get(PAGE))[message]
        assert f'data-request="{REQUEST}"' in row
        return str(re.findall(r'data-version="([^"]+)"', row)[0])

    before = await version()
    assert await version() == before
    await harness.post("admin", f"/api/notification/messages/{message}/resend")
    harness.clock.advance(seconds=1)
    await wait_for_email(harness, "sent")
    assert await version() != before


@pytest.mark.parametrize("query", [{"status": "lost"}, {"after": "rubbish"}, {"other": "1"}, {"limit": "many"}])
async def test_a_question_that_is_not_right_is_answered_by_a_page(admin: Browser, query: dict[str, str]):
    page = await admin.get(PAGE, params=query)
    assert page.status_code == 422
    assert page.headers["content-type"].startswith("text/html")


async def test_the_error_lists_choices_without_the_blank_one(admin: Browser):
    page = await admin.get(PAGE, params={"status": "lost"})
    assert "Pilih salah satu: queued, sending, sent, failed, unknown." in page.text


@pytest.mark.parametrize("message", ["x", f"{REQUEST}.0", "%00", "a.b.c"])
async def test_a_missing_email_is_404(harness: StaffHarness, server: ScriptedSmtp, admin: Browser, message: str):
    await failed(harness, server)
    page = await admin.get(PAGE)
    given = next(hidden_fields(page, again(one)) for one in rows_of(page) if "failed" in rows_of(page)[one])
    answer = await admin.client.post(f"{PAGE}/{message}/kirim-ulang", data=given)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


async def test_an_ended_session_requires_sign_in_before_anything_is_sent(
    harness: StaffHarness, server: ScriptedSmtp, admin: Browser
):
    message = await failed(harness, server)
    page = await admin.get(PAGE, params={"status": "failed"})
    admin.client.cookies.delete(COOKIE)
    answer = await admin.send(page, again(message))
    assert answer.status_code == 401
    assert "Sesi Anda berakhir" in answer.text
    assert (await wait_for_email(harness, "failed"))["tries"] == 1


@pytest.mark.parametrize("who", [name for name in PEOPLE if name != "admin"])
async def test_the_ledgers_page_is_for_administrators(harness: StaffHarness, who: str):
    async with browser(harness, who) as other:
        page = await other.get(PAGE)
        assert page.status_code == 403
        assert "INT-" not in page.text
