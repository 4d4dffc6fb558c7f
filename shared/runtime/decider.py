"""The decider of a service: pure functions over one state per request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from shared.contracts.envelope import Event
from shared.contracts.facts import Fact
from shared.storage.port import Column, Scalar

State = TypeVar("State")


class Refusal(Exception):
    """A command that the domain refuses: a code for programs, and the parameters of the message for people.

    The message itself is chosen where it is shown.
    """

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code, self.params = code, params


def keep_folded(folded: State, _stored: State | None, _is_behind: bool) -> State:
    """Return the folded state: events say all of it."""
    return folded


@dataclass(frozen=True, slots=True)
class Decider(Generic[State]):
    """The pure functions of a service, and what its store must know of the state.

    `decide(state, command, now)` returns the facts that follow or raises `Refusal`; `evolve(state, event)` returns the state
    after an event of this or another service; `react(state, event)` returns follow-up commands. `columns(state)` are the
    indexed values of the record, and `due_at(state)` is when `on_due(state)` has commands to execute.

    A state may contain what no event says, such as the delivery of emails: `record(state, command, now)` returns the state after
    a command that changes only that. `carry_over(folded, stored, is_behind)` returns the state that was folded from the log with
    that of the stored state, None if there is none; `is_behind` if events of the log have not been folded into that yet.
    """

    service: str
    state_type: type[State]
    initial: Callable[[], State]
    decide: Callable[[State, Any, datetime], Sequence[Fact]]
    evolve: Callable[[State, Event], State]
    react: Callable[[State, Event], Sequence[Any]]
    subscribes_to: frozenset[type[Fact]]
    indexed_columns: tuple[Column, ...]
    columns: Callable[[State], Mapping[str, Scalar]]
    due_at: Callable[[State], datetime | None] = field(default=lambda _state: None)
    on_due: Callable[[State], Sequence[Any]] = field(default=lambda _state: ())
    status: Callable[[State], str] = field(default=lambda _state: "")
    number: Callable[[State], str] = field(default=lambda _state: "")
    record: Callable[[State, Any, datetime], State] = field(default=lambda state, _command, _now: state)
    carry_over: Callable[[State, State | None, bool], State] = keep_folded

    @property
    def is_state_in_log(self) -> bool:
        """Whether events say all of a state, so that folding it from the log loses nothing."""
        return self.carry_over is keep_folded

    @property
    def sources(self) -> frozenset[str]:
        """The services whose sequences must be followed without a gap."""
        return frozenset(fact.owner for fact in self.subscribes_to) - {self.service}

    @property
    def types(self) -> frozenset[str]:
        """The event types that the service subscribes to."""
        return frozenset(fact.type() for fact in self.subscribes_to)
