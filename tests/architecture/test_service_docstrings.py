"""The docstring of each service names its commands, the events that it publishes, and those that it does not subscribe to."""

from __future__ import annotations

import importlib
import re
from collections.abc import Collection
from typing import get_args

import pytest

from shared.contracts.registry import FACTS
from simpul.registry import SERVICE_NAMES


def names(types: Collection[type]) -> set[str]:
    return {each.__name__ for each in types}


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", text))


@pytest.mark.parametrize("service", SERVICE_NAMES)
def test_a_service_says_what_it_does(service: str):
    commands = importlib.import_module(f"services.{service}.domain.commands")
    events = importlib.import_module(f"services.{service}.events")
    docstring = importlib.import_module(f"services.{service}").__doc__ or ""
    handled, published, subscribed = re.split(r"\nPublishes |\nSubscribes to ", docstring)
    unions = (commands.Command, getattr(commands, "DeliveryCommand", commands.Command))
    assert named_in(handled) == {name for union in unions for name in names(get_args(union))}
    assert named_in(published) == names(events.PUBLISHES)
    others = set(re.findall(r"\b(intake|verification|assignment)\b", subscribed))
    offered = {fact.__name__ for fact in FACTS if fact.owner in others}
    assert named_in(subscribed) == offered - names(events.SUBSCRIBES_TO)
