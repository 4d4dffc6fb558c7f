"""The commands by name, each in a module that is imported when it is asked for."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

COMMANDS: Mapping[str, str] = {
    "up": "serve:up",
    "serve": "serve:serve",
    "prepare": "prepare:prepare",
    "secrets": "secrets:secrets",
    "demo": "simpul.demo.command:demo",
    "staff": "staff:app",
    "events": "events:app",
    "state": "state:app",
    "dead-letters": "dead_letters:app",
    "documents": "documents:app",
    "move": "move:move",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "settings": "settings:settings",
}
"""Where each command is; a module is imported when its command is asked for, so that the quick ones stay quick."""


class LazyCommandGroup(TyperGroup):
    """The commands, each found by its name."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        target = getattr(importlib.import_module(module if "." in module else f"simpul.cli.{module}"), name)
        if not isinstance(target, typer.Typer):
            single_command = typer.Typer(add_completion=False)
            single_command.command(cmd_name)(target)
            return typer.main.get_command(single_command)
        group = typer.main.get_group(target)
        group.name = cmd_name
        return group


app = typer.Typer(cls=LazyCommandGroup, no_args_is_help=True, pretty_exceptions_enable=False)


def _version(show_version: bool) -> None:
    if show_version:
        print(f"simpul {importlib.metadata.version('simpul')}")
        raise typer.Exit


@app.callback()
def simpul(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Simpul: requests for system integration, from the form to the handover."""
