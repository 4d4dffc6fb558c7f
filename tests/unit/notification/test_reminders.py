"""Reminders after downtime: obsolete ones are not sent, and none is sent with or after the closing email."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.notification.decider import decider
from services.notification.domain.commands import DropReminders, EndSending, FireReminder, ResendMessage, StartSending
from services.notification.domain.decisions import due_at, on_due
from services.notification.domain.delivery import claimed_messages
from services.notification.domain.state import Message, State
from shared.contracts.facts import Fact
from shared.contracts.intake import HandoverConfirmed, RequestExpired
from shared.contracts.notification import MessageOutcome, ReminderFellDue, RemindersDropped
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import NOON, events_from, fold, refusal_of

LEDGER = decider()
DAY_5, DAY_8, LAST_DAY = date(2026, 11, 30), date(2026, 12, 3), date(2026, 12, 7)
RETURNED = tale.returned.model_copy(update={"remind_on": (DAY_5, DAY_8), "respond_by": LAST_DAY})
DELIVERED = tale.completed.model_copy(update={"remind_on": (DAY_5,), "confirm_by": LAST_DAY})
WORK = (tale.submitted, tale.verified, tale.assigned, tale.started)
AWAITED = [(tale.submitted, RETURNED), (*WORK, DELIVERED)]
EXPIRED = RequestExpired(round=1)


def nine_oclock(day: date) -> datetime:
    """Return 09:00 in Maba, an hour after reminders are due."""
    return datetime(day.year, day.month, day.day, 0, 0, tzinfo=UTC)


class Ledger:
    """A ledger of facts and deliveries, on which what is due can be processed."""

    def __init__(self, *facts: Fact) -> None:
        self.facts: list[Fact] = []
        self.state = State()
        self.append(*facts)
        self._sent(NOON)

    def append(self, *facts: Fact) -> None:
        """Fold facts; the record stays the fold of the log, with the deliveries that it had."""
        self.facts += facts
        for event in events_from(*self.facts)[len(self.facts) - len(facts) :]:
            self.state = LEDGER.evolve(self.state, event)
        assert LEDGER.carry_over(fold(LEDGER, events_from(*self.facts)), self.state, False) == self.state

    def process_due(self, now: datetime, *, mail_server_available: bool = True) -> list[str]:
        """Process what is due; return the kinds of emails that are sent if the mail server is available."""
        for command in on_due(self.state, now):
            self.append(*LEDGER.decide(self.state, command, now))
        return self._sent(now) if mail_server_available else []

    def claim(self, now: datetime) -> list[Message]:
        self.append(*LEDGER.decide(self.state, DropReminders(), now))
        self.state = LEDGER.record(self.state, StartSending("claim"), now)
        return claimed_messages(self.state, "claim")

    def _sent(self, now: datetime) -> list[str]:
        claimed = self.claim(now)
        outcomes = tuple(MessageOutcome(message=message.id, status="sent") for message in claimed)
        self.state = LEDGER.record(self.state, EndSending("claim", outcomes), now)
        return [message.kind for message in claimed]

    def kinds(self) -> list[str]:
        return [message.kind for message in self.state.messages]


def test_of_two_overdue_reminders_only_the_later_is_sent():
    ledger = Ledger(tale.submitted, RETURNED)
    assert ledger.process_due(nine_oclock(date(2026, 12, 4))) == ["reminder_return"]
    assert ledger.process_due(nine_oclock(date(2026, 12, 5))) == []
    assert due_at(ledger.state) is None


@pytest.mark.parametrize("facts", AWAITED, ids=["return", "delivery"])
def test_no_reminder_is_sent_when_its_last_day_has_passed(facts: tuple[Fact, ...]):
    ledger = Ledger(*facts)
    assert ledger.process_due(nine_oclock(date(2026, 12, 8))) == []
    assert due_at(ledger.state) is None


@pytest.mark.parametrize("facts", AWAITED, ids=["return", "delivery"])
def test_a_reminder_is_sent_on_the_last_day_to_act(facts: tuple[Fact, ...]):
    assert len(Ledger(*facts).process_due(nine_oclock(LAST_DAY))) == 1


def test_only_the_closing_email_is_sent_after_a_long_standstill():
    ledger = Ledger(tale.submitted, RETURNED)
    ledger.append(EXPIRED)
    assert ledger.process_due(nine_oclock(date(2026, 12, 20))) == ["expired"]


def test_a_delayed_reminder_is_not_sent_with_the_closing_email():
    ledger = Ledger(tale.submitted, RETURNED)
    ledger.process_due(nine_oclock(DAY_5), mail_server_available=False)
    ledger.append(EXPIRED)
    assert ledger.process_due(nine_oclock(date(2026, 12, 8))) == ["expired"]
    assert "reminder_return" not in ledger.kinds()


def test_a_reminder_delayed_past_its_last_day_is_dropped_before_the_closing_event():
    ledger = Ledger(tale.submitted, RETURNED)
    ledger.process_due(nine_oclock(DAY_5), mail_server_available=False)
    assert ledger.process_due(nine_oclock(date(2026, 12, 8))) == []
    ledger.append(EXPIRED)
    assert ledger.process_due(nine_oclock(date(2026, 12, 8))) == ["expired"]


def test_of_two_delayed_reminders_only_the_later_is_sent():
    ledger = Ledger(tale.submitted, RETURNED)
    ledger.process_due(nine_oclock(DAY_5), mail_server_available=False)
    ledger.process_due(nine_oclock(DAY_8), mail_server_available=False)
    assert ledger.process_due(nine_oclock(DAY_8)) == ["reminder_return"]


def test_a_delayed_reminder_is_not_sent_after_the_answer():
    ledger = Ledger(tale.submitted, RETURNED)
    ledger.process_due(nine_oclock(DAY_5), mail_server_available=False)
    ledger.append(tale.resubmitted)
    assert "reminder_return" not in ledger.process_due(nine_oclock(DAY_5))


def test_a_late_reminder_of_a_question_is_sent_because_questions_do_not_expire():
    ledger = Ledger(*WORK, tale.paused)
    assert ledger.process_due(nine_oclock(tale.paused.answer_by + timedelta(days=20))) == ["reminder_answer"]


def test_a_reminder_of_unknown_outcome_is_not_retried_after_the_closing():
    ledger = Ledger(tale.submitted, RETURNED)
    ledger.process_due(nine_oclock(DAY_5), mail_server_available=False)
    [reminder] = ledger.claim(nine_oclock(DAY_5))
    outcome = MessageOutcome(message=reminder.id, status="unknown", retry_at=nine_oclock(DAY_5))
    ledger.state = LEDGER.record(ledger.state, EndSending("claim", (outcome,)), nine_oclock(DAY_5))
    ledger.append(EXPIRED)
    assert ledger.process_due(nine_oclock(date(2026, 12, 8))) == ["expired"]
    assert ledger.facts[-1] == RemindersDropped(messages=(reminder.id,), kept=(reminder.id,))
    message = ledger.state.message(reminder.id)
    assert message is not None
    assert (message.status, message.due) == ("unknown", None)


def test_an_obsolete_reminder_cannot_be_resent():
    ledger = Ledger(tale.submitted, RETURNED)
    ledger.process_due(nine_oclock(DAY_5))
    [reminder] = [message.id for message in ledger.state.messages if message.kind == "reminder_return"]
    again = ResendMessage(reminder, tale.HASAN)
    assert LEDGER.decide(ledger.state, again, nine_oclock(DAY_5)) != []
    assert refusal_of(LEDGER, ledger.state, again, nine_oclock(date(2026, 12, 8))).code == "superseded"
    ledger.append(EXPIRED)
    assert refusal_of(LEDGER, ledger.state, again, nine_oclock(DAY_5)).code == "superseded"


def test_dropped_reminders_are_in_the_log():
    ledger = Ledger(tale.submitted, RETURNED)
    first, second = on_due(ledger.state)
    now = nine_oclock(DAY_8)
    assert LEDGER.decide(ledger.state, first, now) == [RemindersDropped(reminders=(first.reminder,))]
    assert LEDGER.decide(ledger.state, second, now) == [ReminderFellDue(reminder=second.reminder)]
    assert LEDGER.decide(ledger.state, FireReminder("none"), now) == []


def test_no_reminder_is_sent_after_an_automatic_confirmation():
    confirmed = HandoverConfirmed(delivery=1, automatic=True, survey_until=LAST_DAY)
    ledger = Ledger(*WORK, DELIVERED)
    ledger.process_due(nine_oclock(DAY_5), mail_server_available=False)
    ledger.append(confirmed)
    assert ledger.process_due(nine_oclock(date(2026, 12, 8))) == ["completed"]
