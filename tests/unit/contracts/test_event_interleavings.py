"""Crossing events: whatever is commanded, delayed and repeated, all services end in equal states that match the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.envelope import Event
from shared.contracts.intake import ApplicantAnswered, HandoverContested, RequestWithdrawn
from shared.contracts.lifecycle import Status
from shared.contracts.verification import RequestVerified
from shared.runtime.decider import Decider
from tests.support.domain.service_network import SERVICES, ServiceNetwork

Evolve = Callable[[Any, Event], Any]
STEPS = 400


def play(script: bytes, deciders: dict[str, Decider[Any]] | None = None) -> ServiceNetwork:
    """Return the network after this script, one byte per step, and after the delivery of all its events."""
    network = ServiceNetwork(deciders or SERVICES)
    services = list(network.services.values())
    for byte in script:
        network.step(services[byte % 4], byte // 4 % 4, byte // 16)
    network.settle()
    return network


def script(seed: int) -> bytes:
    return Random(seed).randbytes(STEPS)


@pytest.fixture(scope="module")
def networks() -> list[ServiceNetwork]:
    """Two hundred networks after long random runs, by their seeds."""
    return [play(script(seed)) for seed in range(200)]


@settings(max_examples=settings().max_examples * 3 // 2)
@given(st.binary(min_size=100, max_size=STEPS))
def test_services_end_in_equal_states_that_match_the_log(script: bytes):
    assert play(script).find_violations() == []


@pytest.mark.parametrize("seeds", [range(start, start + 20) for start in range(0, 200, 20)], ids=str)
def test_services_end_in_equal_states_after_long_random_runs(networks: list[ServiceNetwork], seeds: range):
    for seed in seeds:
        assert networks[seed].find_violations() == [], seed


def test_the_random_ways_lead_to_every_end_and_events_do_cross(networks: list[ServiceNetwork]):
    ends: set[str] = set()
    crossed: set[str] = set()
    for network in networks:
        ends.add(network.services["intake"].status)
        types = [event.type for event in network.log]
        end = types.index("RequestWithdrawn") if "RequestWithdrawn" in types else len(types)
        crossed.update(event.type for event in network.log[end:] if event.source in ("verification", "assignment"))
    assert {Status.COMPLETED, Status.REJECTED, Status.WITHDRAWN, Status.EXPIRED} <= ends
    assert {"RequestVerified", "RequestReturned", "LeadAssigned"} <= crossed


def verification_beats_withdrawal(evolve: Evolve) -> Evolve:
    def mutant(state: Any, event: Event) -> Any:
        after = evolve(state, event)
        if not isinstance(event.fact, RequestVerified):
            return after
        return replace(after, course=replace(after.course, withdrawn=False))

    return mutant


def events_after_the_end_are_dropped(evolve: Evolve) -> Evolve:
    """Drop facts that lose against the final one; then the state depends on the order of arrival."""

    def mutant(state: Any, event: Event) -> Any:
        return state if state.course.withdrawn else evolve(state, event)

    return mutant


def withdrawals_are_dropped(evolve: Evolve) -> Evolve:
    return lambda state, event: state if isinstance(event.fact, RequestWithdrawn) else evolve(state, event)


def an_answer_clears_the_question(evolve: Evolve) -> Evolve:
    """Let two services write one field; then the last event to arrive wins."""

    def mutant(state: Any, event: Event) -> Any:
        after = evolve(state, event)
        return replace(after, question="", answer_by=None) if isinstance(event.fact, ApplicantAnswered) else after

    return mutant


def an_objection_clears_the_percentage(evolve: Evolve) -> Evolve:
    def mutant(state: Any, event: Event) -> Any:
        after = evolve(state, event)
        return replace(after, percent=None) if isinstance(event.fact, HandoverContested | RequestWithdrawn) else after

    return mutant


def history_in_order_of_arrival(evolve: Evolve) -> Evolve:
    def mutant(state: Any, event: Event) -> Any:
        after = evolve(state, event)
        new = [entry for entry in after.history if entry not in state.history]
        return replace(after, history=(*state.history, *new))

    return mutant


MUTANTS = [
    ("verification", verification_beats_withdrawal),
    ("assignment", verification_beats_withdrawal),
    ("intake", verification_beats_withdrawal),
    ("notification", verification_beats_withdrawal),
    ("verification", events_after_the_end_are_dropped),
    ("assignment", events_after_the_end_are_dropped),
    ("verification", withdrawals_are_dropped),
    ("assignment", withdrawals_are_dropped),
    ("assignment", an_answer_clears_the_question),
    ("assignment", an_objection_clears_the_percentage),
    ("verification", history_in_order_of_arrival),
    ("assignment", history_in_order_of_arrival),
    ("intake", history_in_order_of_arrival),
]


@pytest.mark.parametrize(("service", "mutation"), MUTANTS, ids=lambda part: getattr(part, "__name__", part))
def test_a_service_that_folds_wrongly_is_found_out(service: str, mutation: Callable[[Evolve], Evolve]):
    sound = SERVICES[service]
    deciders = {**SERVICES, service: replace(sound, evolve=mutation(sound.evolve))}
    assert any(play(script(seed), deciders).find_violations() for seed in range(400))
