"""Letters on their way to a real mail server that refuses, falls silent or is gone, while the clock is moved by hand."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from services.notification import service as notification
from services.notification.domain import StartSending, State, decider
from shared.contracts.envelope import from_bytes, to_bytes
from shared.contracts.intake import RequestExpired
from shared.runtime.execution import CommandKey, Kept
from shared.runtime.heads import type_of
from shared.runtime.rebuilding import Refold
from shared.storage.port import Saved, StoreUnavailable, Write
from shared.storage.sqlite import SqliteStateStore
from shared.storage.sqlite_file import SqliteFile
from tests.contracts.scripted_smtp import SILENCE, Script, ScriptedSmtp
from tests.domain import intake_story as tale
from tests.domain.given import REQUEST, happened
from tests.services.desk_ground import Ground
from tests.services.office_ground import letters, office, set_active, settled, smtp_to, to

pytestmark = pytest.mark.slow

APPLICANT = tale.APPLICANT.email
OFFICERS = "nurlaila@kominfo.example"
LATER = "451 4.3.0 coba lagi nanti"
SECONDS = (30, 120, 300, 900, 1800, 3600, 3600)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedSmtp]:
    async with ScriptedSmtp(Script()).running() as running:
        yield running


@pytest.fixture
async def ground(tmp_path: Path, server: ScriptedSmtp) -> AsyncIterator[Ground]:
    async with office(tmp_path / "data", "notification", smtp=smtp_to(server)) as opened:
        yield opened


async def kept(ground: Ground) -> Kept[State]:
    found = await ground.services["notification"].runtime.executor.read(REQUEST)
    assert found is not None
    return found


async def all_settled(ground: Ground) -> None:
    """Wait until nothing is queued or in hand."""

    async def rest() -> bool:
        return not {message.status for message in (await kept(ground)).state.messages} & {"queued", "sending"}

    await ground.until(rest)


async def some_time(ground: Ground) -> None:
    """Long enough for anything that is due to be attended to."""
    await asyncio.sleep(0.15)
    await all_settled(ground)


def refuse(server: ScriptedSmtp, step: str = f"RCPT {APPLICANT}", answer: str | list[str] = LATER) -> None:
    server.script.answers[step] = answer


async def test_each_letter_is_sent_once(ground: Ground, server: ScriptedSmtp):
    await ground.happened(tale.submitted)
    await settled(ground, "sent", tries=1, retry_at=None)
    await settled(ground, "sent", "staff_submitted")
    ground.clock.go_on(days=3)
    await some_time(ground)
    assert len(letters(server)) == 2
    [letter] = to(server, APPLICANT)
    assert str(letter["Subject"]).startswith("[INT-2026-000001] ")


async def test_a_letter_waits_for_no_clock_that_goes_ahead(ground: Ground, server: ScriptedSmtp):
    """Who published may be an hour ahead, and a standing clock gives two events of a request times of which one is to come."""
    ahead = to_bytes(happened(tale.submitted, time=ground.clock() + timedelta(hours=1)))
    await ground.platform.log.append([(REQUEST, ahead)])
    row = await settled(ground, "sent")
    await ground.post("admin", f"/api/notification/messages/{row['id']}/resend")
    await ground.until(lambda: _count(server, 2))


class Forgetful(SqliteStateStore):
    """A store that is away whenever an outcome is to be written down."""

    async def save(self, writes: Sequence[Write]) -> list[Saved]:
        if any(type_of(entry.event) == "SendingEnded" for write in writes for entry in write.outbox):
            raise StoreUnavailable("away")
        return await super().save(writes)


async def test_a_letter_whose_outcome_cannot_be_written_down_for_a_while_is_not_sent_again(
    ground: Ground, server: ScriptedSmtp
):
    store = ground.services["notification"].runtime.store
    store.__class__ = Forgetful
    await ground.happened(tale.submitted)
    await ground.until(lambda: _count(server, 1))
    await asyncio.sleep(0.2)
    assert {message.status for message in (await kept(ground)).state.messages} == {"sending"}
    store.__class__ = SqliteStateStore
    await all_settled(ground)
    ground.clock.go_on(minutes=4)
    await some_time(ground)
    assert {message.status for message in (await kept(ground)).state.messages} == {"sent"}
    assert len(letters(server)) == 2


async def test_all_of_a_role_get_one_message(ground: Ground, server: ScriptedSmtp):
    await ground.happened(tale.submitted)
    await settled(ground, "sent", "staff_submitted")
    [letter] = to(server, OFFICERS)
    assert "samsul@kominfo.example" in str(letter["To"])
    [received] = [one for one in server.received if OFFICERS in one.recipients]
    assert received.recipients == ["nurlaila@kominfo.example", "samsul@kominfo.example"]


async def test_a_letter_refused_for_now_is_tried_again_when_its_pause_is_over(ground: Ground, server: ScriptedSmtp):
    refuse(server, answer=[LATER] * len(SECONDS))
    await ground.happened(tale.submitted)
    for tries, seconds in enumerate(SECONDS, 1):
        row = await settled(ground, "failed", tries=tries)
        assert "451" in row["reason"]
        retry_at = datetime.fromisoformat(row["retry_at"])
        assert retry_at - ground.clock() == timedelta(seconds=seconds)
        ground.clock.now = retry_at - timedelta(seconds=1)
        await some_time(ground)
        await settled(ground, "failed", tries=tries)
        ground.clock.go_on(seconds=1)
    await settled(ground, "sent", tries=len(SECONDS) + 1, reason="")
    assert len(to(server, APPLICANT)) == 1


async def test_after_three_days_of_trying_a_letter_is_given_up(ground: Ground, server: ScriptedSmtp):
    refuse(server)
    await ground.happened(tale.submitted)
    begun, tries, tried_at = ground.clock(), 1, ground.clock()
    while (due := (await settled(ground, "failed", tries=tries))["retry_at"]) is not None:
        ground.clock.now = tried_at = datetime.fromisoformat(due)
        tries += 1
    assert timedelta(hours=71) < tried_at - begun <= timedelta(hours=72)
    ground.clock.go_on(days=30)
    await some_time(ground)
    await settled(ground, "failed", tries=tries)


async def test_a_letter_that_was_given_up_and_is_sent_again_has_three_days_anew(ground: Ground, server: ScriptedSmtp):
    refuse(server)
    await ground.happened(tale.submitted)
    tries = 1
    while (row := await settled(ground, "failed", tries=tries))["retry_at"] is not None:
        ground.clock.now = datetime.fromisoformat(row["retry_at"])
        tries += 1
    assert (await ground.post("admin", f"/api/notification/messages/{row['id']}/resend")).status_code == 200
    ground.clock.go_on(seconds=1)
    row = await settled(ground, "failed", retry_at=(ground.clock() + timedelta(seconds=30)).isoformat())
    server.script.answers.clear()
    ground.clock.go_on(seconds=30)
    await settled(ground, "sent", id=row["id"])


@pytest.mark.parametrize("step", [f"RCPT {APPLICANT}", "MAIL", "CONTENT"])
async def test_a_letter_refused_for_good_is_not_tried_again(ground: Ground, server: ScriptedSmtp, step: str):
    refuse(server, step, f"550 5.1.1 <{APPLICANT}> tidak dikenal")
    await ground.happened(tale.submitted)
    row = await settled(ground, "failed", tries=1, retry_at=None)
    assert "550" in row["reason"]
    assert APPLICANT not in row["reason"]
    server.script.answers.clear()
    ground.clock.go_on(days=4)
    await some_time(ground)
    assert to(server, APPLICANT) == []


async def test_silence_after_the_letter_is_an_unknown_outcome_and_the_repeat_is_the_same_message(
    ground: Ground, server: ScriptedSmtp
):
    await set_active(ground, False, "nurlaila", "samsul")
    refuse(server, "CONTENT", [SILENCE])
    await ground.happened(tale.submitted)
    await ground.until(lambda: _count(server, 1))
    server.hang_up()
    row = await settled(ground, "unknown", tries=1)
    assert row["reason"]
    assert row["retry_at"] == (ground.clock() + timedelta(seconds=30)).isoformat()
    ground.clock.go_on(seconds=30)
    await settled(ground, "sent", tries=2)
    first, second = to(server, APPLICANT)
    assert first["Message-ID"] == second["Message-ID"]
    assert first.as_bytes() == second.as_bytes()


async def test_letters_wait_for_a_server_that_is_down(tmp_path: Path):
    async with ScriptedSmtp(Script()).running() as gone:
        url = smtp_to(gone)
    async with office(tmp_path, "notification", smtp=url) as ground:
        await ground.happened(tale.submitted)
        row = await settled(ground, "failed", tries=1)
        assert "tidak dapat dihubungi" in row["reason"]
        back = ScriptedSmtp(Script())
        running = await asyncio.start_server(back._converse, "127.0.0.1", gone.port)
        ground.clock.go_on(seconds=30)
        await settled(ground, "sent", tries=2)
        assert len(to(back, APPLICANT)) == 1
        running.close()
        back.hang_up()


async def test_a_process_killed_with_a_letter_in_hand_leaves_an_unknown_outcome(
    tmp_path: Path, ground: Ground, server: ScriptedSmtp
):
    """The copy is what a kill leaves on the disk: the claim is written down, and nothing of what came of it."""
    server.script.delay = 0.2
    await ground.happened(tale.submitted)

    async def in_hand() -> bool:
        return [message.status for message in (await kept(ground)).state.messages] == ["sending"] * 2

    await ground.until(in_hand)
    shutil.copytree(tmp_path / "data", tmp_path / "left")
    await settled(ground, "sent")
    await settled(ground, "sent", "staff_submitted")
    server.script.delay = 0.0
    async with office(
        tmp_path / "left", "notification", clock=ground.clock, staffed=False, smtp=smtp_to(server)
    ) as again:
        row = await settled(again, "unknown", tries=1)
        assert row["reason"] == "Proses berhenti saat surel ini sedang dikirim."
        again.clock.go_on(seconds=1)
        await settled(again, "sent", tries=2)
        await settled(again, "sent", "staff_submitted", tries=2)
    for address in (APPLICANT, OFFICERS):
        first, second = to(server, address)
        assert first["Message-ID"] == second["Message-ID"]


async def test_two_processes_that_attend_to_one_ledger_send_each_letter_once(ground: Ground, server: ScriptedSmtp):
    server.script.delay = 0.05
    other = notification.build(ground.platform).runtime
    await other.prepare()
    await ground.happened(tale.submitted)
    await asyncio.gather(*(other.timers._attend(REQUEST) for _ in range(3)))
    await all_settled(ground)
    assert len(letters(server)) == 2


async def test_what_another_took_in_hand_is_not_sent_with_ones_own(ground: Ground, server: ScriptedSmtp):
    """Its outcome is that of the other; should there be none, the claim runs out."""
    runtime = ground.services["notification"].runtime
    refuse(server)
    await ground.happened(tale.submitted)
    row = await settled(ground, "failed", tries=1)
    server.script.answers.clear()
    key = CommandKey("00000000-0000-4000-9000-000000000001", "")
    monkey, runtime.timers._attend = runtime.timers._attend, lambda request: asyncio.sleep(0)
    ground.clock.now = datetime.fromisoformat(row["retry_at"])
    await runtime.executor.execute(REQUEST, StartSending(), key)
    runtime.timers._attend = monkey
    await ground.happened(tale.verified)
    await settled(ground, "sent", "verified")
    assert len(to(server, APPLICANT)) == 1
    ground.clock.go_on(minutes=3)
    await settled(ground, "sent", tries=3)
    assert len(to(server, APPLICANT)) == 2


async def test_a_letter_to_a_role_waits_until_somebody_has_it(ground: Ground, server: ScriptedSmtp):
    await set_active(ground, False, "nurlaila", "samsul")
    await ground.happened(tale.submitted)
    row = await settled(ground, "failed", "staff_submitted")
    assert row["reason"] == "Tidak ada penerima yang aktif untuk surel ini."
    await set_active(ground, True, "samsul")
    ground.clock.go_on(seconds=30)
    await settled(ground, "sent", "staff_submitted")
    [letter] = to(server, "samsul@kominfo.example")
    assert "nurlaila" not in str(letter["To"])


MORNING = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)
"""Monday, 30 November 2026, 08:00 in Maba."""
returned = tale.returned.model_copy(update={"remind_on": (date(2026, 11, 30), date(2026, 12, 3))})


async def test_a_reminder_goes_out_on_its_day_at_eight_in_the_morning(ground: Ground, server: ScriptedSmtp):
    await ground.happened(tale.submitted, returned)
    await settled(ground, "sent", "returned")
    ground.clock.now = MORNING - timedelta(seconds=1)
    await some_time(ground)
    assert len(to(server, APPLICANT)) == 2
    ground.clock.now = MORNING
    await settled(ground, "sent", "reminder_return")
    await some_time(ground)
    assert len(to(server, APPLICANT)) == 3
    ground.clock.go_on(days=3)
    await ground.until(lambda: _count(server, 4))


async def _count(server: ScriptedSmtp, count: int) -> bool:
    return len(to(server, APPLICANT)) == count


async def test_who_answered_is_not_reminded(ground: Ground, server: ScriptedSmtp):
    await ground.happened(tale.submitted, returned, tale.resubmitted)
    await all_settled(ground)
    before = len(letters(server))
    ground.clock.now = MORNING + timedelta(days=20)
    await some_time(ground)
    assert len(letters(server)) == before


async def test_after_weeks_without_power_the_closing_letter_goes_out_and_no_reminder(
    ground: Ground, server: ScriptedSmtp
):
    await ground.happened(tale.submitted, returned)
    await settled(ground, "sent", "returned")
    ground.clock.now = MORNING + timedelta(days=30)
    await some_time(ground)
    await ground.happened(RequestExpired(round=1))
    await settled(ground, "sent", "expired")
    await some_time(ground)
    assert [message.kind for message in (await kept(ground)).state.messages if message.to == "applicant"] == [
        "received",
        "returned",
        "expired",
    ]
    assert len(to(server, APPLICANT)) == 3


async def test_an_address_changed_in_a_resubmission_counts_from_then_on(ground: Ground, server: ScriptedSmtp):
    await ground.happened(tale.submitted, returned)
    await settled(ground, "sent", "returned")
    moved = tale.APPLICANT.model_copy(update={"email": "rahmat.baru@dishub.example"})
    await ground.happened(tale.resubmitted.model_copy(update={"applicant": moved}))
    await all_settled(ground)
    assert len(to(server, APPLICANT)) == 2
    [letter] = to(server, moved.email)
    assert letter["Message-ID"] not in [other["Message-ID"] for other in to(server, APPLICANT)]


async def test_an_address_is_in_the_log_only_where_the_applicant_told_it(ground: Ground, server: ScriptedSmtp):
    refuse(server, answer=[f"450 <{APPLICANT}>: kotak {APPLICANT} penuh"])
    await ground.happened(tale.submitted, returned, tale.resubmitted, tale.verified.model_copy(update={"round": 2}))
    await all_settled(ground)
    ground.clock.go_on(seconds=30)
    await settled(ground, "sent", tries=2)
    records = [record.value async for batch in ground.platform.log.read() for record in batch]
    with_address = {json.loads(raw)["type"] for raw in records if b"rahmat@" in raw}
    assert with_address == {"RequestSubmitted", "RequestResubmitted"}
    assert {from_bytes(raw).type for raw in records} >= {"SendingStarted", "SendingEnded"}


def in_the_file(ground: Ground, statement: str) -> None:
    """Change what is stored behind the service's back."""
    file = SqliteFile(ground.platform.settings.database)
    file.write_now(lambda db: list(db.execute(statement)))
    file.close()


async def test_a_ledger_folded_again_is_the_same_and_sends_nothing(ground: Ground, server: ScriptedSmtp):
    refuse(server, answer=[LATER, "550 tidak dikenal"])
    await ground.happened(tale.submitted)
    await settled(ground, "failed", tries=1)
    ground.clock.go_on(seconds=30)
    await settled(ground, "failed", retry_at=None)
    await ground.happened(returned)
    await settled(ground, "sent", "returned")
    ground.clock.now = MORNING
    row = await settled(ground, "sent", "reminder_return")
    assert (await ground.post("admin", f"/api/notification/messages/{row['id']}/resend")).status_code == 200
    ground.clock.go_on(seconds=1)
    await ground.until(lambda: _count(server, 3))
    await all_settled(ground)
    await ground.events("notification")
    before, sent = (await kept(ground)).state, len(letters(server))
    in_the_file(ground, "DELETE FROM notification_documents")
    store = ground.services["notification"].runtime.store
    refold = Refold(decider(), store, ground.platform.log)
    assert [difference.kind for difference in (await refold.compare()).differences] == ["missing"]
    assert (await refold.swap()).swapped == 1
    assert (await kept(ground)).state == before
    assert (await Refold(decider(), store, ground.platform.log).compare()).clean
    await some_time(ground)
    assert len(letters(server)) == sent


async def test_a_ledger_that_is_not_what_the_log_says_is_found(ground: Ground):
    await ground.happened(tale.submitted)
    await settled(ground, "sent")
    await all_settled(ground)
    await ground.events("notification")
    forged = "CAST(replace(CAST(body AS TEXT), '\"sent\"', '\"failed\"') AS BLOB)"
    in_the_file(ground, f"UPDATE notification_documents SET body={forged}")
    refold = Refold(decider(), ground.services["notification"].runtime.store, ground.platform.log)
    assert [difference.fields for difference in (await refold.compare()).differences] == [("messages",)]


async def test_letters_of_one_request_are_dated_in_the_order_in_which_they_are_owed(
    ground: Ground, server: ScriptedSmtp
):
    await ground.happened(tale.submitted)
    ground.clock.go_on(minutes=1)
    await ground.happened(returned)
    await settled(ground, "sent", "returned")
    dates: list[Any] = [letter["Date"].datetime for letter in to(server, APPLICANT)]
    assert all(one < other for one, other in pairwise(dates))
