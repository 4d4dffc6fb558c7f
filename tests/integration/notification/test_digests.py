"""Daily digests: one a working day and person, and what each person wants to be mailed of."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from services.assignment.overdue_board import OverdueBoard
from services.assignment.overdue_digests import OverdueDigests
from services.notification.app import _email_settings
from services.notification.digest_sender import DigestSender
from services.notification.preferences import NotificationPreferences
from shared.mail.port import Email, Outcome
from shared.office.digests import DIGEST_ITEMS, DIGESTS
from tests.support.adapters.scripted_smtp import ScriptedSmtp
from tests.support.domain.request_events import verified
from tests.support.services.assignment_pages import page, submit_form, visible_text
from tests.support.services.services_harness import (
    delivered_emails,
    request_id,
    services_harness,
    smtp_to,
    submission,
    wait_for_email,
)
from tests.support.services.staff_harness import StaffHarness

PREFERENCES, PAGE = "/api/account/notifications", "/akun-saya/notifikasi"
OFFICER = "nurlaila@kominfo.example"


@pytest.fixture
async def harness(tmp_path: Path, server: ScriptedSmtp) -> AsyncIterator[StaffHarness]:
    names = ("verification", "assignment", "notification")
    async with services_harness(tmp_path / "data", *names, smtp=smtp_to(server)) as opened:
        yield opened


def planner(harness: StaffHarness) -> OverdueDigests:
    platform, rules = harness.platform, harness.platform.rules
    executor = harness.services["assignment"].runtime.executor
    board = OverdueBoard(executor, platform.accounts, platform.clock, rules)
    return OverdueDigests(board, platform.accounts, platform.office, platform.substitutes, platform.clock, rules)


def sender(harness: StaffHarness) -> DigestSender:
    platform = harness.platform
    preferences = NotificationPreferences(platform.office)
    settings = _email_settings(platform)
    return DigestSender(platform.office, platform.accounts, preferences, platform.mailer, settings, platform.clock)


async def run_digests(harness: StaffHarness) -> None:
    """Run what two processes of each service would run at once, and once more after a restart."""
    for _ in range(2):
        await asyncio.gather(planner(harness).plan_due(), planner(harness).plan_due())
        await asyncio.gather(sender(harness).send_due(), sender(harness).send_due())


def digests(server: ScriptedSmtp) -> list[EmailMessage]:
    return [one for one in delivered_emails(server) if str(one["Subject"]).startswith("Ringkasan harian")]


def recipients(server: ScriptedSmtp) -> Counter[str]:
    return Counter(str(one["To"]).partition("@")[0] for one in digests(server))


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


async def fill(harness: StaffHarness) -> None:
    """One request to verify and one to appoint, both overdue on Friday, 27 November 2026."""
    await harness.publish(submission(2), subject=request_id(2))
    await harness.publish(submission(3), subject=request_id(3))
    await harness.publish(verified, subject=request_id(3))
    await harness.sign_in_again_after(days=4)


async def test_overdue_work_is_mailed_once_a_working_day_and_person(harness: StaffHarness, server: ScriptedSmtp):
    await fill(harness)
    await run_digests(harness)
    once = {"nurlaila": 1, "samsul": 1, "hasan": 1, "halima": 1, "kepala": 1}
    assert recipients(server) == once
    [to_officer] = [one for one in digests(server) if str(one["To"]) == OFFICER]
    assert to_officer["Subject"] == "Ringkasan harian: 1 permohonan lewat batas"
    assert "Hari: Jumat, 27 November 2026\nLewat batas: 1 permohonan\n" in text_of(to_officer)
    assert "1. INT-2026-000002, lewat 3 hari kerja\n   Verifikasi: Data trayek" in text_of(to_officer)
    assert "INT-2026-000003" not in text_of(to_officer)
    [to_head] = [one for one in digests(server) if str(one["To"]).startswith("hasan")]
    own, _, everything = text_of(to_head).partition("Di seluruh layanan")
    assert ("INT-2026-000003, lewat 2 hari kerja" in own, "INT-2026-000002" in own) == (True, False)
    assert "INT-2026-000002, lewat 3 hari kerja" in everything
    assert "Verifikasi: 1 permohonan" in everything

    harness.clock.advance(days=1)
    await run_digests(harness)
    assert recipients(server) == once, "nobody is mailed on a Saturday"
    harness.clock.advance(days=2, hours=-5)
    await run_digests(harness)
    assert recipients(server) == once, "nor before a working day begins"
    harness.clock.advance(hours=5)
    await run_digests(harness)
    assert recipients(server) == dict.fromkeys(once, 2)


async def test_a_digest_is_retried_with_its_message_id(harness: StaffHarness, server: ScriptedSmtp):
    await fill(harness)
    server.script.answers[f"RCPT {OFFICER}"] = ["451 4.3.0 coba lagi nanti"]
    await run_digests(harness)
    assert recipients(server)["nurlaila"] == 0
    harness.clock.advance(seconds=31)
    await run_digests(harness)
    assert recipients(server)["nurlaila"] == 1
    ids = [str(one["Message-ID"]) for one in digests(server)]
    assert len(ids) == len(set(ids))
    assert any(one.startswith("<digest.2026-11-27.nurlaila@") for one in ids)


async def test_a_digest_of_a_process_that_stopped_is_sent_after_its_claim(harness: StaffHarness, server: ScriptedSmtp):
    await fill(harness)
    await planner(harness).plan_due()
    entry = await harness.platform.office.get(DIGESTS, "2026-11-27/nurlaila")
    assert entry is not None
    assert await sender(harness)._claim(entry, harness.clock())
    await run_digests(harness)
    assert recipients(server)["nurlaila"] == 0
    harness.clock.advance(minutes=3)
    await run_digests(harness)
    assert recipients(server)["nurlaila"] == 1


async def test_a_slow_mail_server_makes_no_process_send_the_digests_of_another(
    harness: StaffHarness, server: ScriptedSmtp
):
    await fill(harness)
    await planner(harness).plan_due()

    class SlowMailer:
        """Takes long for the first email; another process looks for digests that are due while the second one is sent."""

        sent = 0

        async def send(self, email: Email) -> Outcome:
            self.sent += 1
            if self.sent == 1:
                harness.clock.advance(minutes=4)
            else:
                await sender(harness).send_due()
            return await harness.platform.mailer.send(email)

    slow = sender(harness)
    slow._mailer = SlowMailer()  # type: ignore[assignment]  # only sends
    await slow.send_due()
    assert recipients(server) == {"nurlaila": 1, "samsul": 1, "hasan": 1, "halima": 1, "kepala": 1}


async def test_a_digest_that_cannot_be_composed_keeps_nobody_from_theirs(harness: StaffHarness, server: ScriptedSmtp):
    await fill(harness)
    await planner(harness).plan_due()
    damaged = await harness.platform.office.put(DIGEST_ITEMS, "hasan/damaged", {"kind": "staff_submitted"})
    await sender(harness).send_due()
    assert recipients(server) == {"nurlaila": 1, "samsul": 1, "halima": 1, "kepala": 1}
    await harness.platform.office.delete(DIGEST_ITEMS, damaged.key)
    harness.clock.advance(minutes=10)
    await sender(harness).send_due()
    assert recipients(server) == {"nurlaila": 1, "samsul": 1, "hasan": 1, "halima": 1, "kepala": 1}


async def test_each_person_chooses_what_is_mailed_at_once(harness: StaffHarness, server: ScriptedSmtp):
    shown = (await harness.get("nurlaila", PREFERENCES)).json()["moments"]
    assert [(one["moment"], one["timing"]) for one in shown] == [
        ("staff_submitted", "now"),
        ("staff_resubmitted", "now"),
        ("staff_withdrawn", "now"),
        ("overdue", "digest"),
    ]
    body = {"moments": {"staff_submitted": "digest"}}
    changed = await harness.call("nurlaila", "PATCH", PREFERENCES, json=body)
    assert changed.json()["moments"][0]["timing"] == "digest"
    never = {"moments": {"staff_submitted": "never", "overdue": "never"}}
    assert (await harness.call("samsul", "PATCH", PREFERENCES, json=never)).status_code == 200
    for wrong in ({"staff_verified": "never"}, {"overdue": "now"}, {"staff_submitted": "later"}):
        refused = await harness.call("nurlaila", "PATCH", PREFERENCES, json={"moments": wrong})
        assert refused.status_code == 422, wrong

    await harness.publish(submission(2), subject=request_id(2))
    await wait_for_email(harness, "sent", "staff_submitted")
    assert [one for one in delivered_emails(server) if "kominfo" in str(one["To"])] == []
    harness.clock.advance(days=1)
    await run_digests(harness)
    assert recipients(server) == {"nurlaila": 1}
    [digest] = digests(server)
    assert digest["Subject"] == "Ringkasan harian"
    assert "Permohonan baru: INT-2026-000002" in text_of(digest)
    harness.clock.advance(days=1)
    await run_digests(harness)
    assert recipients(server) == {"nurlaila": 2}, "the moment was told once; now the request is overdue"
    assert "Permohonan baru" not in text_of(digests(server)[-1])


async def test_what_happens_after_the_digests_of_a_day_waits_for_the_next(harness: StaffHarness, server: ScriptedSmtp):
    body = {"moments": {"staff_submitted": "digest"}}
    assert (await harness.call("nurlaila", "PATCH", PREFERENCES, json=body)).status_code == 200
    await run_digests(harness)
    await harness.publish(submission(2), subject=request_id(2))
    await wait_for_email(harness, "sent", "staff_submitted")
    await run_digests(harness)
    assert recipients(server) == {}
    harness.clock.advance(days=1)
    await run_digests(harness)
    assert recipients(server) == {"nurlaila": 1}


async def test_the_page_keeps_the_choices(harness: StaffHarness):
    answer = await submit_form(harness, "dewi", PAGE, staff_assigned="digest", overdue="never")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?tersimpan")
    shown = await page(harness, "dewi", answer.headers["location"])
    assert "Pilihan Anda tersimpan." in visible_text(shown)
    assert 'id="staff_assigned-digest" value="digest" checked' in shown.text
    assert 'id="overdue-never" value="never" checked' in shown.text
    assert "staff_submitted" not in shown.text
    assert f'href="{PAGE}"' in (await page(harness, "dewi", "/akun-saya")).text
    assert "Tidak ada kabar yang dapat dipilih" in (await page(harness, "admin", PAGE)).text
