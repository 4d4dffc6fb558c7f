from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.notification.decider import decider
from services.notification.domain.commands import (
    EndSending,
    FireReminder,
    RecordInterruption,
    ResendMessage,
    StartSending,
)
from services.notification.domain.decisions import due_at, on_due
from services.notification.domain.delivery import CLAIM_DURATION
from services.notification.domain.state import IMMEDIATELY, State
from services.notification.email_rendering import EmailContent, render
from shared.contracts.assignment import LeadReassigned
from shared.contracts.facts import Fact, Staff
from shared.contracts.intake import RequestExpired, RequestWithdrawn, TrackingLinkRequested
from shared.contracts.lifecycle import Status
from shared.contracts.notification import MessageOutcome, ReminderFellDue, ResendRequested
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import NOON, events_from, fold, given, make_event, refusal_of

LEDGER = decider()
ADMIN = tale.HASAN
CLAIM, OTHER_CLAIM = StartSending("a"), StartSending("b")
withdrawn = RequestWithdrawn(reason="Sudah dikerjakan sendiri.")
returned = tale.returned.model_copy(update={"remind_on": (date(2026, 11, 30), date(2026, 12, 3))})


def emails_of(state: State) -> list[tuple[str, str]]:
    return sorted((message.kind, message.to) for message in state.messages)


def new_emails(*facts: Fact) -> list[tuple[str, str]]:
    """Return the emails that the last fact adds."""
    before = emails_of(given(LEDGER, *facts[:-1]))
    return [email for email in emails_of(given(LEDGER, *facts)) if email not in before]


def test_a_submission_is_emailed_to_the_applicant_and_the_officers() -> None:
    assert new_emails(tale.submitted) == [("received", "applicant"), ("staff_submitted", "role:officer")]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.NEW])
def test_a_requested_link_is_emailed_to_the_applicant_in_every_status(status: Status) -> None:
    path = tale.PATHS[status]
    before, after = emails_of(given(LEDGER, *path)), emails_of(given(LEDGER, *path, TrackingLinkRequested()))
    assert [email for email in after if email not in before] == [("link", "applicant")]
    assert len(after) == len(before) + 1


def test_a_verification_is_emailed_to_the_structural_head() -> None:
    emails = new_emails(tale.submitted, tale.verified)
    assert emails == [("staff_verified", "role:structural"), ("verified", "applicant")]


def test_an_assignment_is_emailed_to_the_applicant_and_the_lead() -> None:
    emails = new_emails(tale.submitted, tale.verified, tale.assigned)
    assert emails == [("assigned", "applicant"), ("staff_assigned", "staff:dewi")]


def test_another_lead_of_delivered_work_is_emailed_to_staff_only() -> None:
    ronal = Staff(username="ronal", name="Ronal Misal")
    replaced = LeadReassigned(
        lead=ronal, previous=tale.DEWI, reason="Pindah tugas.", target_date=date(2026, 12, 14), by=ADMIN
    )
    to_staff = [("staff_reassigned_new", "staff:ronal"), ("staff_reassigned_old", "staff:dewi")]
    assert new_emails(*tale.IN_PROGRESS, replaced) == [("reassigned", "applicant"), *to_staff]
    assert new_emails(*tale.DELIVERED, replaced) == to_staff


def test_an_answer_is_emailed_to_the_lead() -> None:
    path = (tale.submitted, tale.verified, tale.assigned, tale.started, tale.paused, tale.answered)
    assert new_emails(*path) == [("staff_answered", "staff:dewi")]


def test_a_withdrawal_is_emailed_to_the_applicant_and_the_staff_concerned() -> None:
    assert new_emails(tale.submitted, withdrawn) == [("staff_withdrawn", "role:officer"), ("withdrawn", "applicant")]
    path = (tale.submitted, tale.verified, tale.assigned, withdrawn)
    assert ("staff_withdrawn", "staff:dewi") in new_emails(*path)


def test_a_decision_that_crosses_a_withdrawal_is_reported_only_as_ineffective() -> None:
    emails = new_emails(tale.submitted, withdrawn, tale.verified)
    assert emails == [("staff_withdrawn", "staff:nurlaila")]


def test_a_withdrawal_after_a_rejection_is_emailed_to_its_author() -> None:
    assert new_emails(tale.submitted, tale.rejected, withdrawn) == [
        ("staff_withdrawn", "staff:hasan"),
        ("withdrawn", "applicant"),
    ]


def test_every_email_is_due_immediately_and_claimed_once() -> None:
    state = given(LEDGER, tale.submitted)
    assert due_at(state) == IMMEDIATELY
    claimed = LEDGER.record(state, CLAIM, NOON)
    assert [(message.status, message.tries, message.claim) for message in claimed.messages] == [("sending", 1, "a")] * 2
    assert LEDGER.record(claimed, OTHER_CLAIM, NOON) == claimed
    assert due_at(claimed) == NOON + CLAIM_DURATION


def test_a_sent_email_is_never_due_again() -> None:
    state, ids = sent("sent")
    assert [(message.status, message.settled_at) for message in state.messages] == [("sent", NOON)] * 2
    assert due_at(state) is None
    assert LEDGER.record(state, CLAIM, NOON + timedelta(days=1)) == state
    assert LEDGER.record(state, EndSending("a", (MessageOutcome(message=ids[0], status="failed"),)), NOON) == state


def test_an_email_that_failed_temporarily_is_due_after_the_retry_delay() -> None:
    later = NOON + timedelta(seconds=30)
    state, ids = sent("failed", retry_at=later)
    assert due_at(state) == later
    assert LEDGER.record(state, CLAIM, NOON) == state
    again = LEDGER.record(state, CLAIM, later)
    assert {message.id for message in again.messages if message.tries == 2} == set(ids)


def test_messages_of_an_expired_claim_can_be_claimed_again() -> None:
    claimed = LEDGER.record(given(LEDGER, tale.submitted), CLAIM, NOON)
    again = LEDGER.record(claimed, OTHER_CLAIM, NOON + CLAIM_DURATION)
    assert [(message.tries, message.claim) for message in again.messages] == [(2, "b")] * 2


def test_an_outcome_that_comes_after_another_process_has_claimed_the_message_is_ignored() -> None:
    claimed = LEDGER.record(given(LEDGER, tale.submitted), CLAIM, NOON)
    again = LEDGER.record(claimed, OTHER_CLAIM, NOON + CLAIM_DURATION)
    outcome = MessageOutcome(message=again.messages[0].id, status="sent")
    assert LEDGER.record(again, EndSending("a", (outcome,)), NOON + CLAIM_DURATION) == again


def test_a_claim_whose_answer_was_lost_is_made_again_without_a_second_attempt() -> None:
    claimed = LEDGER.record(given(LEDGER, tale.submitted), CLAIM, NOON)
    assert LEDGER.record(claimed, CLAIM, NOON + timedelta(minutes=4)) == claimed


def test_an_interruption_leaves_an_unknown_outcome_that_is_retried_soon() -> None:
    claimed = LEDGER.record(given(LEDGER, tale.submitted), CLAIM, NOON)
    interrupted = LEDGER.record(claimed, RecordInterruption(), NOON)
    assert {(one.status, one.reason, one.claim) for one in interrupted.messages} == {
        ("unknown", "Proses berhenti saat surel ini sedang dikirim.", "")
    }
    assert due_at(interrupted) == NOON + timedelta(seconds=1)


def test_an_administrator_can_resend_an_email() -> None:
    state, ids = sent("sent")
    [fact] = LEDGER.decide(state, ResendMessage(ids[0], ADMIN), NOON)
    assert fact == ResendRequested(message=ids[0], by=ADMIN)
    queued_again = LEDGER.evolve(state, make_event(fact)).message(ids[0])
    assert queued_again is not None
    assert (queued_again.status, queued_again.tries, queued_again.due) == ("queued", 0, IMMEDIATELY)
    queued = given(LEDGER, tale.submitted)
    assert refusal_of(LEDGER, queued, ResendMessage(queued.messages[0].id, ADMIN)).code == "being_sent"
    assert refusal_of(LEDGER, queued, ResendMessage("none", ADMIN)).code == "message_unknown"


def test_reminders_fire_on_their_days_while_the_request_is_pending() -> None:
    state = given(LEDGER, tale.submitted, returned)
    [first, second] = on_due(state)
    assert first.reminder.endswith("2026-11-30")
    assert LEDGER.decide(state, first, NOON) == []
    morning = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)
    [fact] = LEDGER.decide(state, first, morning)
    assert fact == ReminderFellDue(reminder=first.reminder)
    reminded = fold(LEDGER, events_from(tale.submitted, returned, fact))
    assert ("reminder_return", "applicant") in emails_of(reminded)
    assert on_due(reminded) == [second]


@pytest.mark.parametrize("end", [tale.resubmitted, withdrawn, RequestExpired(round=1)])
def test_a_reminder_does_not_fire_once_the_request_is_no_longer_pending(end: Fact) -> None:
    state = given(LEDGER, tale.submitted, returned, end)
    assert state.course.status is not Status.RETURNED
    assert on_due(state) == []
    reminder = state.reminders[0].id
    assert LEDGER.decide(state, FireReminder(reminder), NOON + timedelta(days=30)) == []


def sent(status: str, retry_at: datetime | None = None) -> tuple[State, tuple[str, ...]]:
    """Return the ledger after the first batch had this outcome."""
    claimed = LEDGER.record(given(LEDGER, tale.submitted), CLAIM, NOON)
    ids = tuple(message.id for message in claimed.messages)
    outcomes = tuple(
        MessageOutcome.model_validate({"message": message, "status": status, "retry_at": retry_at}) for message in ids
    )
    return LEDGER.record(claimed, EndSending("a", outcomes), NOON), ids


@pytest.mark.parametrize("path", tale.PATHS.values(), ids=tale.PATHS.keys())
def test_every_planned_email_can_be_rendered(path: tuple[Fact, ...]) -> None:
    for message in given(LEDGER, *path).messages:
        content = EmailContent(message.values, "Rahmat Contoh", "INT-2026-000001", "data", "https://simpul.example/")
        assert render(content).subject.startswith("[INT-2026-000001] ")
