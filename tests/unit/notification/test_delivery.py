"""Deliveries of emails are carried over when a record is folded from the log again, and nothing old is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.notification.decider import decider
from services.notification.domain.commands import EndSending, StartSending
from services.notification.domain.decisions import due_at
from services.notification.domain.state import IMMEDIATELY, State
from shared.contracts.facts import Fact
from shared.contracts.notification import (
    MessageOutcome,
    RemindersDropped,
    ResendRequested,
    SendingEnded,
    SendingStarted,
)
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import NOON, given

LEDGER = decider()
LATER = NOON + timedelta(minutes=5)
FOLDED = given(LEDGER, tale.submitted)
IDS = tuple(message.id for message in FOLDED.messages)
LOST = "Catatan pengiriman surel ini hilang; mungkin sudah terkirim."


def claimed() -> State:
    return LEDGER.record(FOLDED, StartSending("claim"), NOON)


def delivered(status: str, reason: str = "", retry_at: datetime | None = None) -> State:
    outcome = {"status": status, "reason": reason, "retry_at": retry_at}
    outcomes = tuple(MessageOutcome.model_validate({"message": one, **outcome}) for one in IDS)
    return LEDGER.record(claimed(), EndSending("claim", outcomes), NOON)


def lost(state: State) -> State:
    """The state with an unknown outcome of everything that is not settled."""
    unknown: dict[str, Any] = {"status": "unknown", "reason": LOST, "due": None, "claim": ""}
    return replace(state, messages=tuple(replace(one, **unknown) if one.due else one for one in state.messages))


@pytest.mark.parametrize(
    "stored",
    [
        FOLDED,
        claimed(),
        delivered("sent"),
        delivered("failed", "451 coba lagi", LATER),
        delivered("failed", "550 tidak dikenal"),
        delivered("unknown", "Tidak ada jawaban.", LATER),
        lost(FOLDED),
    ],
    ids=["queued", "sending", "sent", "retried", "given up", "unknown", "lost"],
)
def test_a_record_that_is_folded_again_keeps_its_deliveries(stored: State):
    assert LEDGER.carry_over(FOLDED, stored, False) == stored


def test_without_a_stored_record_the_outcome_of_every_email_is_unknown_and_nothing_is_sent():
    state = LEDGER.carry_over(FOLDED, None, False)
    assert [(one.status, one.reason, one.due) for one in state.messages] == [("unknown", LOST, None)] * 2
    assert due_at(state) is None
    assert LEDGER.record(state, StartSending("claim"), LATER) == state


def test_an_email_that_was_sent_again_is_not_sent_a_third_time_without_a_stored_record():
    folded = given(LEDGER, tale.submitted, ResendRequested(message=IDS[0], by=tale.HASAN))
    assert due_at(folded) == IMMEDIATELY
    assert due_at(LEDGER.carry_over(folded, None, False)) is None


def test_an_email_that_the_stored_record_lacks_is_not_sent():
    stored = replace(delivered("sent"), messages=delivered("sent").messages[:1])
    state = LEDGER.carry_over(FOLDED, stored, False)
    assert [(one.status, one.due) for one in state.messages] == [("sent", None), ("unknown", None)]


def test_emails_of_events_that_the_stored_record_has_not_seen_are_queued():
    folded = given(LEDGER, tale.submitted, tale.verified)
    state = LEDGER.carry_over(folded, delivered("sent"), True)
    assert [(one.kind, one.status) for one in state.messages[:2]] == [
        (message.kind, "sent") for message in FOLDED.messages
    ]
    assert {(one.status, one.due) for one in state.messages[2:]} == {("queued", IMMEDIATELY)}


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "queued after an attempt": {"status": "queued", "due": IMMEDIATELY, "tries": 1},
    "queued and never due": {"status": "queued", "due": None, "tries": 0},
    "sending without an attempt": {"status": "sending", "due": LATER, "tries": 0},
    "sent and due": {"status": "sent", "due": LATER},
    "sent at no time": {"status": "sent", "due": None, "settled_at": None},
    "failed without a reason": {"status": "failed", "due": None, "reason": ""},
}


@pytest.mark.parametrize("change", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
@pytest.mark.parametrize("is_behind", [False, True])
def test_a_delivery_that_contradicts_itself_counts_as_lost(change: dict[str, Any], is_behind: bool):
    first, second = delivered("sent").messages
    stored = replace(FOLDED, messages=(replace(first, **change), second))
    state = LEDGER.carry_over(FOLDED, stored, is_behind)
    assert [(one.status, one.due) for one in state.messages] == [("unknown", None), ("sent", None)]


def old_log(*outcomes: dict[str, Any]) -> list[Fact]:
    """The events of a log in which deliveries are events."""
    started = SendingStarted(messages=IDS, until=LATER)
    ended = SendingEnded(outcomes=tuple(MessageOutcome.model_validate(one) for one in outcomes))
    return [tale.submitted, started, ended]


def test_an_old_log_says_which_emails_were_sent():
    facts = old_log({"message": IDS[0], "status": "sent"}, {"message": IDS[1], "status": "failed", "reason": "550"})
    folded = given(LEDGER, *facts)
    assert [(one.status, one.tries, one.reason, one.due) for one in folded.messages] == [
        ("sent", 1, "", None),
        ("failed", 1, "550", None),
    ]
    assert LEDGER.carry_over(folded, folded, False) == folded
    assert LEDGER.carry_over(folded, None, False) == folded


def test_an_email_that_an_old_log_leaves_open_has_an_unknown_outcome_without_a_stored_record():
    retried = {"message": IDS[0], "status": "failed", "reason": "451", "retry_at": LATER}
    folded = given(LEDGER, *old_log(retried))
    assert [one.status for one in folded.messages] == ["failed", "sending"]
    assert LEDGER.carry_over(folded, folded, False) == folded
    state = LEDGER.carry_over(folded, None, False)
    assert [(one.status, one.due) for one in state.messages] == [("unknown", None)] * 2


def test_the_stored_delivery_counts_where_it_is_newer_than_the_old_log():
    retried = {"message": IDS[0], "status": "failed", "reason": "451", "retry_at": LATER}
    folded = given(LEDGER, *old_log(retried, {"message": IDS[1], "status": "sent"}))
    again = LEDGER.record(folded, StartSending("claim"), LATER)
    outcome = MessageOutcome(message=IDS[0], status="sent")
    stored = LEDGER.record(again, EndSending("claim", (outcome,)), LATER)
    assert [one.tries for one in stored.messages] == [2, 1]
    assert LEDGER.carry_over(folded, stored, False) == stored


def test_an_old_event_drops_the_reminders_that_were_never_sent():
    unknown = {"message": IDS[0], "status": "unknown", "retry_at": LATER}
    failed = {"message": IDS[1], "status": "failed", "reason": "451", "retry_at": LATER}
    folded = given(LEDGER, *old_log(unknown, failed), RemindersDropped(messages=IDS))
    assert [(one.id, one.status, one.due) for one in folded.messages] == [(IDS[0], "unknown", None)]
