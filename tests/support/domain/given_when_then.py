"""Given-when-then helpers: facts as events, states after events, and expected refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, TypeVar
from uuid import UUID, uuid5

import pytest

from shared.contracts.envelope import Event
from shared.contracts.facts import Fact
from shared.runtime.decider import Decider, Refusal

State = TypeVar("State")

REQUEST = "00000000-0000-4000-8000-000000000001"
CAUSE = "00000000-0000-4000-8000-00000000000c"
NOON = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""Monday, 23 November 2026, noon in Maba, a working day in a week without holidays."""


def make_event(fact: Fact, sequence: int = 1, time: datetime = NOON, subject: str = REQUEST) -> Event:
    """Wrap a fact in an event with this sequence."""
    return Event(
        id=str(uuid5(UUID(subject), f"{fact.owner}:{sequence}")),
        source=fact.owner,
        subject=subject,
        sequence=sequence,
        time=time,
        fact=fact,
        correlationid=CAUSE,
        causationid=CAUSE,
    )


def events_from(*facts: Fact, start: datetime = NOON, subject: str = REQUEST) -> list[Event]:
    """Wrap facts in events one minute apart, with sequences 1, 2, 3 ... per owner."""
    told: Counter[str] = Counter()
    events = []
    for minute, fact in enumerate(facts):
        told[fact.owner] += 1
        events.append(make_event(fact, told[fact.owner], start + timedelta(minutes=minute), subject))
    return events


def fold(decider: Decider[State], events: Sequence[Event]) -> State:
    """Return the state after these events in the given order."""
    heard = [event for event in events if event.source in decider.sources | {decider.service}]
    return reduce(decider.evolve, heard, decider.initial())


def given(decider: Decider[State], *facts: Fact, start: datetime = NOON) -> State:
    """Return the state after these facts, one minute apart."""
    return fold(decider, events_from(*facts, start=start))


def refusal_of(decider: Decider[State], state: State, command: Any, now: datetime = NOON) -> Refusal:
    """Return the refusal of this command; fail if it is accepted."""
    with pytest.raises(Refusal) as refusal:
        decider.decide(state, command, now)
    return refusal.value


def interleavings(*lines: Sequence[Event]) -> list[list[Event]]:
    """Return every interleaving of these sequences of events."""
    lines = tuple(line for line in lines if line)
    if not lines:
        return [[]]
    orders = []
    for index, line in enumerate(lines):
        rest = (*lines[:index], line[1:], *lines[index + 1 :])
        orders += [[line[0], *order] for order in interleavings(*rest)]
    return orders
