"""Dispatch to a real mail server that refuses, does not reply or is down, with a manual clock."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw
import pytest

from services.notification import app as notification
from services.notification.decider import decider
from services.notification.domain.commands import StartSending
from services.notification.domain.state import State
from shared.contracts.envelope import decode_event, encode_event
from shared.contracts.intake import RequestExpired
from shared.runtime.executor import Loaded
from shared.runtime.rebuild import Rebuild
from shared.storage.port import SaveOutcome, StoreUnavailable, Write
from shared.storage.sqlite.database import SqliteDatabase
from shared.storage.sqlite.store import SqliteStateStore
from tests.support.adapters.scripted_smtp import SILENCE, Script, ScriptedSmtp
from tests.support.adapters.stored_bodies import replace_in_bodies
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import REQUEST, make_event
from tests.support.services.form_browser import browser
from tests.support.services.services_harness import (
    delivered_emails,
    emails_to,
    services_harness,
    set_active,
    smtp_to,
    wait_for_email,
)
from tests.support.services.staff_harness import StaffHarness

pytestmark = pytest.mark.slow

APPLICANT = tale.APPLICANT.email
OFFICERS = "nurlaila@kominfo.example"
LATER = "451 4.3.0 coba lagi nanti"
SECONDS = (30, 120, 300, 900, 1800, 3600, 3600)


@pytest.fixture
async def harness(tmp_path: Path, server: ScriptedSmtp) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path / "data", "notification", smtp=smtp_to(server)) as opened:
        yield opened


async def load_ledger(harness: StaffHarness) -> Loaded[State]:
    found = await harness.services["notification"].runtime.executor.read(REQUEST)
    assert found is not None
    return found


async def all_settled(harness: StaffHarness) -> None:
    """Wait until nothing is queued or being sent."""

    async def rest() -> bool:
        return not {message.status for message in (await load_ledger(harness)).state.messages} & {"queued", "sending"}

    await harness.wait_until(rest)


async def settle(harness: StaffHarness) -> None:
    """Wait long enough for everything that is due to be processed."""
    await asyncio.sleep(0.15)
    await all_settled(harness)


def refuse(server: ScriptedSmtp, step: str = f"RCPT {APPLICANT}", answer: str | list[str] = LATER) -> None:
    server.script.answers[step] = answer


async def test_each_email_is_sent_once(harness: StaffHarness, server: ScriptedSmtp):
    await harness.publish(tale.submitted)
    await wait_for_email(harness, "sent", tries=1, retry_at=None)
    await wait_for_email(harness, "sent", "staff_submitted")
    harness.clock.advance(days=3)
    await settle(harness)
    assert len(delivered_emails(server)) == 2
    [message] = emails_to(server, APPLICANT)
    assert str(message["Subject"]).startswith("[INT-2026-000001] ")


async def test_an_email_to_an_unknown_role_is_kept_and_tried_again(harness: StaffHarness, server: ScriptedSmtp):
    """A newer version may have planned it; when that runs again, its recipients are known."""
    await harness.publish(tale.submitted)
    await wait_for_email(harness, "sent")
    row = await wait_for_email(harness, "sent", "staff_submitted")
    store = harness.services["notification"].runtime.store
    record = (await store.load([REQUEST]))[REQUEST]
    body = record.body.replace(b"role:officer", b"role:auditor")
    await store.save([Write(replace(record, version=record.version + 1, body=body), decider().columns(State()))])
    await harness.post("admin", f"/api/notification/messages/{row['id']}/resend")
    failed = await wait_for_email(harness, "failed", "staff_submitted", tries=1)
    assert failed["reason"] == "Tidak ada penerima yang aktif untuk surel ini."
    assert failed["retry_at"] is not None
    assert len(delivered_emails(server)) == 2


async def test_an_email_does_not_wait_for_a_clock_that_is_ahead(harness: StaffHarness, server: ScriptedSmtp):
    """The clock of a publisher may be an hour ahead, and two events at one instant get increasing times."""
    ahead = encode_event(make_event(tale.submitted, time=harness.clock() + timedelta(hours=1)))
    await harness.platform.log.append([(REQUEST, ahead)])
    row = await wait_for_email(harness, "sent")
    await harness.post("admin", f"/api/notification/messages/{row['id']}/resend")
    await harness.wait_until(lambda: _count(server, 2))


class UnavailableForOutcomes(SqliteStateStore):
    """A store that is unavailable whenever an outcome is saved."""

    async def save(self, writes: Sequence[Write]) -> list[SaveOutcome]:
        if any(write.columns["sent"] for write in writes):
            raise StoreUnavailable("away")
        return await super().save(writes)


async def test_an_email_is_not_repeated_while_its_outcome_cannot_be_stored(harness: StaffHarness, server: ScriptedSmtp):
    store = harness.services["notification"].runtime.store
    store.__class__ = UnavailableForOutcomes
    await harness.publish(tale.submitted)
    await harness.wait_until(lambda: _count(server, 1))
    await asyncio.sleep(0.2)
    assert {message.status for message in (await load_ledger(harness)).state.messages} == {"sending"}
    store.__class__ = SqliteStateStore
    await all_settled(harness)
    harness.clock.advance(minutes=4)
    await settle(harness)
    assert {message.status for message in (await load_ledger(harness)).state.messages} == {"sent"}
    assert len(delivered_emails(server)) == 2


async def test_all_members_of_a_role_get_one_message(harness: StaffHarness, server: ScriptedSmtp):
    await harness.publish(tale.submitted)
    await wait_for_email(harness, "sent", "staff_submitted")
    [message] = emails_to(server, OFFICERS)
    assert "samsul@kominfo.example" in str(message["To"])
    [received] = [one for one in server.received if OFFICERS in one.recipients]
    assert received.recipients == ["nurlaila@kominfo.example", "samsul@kominfo.example"]


async def test_a_temporarily_refused_email_is_retried_after_the_delay(harness: StaffHarness, server: ScriptedSmtp):
    refuse(server, answer=[LATER] * len(SECONDS))
    await harness.publish(tale.submitted)
    for tries, seconds in enumerate(SECONDS, 1):
        row = await wait_for_email(harness, "failed", tries=tries)
        assert "451" in row["reason"]
        retry_at = datetime.fromisoformat(row["retry_at"])
        assert retry_at - harness.clock() == timedelta(seconds=seconds)
        harness.clock.now = retry_at - timedelta(seconds=1)
        await settle(harness)
        await wait_for_email(harness, "failed", tries=tries)
        harness.clock.advance(seconds=1)
    await wait_for_email(harness, "sent", tries=len(SECONDS) + 1, reason="")
    assert len(emails_to(server, APPLICANT)) == 1


async def test_an_email_is_given_up_after_three_days_of_attempts(harness: StaffHarness, server: ScriptedSmtp):
    refuse(server)
    await harness.publish(tale.submitted)
    begun, tries, tried_at = harness.clock(), 1, harness.clock()
    while (due := (await wait_for_email(harness, "failed", tries=tries))["retry_at"]) is not None:
        harness.clock.now = tried_at = datetime.fromisoformat(due)
        tries += 1
    assert timedelta(hours=71) < tried_at - begun <= timedelta(hours=72)
    harness.clock.advance(days=30)
    await settle(harness)
    await wait_for_email(harness, "failed", tries=tries)


async def test_a_resent_email_is_attempted_for_another_three_days(harness: StaffHarness, server: ScriptedSmtp):
    refuse(server)
    await harness.publish(tale.submitted)
    tries = 1
    while (row := await wait_for_email(harness, "failed", tries=tries))["retry_at"] is not None:
        harness.clock.now = datetime.fromisoformat(row["retry_at"])
        tries += 1
    assert (await harness.post("admin", f"/api/notification/messages/{row['id']}/resend")).status_code == 200
    harness.clock.advance(seconds=1)
    row = await wait_for_email(harness, "failed", retry_at=(harness.clock() + timedelta(seconds=30)).isoformat())
    server.script.answers.clear()
    harness.clock.advance(seconds=30)
    await wait_for_email(harness, "sent", id=row["id"])


@pytest.mark.parametrize("step", [f"RCPT {APPLICANT}", "MAIL", "CONTENT"])
async def test_a_permanently_refused_email_is_not_retried(harness: StaffHarness, server: ScriptedSmtp, step: str):
    refuse(server, step, f"550 5.1.1 <{APPLICANT}> tidak dikenal")
    await harness.publish(tale.submitted)
    row = await wait_for_email(harness, "failed", tries=1, retry_at=None)
    assert "550" in row["reason"]
    assert APPLICANT not in row["reason"]
    server.script.answers.clear()
    harness.clock.advance(days=4)
    await settle(harness)
    assert emails_to(server, APPLICANT) == []


async def test_no_reply_to_the_content_is_an_unknown_outcome_and_the_retry_is_the_same_message(
    harness: StaffHarness, server: ScriptedSmtp
):
    await set_active(harness, False, "nurlaila", "samsul")
    refuse(server, "CONTENT", [SILENCE])
    await harness.publish(tale.submitted)
    await harness.wait_until(lambda: _count(server, 1))
    server.hang_up()
    row = await wait_for_email(harness, "unknown", tries=1)
    assert row["reason"]
    assert row["retry_at"] == (harness.clock() + timedelta(seconds=30)).isoformat()
    harness.clock.advance(seconds=30)
    await wait_for_email(harness, "sent", tries=2)
    first, second = emails_to(server, APPLICANT)
    assert first["Message-ID"] == second["Message-ID"]
    assert first.as_bytes() == second.as_bytes()


async def test_emails_wait_for_a_server_that_is_down(tmp_path: Path):
    async with ScriptedSmtp(Script()).running() as gone:
        url = smtp_to(gone)
    async with services_harness(tmp_path, "notification", smtp=url) as harness:
        await harness.publish(tale.submitted)
        row = await wait_for_email(harness, "failed", tries=1)
        assert "tidak dapat dihubungi" in row["reason"]
        back = ScriptedSmtp(Script())
        running = await asyncio.start_server(back._converse, "127.0.0.1", gone.port)
        harness.clock.advance(seconds=30)
        await wait_for_email(harness, "sent", tries=2)
        assert len(emails_to(back, APPLICANT)) == 1
        running.close()
        back.hang_up()


async def test_a_process_killed_while_sending_leaves_an_unknown_outcome(
    tmp_path: Path, harness: StaffHarness, server: ScriptedSmtp
):
    """The copy is what a killed process leaves on disk: the claim without outcomes."""
    server.script.delay = 0.2
    await harness.publish(tale.submitted)

    async def are_sending() -> bool:
        return [message.status for message in (await load_ledger(harness)).state.messages] == ["sending"] * 2

    await harness.wait_until(are_sending)
    shutil.copytree(tmp_path / "data", tmp_path / "left")
    await wait_for_email(harness, "sent")
    await wait_for_email(harness, "sent", "staff_submitted")
    server.script.delay = 0.0
    async with services_harness(
        tmp_path / "left", "notification", clock=harness.clock, staffed=False, smtp=smtp_to(server)
    ) as again:
        row = await wait_for_email(again, "unknown", tries=1)
        assert row["reason"] == "Proses berhenti saat surel ini sedang dikirim."
        again.clock.advance(seconds=1)
        await wait_for_email(again, "sent", tries=2)
        await wait_for_email(again, "sent", "staff_submitted", tries=2)
    for address in (APPLICANT, OFFICERS):
        first, second = emails_to(server, address)
        assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ('"kind":"received"', '"kind":"greeting"'),
        ('"values":{"round":1}', '"values":{"round":1,"channel":"loket"}'),
        ('"values":{"round":1}', '"values":{}'),
    ],
    ids=["unknown kind", "unknown parameter", "missing parameter"],
)
async def test_an_email_of_another_version_fails_temporarily_and_the_others_are_sent(
    tmp_path: Path, server: ScriptedSmtp, stored: str, written: str
):
    """During a rolling upgrade, or after a rollback, a newer version may have queued emails that this one does not know."""
    refuse(server, "MAIL")
    async with services_harness(tmp_path, "notification", smtp=smtp_to(server)) as newer:
        await newer.publish(tale.submitted)
        await wait_for_email(newer, "failed", "staff_submitted")
        await all_settled(newer)
    write_stored(newer, replace_in_bodies("notification", stored, written))
    server.script.answers.clear()
    newer.clock.advance(seconds=30)
    async with services_harness(
        tmp_path, "notification", clock=newer.clock, staffed=False, smtp=smtp_to(server)
    ) as older:
        await wait_for_email(older, "sent", "staff_submitted", tries=2)
        kind = "greeting" if "greeting" in written else "received"
        row = await wait_for_email(older, "failed", kind, tries=2)
        assert row["reason"] == "Surel belum dapat disusun karena kesalahan di dalam sistem."
        assert row["retry_at"] is not None
        records = await older.services["notification"].runtime.store.load([REQUEST])
        assert written.encode() in records[REQUEST].body
        async with browser(older, "admin") as admin:
            page = await admin.get("/surel-keluar")
        assert page.status_code == 200
        assert row["id"] in page.text
    assert len(delivered_emails(server)) == 1


async def test_two_dispatchers_of_one_ledger_send_each_email_once(harness: StaffHarness, server: ScriptedSmtp):
    server.script.delay = 0.05
    other = notification.build(harness.platform).runtime
    await other.prepare()
    await harness.publish(tale.submitted)
    await asyncio.gather(*(other.timers._process_due(REQUEST) for _ in range(3)))
    await all_settled(harness)
    assert len(delivered_emails(server)) == 2


async def test_messages_claimed_by_another_process_are_not_sent(harness: StaffHarness, server: ScriptedSmtp):
    """The other process records their outcome, or the claim expires."""
    runtime = harness.services["notification"].runtime
    refuse(server)
    await harness.publish(tale.submitted)
    row = await wait_for_email(harness, "failed", tries=1)
    server.script.answers.clear()
    monkey, runtime.timers._process_due = runtime.timers._process_due, lambda request: asyncio.sleep(0)
    harness.clock.now = datetime.fromisoformat(row["retry_at"])
    await runtime.executor.record(REQUEST, StartSending("00000000-0000-4000-9000-000000000001"))
    runtime.timers._process_due = monkey
    await harness.publish(tale.verified)
    await wait_for_email(harness, "sent", "verified")
    assert len(emails_to(server, APPLICANT)) == 1
    harness.clock.advance(minutes=3)
    await wait_for_email(harness, "sent", tries=3)
    assert len(emails_to(server, APPLICANT)) == 2


async def test_an_email_to_a_role_waits_until_the_role_has_a_member(harness: StaffHarness, server: ScriptedSmtp):
    await set_active(harness, False, "nurlaila", "samsul")
    await harness.publish(tale.submitted)
    row = await wait_for_email(harness, "failed", "staff_submitted")
    assert row["reason"] == "Tidak ada penerima yang aktif untuk surel ini."
    await set_active(harness, True, "samsul")
    harness.clock.advance(seconds=30)
    await wait_for_email(harness, "sent", "staff_submitted")
    [message] = emails_to(server, "samsul@kominfo.example")
    assert "nurlaila" not in str(message["To"])


MORNING = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)
"""Monday, 30 November 2026, 08:00 in Maba."""
returned = tale.returned.model_copy(update={"remind_on": (date(2026, 11, 30), date(2026, 12, 3))})


async def test_a_reminder_is_sent_on_its_day_at_eight_in_the_morning(harness: StaffHarness, server: ScriptedSmtp):
    await harness.publish(tale.submitted, returned)
    await wait_for_email(harness, "sent", "returned")
    harness.clock.now = MORNING - timedelta(seconds=1)
    await settle(harness)
    assert len(emails_to(server, APPLICANT)) == 2
    harness.clock.now = MORNING
    await wait_for_email(harness, "sent", "reminder_return")
    await settle(harness)
    assert len(emails_to(server, APPLICANT)) == 3
    harness.clock.advance(days=3)
    await harness.wait_until(lambda: _count(server, 4))


async def _count(server: ScriptedSmtp, count: int) -> bool:
    return len(emails_to(server, APPLICANT)) == count


async def test_no_reminder_is_sent_after_a_resubmission(harness: StaffHarness, server: ScriptedSmtp):
    await harness.publish(tale.submitted, returned, tale.resubmitted)
    await all_settled(harness)
    before = len(delivered_emails(server))
    harness.clock.now = MORNING + timedelta(days=20)
    await settle(harness)
    assert len(delivered_emails(server)) == before


async def test_after_weeks_of_downtime_only_the_closing_email_is_sent(harness: StaffHarness, server: ScriptedSmtp):
    await harness.publish(tale.submitted, returned)
    await wait_for_email(harness, "sent", "returned")
    harness.clock.now = MORNING + timedelta(days=30)
    await settle(harness)
    await harness.publish(RequestExpired(round=1))
    await wait_for_email(harness, "sent", "expired")
    await settle(harness)
    assert [message.kind for message in (await load_ledger(harness)).state.messages if message.to == "applicant"] == [
        "received",
        "returned",
        "expired",
    ]
    assert len(emails_to(server, APPLICANT)) == 3


async def test_an_address_changed_in_a_resubmission_is_used_from_then_on(harness: StaffHarness, server: ScriptedSmtp):
    await harness.publish(tale.submitted, returned)
    await wait_for_email(harness, "sent", "returned")
    moved = tale.APPLICANT.model_copy(update={"email": "rahmat.baru@dishub.example"})
    await harness.publish(tale.resubmitted.model_copy(update={"applicant": moved}))
    await all_settled(harness)
    assert len(emails_to(server, APPLICANT)) == 2
    [message] = emails_to(server, moved.email)
    assert message["Message-ID"] not in [other["Message-ID"] for other in emails_to(server, APPLICANT)]


async def test_an_address_is_in_the_log_only_in_submissions(harness: StaffHarness, server: ScriptedSmtp):
    refuse(server, answer=[f"450 <{APPLICANT}>: kotak {APPLICANT} penuh"])
    await harness.publish(tale.submitted, returned, tale.resubmitted, tale.verified.model_copy(update={"round": 2}))
    await all_settled(harness)
    harness.clock.advance(seconds=30)
    await wait_for_email(harness, "sent", tries=2)
    records = [record.value async for batch in harness.platform.log.read() for record in batch]
    with_address = {json.loads(raw)["type"] for raw in records if b"rahmat@" in raw}
    assert with_address == {"RequestSubmitted", "RequestResubmitted"}
    assert {decode_event(raw).source for raw in records} == {"intake", "verification"}


def write_stored(harness: StaffHarness, write: Callable[[apsw.Connection], object]) -> None:
    """Change stored data without the service."""
    file = SqliteDatabase(harness.platform.settings.database)
    file.write_blocking(write)
    file.close()


async def test_a_rebuilt_ledger_is_the_same_and_sends_nothing(harness: StaffHarness, server: ScriptedSmtp):
    refuse(server, answer=[LATER, "550 tidak dikenal"])
    await harness.publish(tale.submitted)
    await wait_for_email(harness, "failed", tries=1)
    harness.clock.advance(seconds=30)
    await wait_for_email(harness, "failed", retry_at=None)
    await harness.publish(returned)
    await wait_for_email(harness, "sent", "returned")
    harness.clock.now = MORNING
    row = await wait_for_email(harness, "sent", "reminder_return")
    assert (await harness.post("admin", f"/api/notification/messages/{row['id']}/resend")).status_code == 200
    harness.clock.advance(seconds=1)
    await harness.wait_until(lambda: _count(server, 3))
    await all_settled(harness)
    await harness.events("notification")
    before, sent = (await load_ledger(harness)).state, len(delivered_emails(server))
    write_stored(harness, replace_in_bodies("notification", "INT-2026-0", "INT-2027-0"))
    store = harness.services["notification"].runtime.store
    rebuild = Rebuild(decider(), store, harness.platform.log)
    assert [difference.fields for difference in (await rebuild.compare()).differences] == [("number",)]
    assert (await rebuild.swap()).swapped == 1
    assert (await load_ledger(harness)).state == before
    assert (await Rebuild(decider(), store, harness.platform.log).compare()).clean
    await settle(harness)
    assert len(delivered_emails(server)) == sent


async def test_the_emails_of_a_lost_record_are_listed_as_unknown_and_not_sent(
    harness: StaffHarness, server: ScriptedSmtp
):
    await harness.publish(tale.submitted)
    await wait_for_email(harness, "sent")
    row = await wait_for_email(harness, "sent", "staff_submitted")
    write_stored(harness, lambda db: db.execute("DELETE FROM notification_documents"))
    store = harness.services["notification"].runtime.store

    async def is_lost() -> bool:
        rebuild = Rebuild(decider(), store, harness.platform.log)
        return [difference.kind for difference in (await rebuild.compare()).differences] == ["missing"]

    await harness.wait_until(is_lost)
    rebuild = Rebuild(decider(), store, harness.platform.log)
    await rebuild.compare()
    assert (await rebuild.swap()).swapped == 1
    await settle(harness)
    harness.clock.advance(days=4)
    await settle(harness)
    await wait_for_email(harness, "unknown", retry_at=None, tries=0)
    await wait_for_email(harness, "unknown", "staff_submitted", retry_at=None)
    assert len(delivered_emails(server)) == 2
    assert (await Rebuild(decider(), store, harness.platform.log).compare()).clean
    assert (await harness.post("admin", f"/api/notification/messages/{row['id']}/resend")).status_code == 200
    await wait_for_email(harness, "sent", "staff_submitted", tries=1)
    assert len(delivered_emails(server)) == 3


async def test_a_ledger_that_differs_from_the_log_is_reported(harness: StaffHarness):
    await harness.publish(tale.submitted)
    await wait_for_email(harness, "sent")
    await all_settled(harness)
    await harness.events("notification")
    write_stored(harness, replace_in_bodies("notification", '"sent"', '"failed"'))
    rebuild = Rebuild(decider(), harness.services["notification"].runtime.store, harness.platform.log)
    assert [difference.fields for difference in (await rebuild.compare()).differences] == [("messages",)]


async def test_emails_of_one_request_are_dated_in_the_order_of_their_events(
    harness: StaffHarness, server: ScriptedSmtp
):
    await harness.publish(tale.submitted)
    harness.clock.advance(minutes=1)
    await harness.publish(returned)
    await wait_for_email(harness, "sent", "returned")
    dates: list[Any] = [message["Date"].datetime for message in emails_to(server, APPLICANT)]
    assert all(one < other for one, other in pairwise(dates))
