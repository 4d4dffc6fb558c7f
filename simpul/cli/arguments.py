"""The names that a command takes, checked before anything is opened."""

from __future__ import annotations

from typing import Annotated

import typer

from shared.contracts.registry import FACTS

SERVICE_NAMES = tuple(dict.fromkeys(fact.owner for fact in FACTS))
"""Every service by name; each owns facts."""


def validate_service_name(name: str | None) -> str | None:
    """For typer: the name if it is one of a service, else wrong use."""
    if name is not None and name not in SERVICE_NAMES:
        raise typer.BadParameter(f"There is no service {name}; there are {', '.join(SERVICE_NAMES)}.")
    return name


ServiceName = Annotated[
    str, typer.Argument(help=f"One of {', '.join(SERVICE_NAMES)}.", metavar="SERVICE", callback=validate_service_name)
]
