"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from simpul.registry import SERVICE_NAMES


def validate_service_name(name: str | None) -> str | None:
    """Callback for typer: return the name of a service. Raises BadParameter for any other name."""
    if name is not None and name not in SERVICE_NAMES:
        raise typer.BadParameter(f"There is no service {name}; there are {', '.join(SERVICE_NAMES)}.")
    return name


ServiceName = Annotated[
    str, typer.Argument(help=f"One of {', '.join(SERVICE_NAMES)}.", metavar="SERVICE", callback=validate_service_name)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
