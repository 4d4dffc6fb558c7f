"""The decider of intake: its domain, and what storage must know of it."""

from __future__ import annotations

from functools import partial

from services.intake.domain.decisions import Rules, decide, due_at, on_due, react
from services.intake.domain.state import State, evolve
from services.intake.events import SUBSCRIBES_TO
from services.intake.projections import INDEXED_COLUMNS, columns
from shared.runtime.decider import Decider


def decider(rules: Rules) -> Decider[State]:
    """Return the decider of intake under these rules."""
    return Decider(
        service="intake",
        state_type=State,
        initial=State,
        decide=partial(decide, rules=rules),
        evolve=evolve,
        react=react,
        subscribes_to=SUBSCRIBES_TO,
        indexed_columns=INDEXED_COLUMNS,
        columns=columns,
        due_at=due_at,
        on_due=on_due,
        status=lambda state: state.status.value,
        number=lambda state: state.number,
    )
