"""The decider of assignment: its domain, and what storage must know of it."""

from __future__ import annotations

from functools import partial

from services.assignment.domain.decisions import Rules, decide, react
from services.assignment.domain.state import State, evolve
from services.assignment.events import SUBSCRIBES_TO
from services.assignment.projections import INDEXED_COLUMNS, columns
from shared.runtime.decider import Decider


def decider(rules: Rules) -> Decider[State]:
    """Return the decider of assignment under these rules."""
    return Decider(
        service="assignment",
        state_type=State,
        initial=State,
        decide=partial(decide, rules=rules),
        evolve=evolve,
        react=react,
        subscribes_to=SUBSCRIBES_TO,
        indexed_columns=INDEXED_COLUMNS,
        columns=partial(columns, rules=rules),
        status=lambda state: state.status.value,
        number=lambda state: state.number,
    )
