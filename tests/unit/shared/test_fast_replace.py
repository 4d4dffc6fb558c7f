"""Copies of states are what `dataclasses.replace` makes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from services.assignment.domain.state import State
from shared.contracts.facts import Staff
from shared.fast_replace import replace

LEAD = Staff(username="teknis", name="Taufik Sebubun")


def test_a_copy_is_equal_to_that_of_the_standard_library() -> None:
    state = State(number="INT-2026-000001", submitted_at=datetime(2026, 11, 2, tzinfo=UTC))
    copy = replace(state, lead=LEAD, percent=40)
    assert copy == dataclasses.replace(state, lead=LEAD, percent=40)
    assert (type(copy), copy.number, copy.lead, copy.percent) == (State, "INT-2026-000001", LEAD, 40)
    assert (state.lead, state.percent) == (None, None)


def test_a_copy_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        replace(State(), percent=40).percent = 50  # type: ignore[misc]


def test_a_class_with_slots_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Slotted:
        number: int

    with pytest.raises(TypeError):
        replace(Slotted(1), number=2)
