"""The decider of verification: its domain, and what storage must know of it."""

from __future__ import annotations

from functools import partial

from services.verification.domain.decisions import Rules, decide, react
from services.verification.domain.state import State, evolve
from services.verification.events import SUBSCRIBES_TO
from services.verification.projections import INDEXED_COLUMNS, columns
from shared.runtime.decider import Decider


def decider(rules: Rules) -> Decider[State]:
    """Return the decider of verification under these rules."""
    return Decider(
        service="verification",
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
