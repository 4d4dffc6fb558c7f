"""The shape of a service's heart: four pure functions over one state document per request."""

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
    """A command that cannot be obeyed, with a code for programs; the sentence for people is chosen where it is shown.

    `facts` carry what the sentence needs: the status that was found, who decided and when, the items concerned.
    """

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


@dataclass(frozen=True, slots=True)
class Decider(Generic[State]):
    """A service's four functions, and what storage must know of its state.

    `decide(state, command, now)` gives the facts that follow or raises Refusal; `evolve(state, event)` the state after one
    event, its own or another's; `react(state, event)` the commands that this service gives itself because of it.
    `columns(state)` are the values that documents are found by, `due_at(state)` is when the service must look again.
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
    due_at: Callable[[State], datetime | None] = field(default=lambda state: None)
    on_due: Callable[[State], Sequence[Any]] = field(default=lambda state: ())
    status: Callable[[State], str] = field(default=lambda state: "")
    number: Callable[[State], str] = field(default=lambda state: "")

    @property
    def sources(self) -> frozenset[str]:
        """The services whose sequences this one must follow without a gap."""
        return frozenset(fact.owner for fact in self.subscribes_to) - {self.service}

    @property
    def types(self) -> frozenset[str]:
        """The types of events of others that this service subscribes to."""
        return frozenset(fact.type() for fact in self.subscribes_to)
