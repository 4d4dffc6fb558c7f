"""The decider of verification: its domain, and what storage must know of it."""

from __future__ import annotations

from collections.abc import Callable

from services.verification.domain.decisions import decide, react
from services.verification.domain.state import State, evolve
from services.verification.events import SUBSCRIBES_TO
from services.verification.projections import INDEXED_COLUMNS, columns
from shared.contracts.checklist import Checklists
from shared.contracts.stages import StageRules
from shared.runtime.decider import Decider


def decider(rules: Callable[[], StageRules], checklists: Callable[[], Checklists] = Checklists) -> Decider[State]:
    """Return the decider of verification; each call of a function is under what the office has set by then."""
    return Decider(
        service="verification",
        state_type=State,
        initial=State,
        decide=lambda state, command, now: decide(state, command, now, rules(), checklists()),
        evolve=evolve,
        react=react,
        subscribes_to=SUBSCRIBES_TO,
        indexed_columns=INDEXED_COLUMNS,
        columns=lambda state: columns(state, rules()),
        status=lambda state: state.status.value,
        number=lambda state: state.number,
    )
