"""The command line: every command by name; its module is imported when it is called."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

COMMANDS: Mapping[str, str] = {
    "up": "cli.serve:up",
    "serve": "cli.serve:serve",
    "prepare": "cli.prepare:prepare",
    "secrets": "cli.secrets:secrets",
    "demo": "demo.command:demo",
    "staff": "cli.staff:app",
    "events": "cli.events:app",
    "state": "cli.state:app",
    "dead-letters": "cli.dead_letters:app",
    "documents": "cli.documents:app",
    "move": "cli.move:move",
    "backup": "cli.backup:backup",
    "restore": "cli.backup:restore",
    "settings": "cli.settings:settings",
}
"""Module and function of each command; importing all modules would slow down every command."""


class LazyCommandGroup(TyperGroup):
    """A group that imports the module of a command when it is called."""

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        target = getattr(importlib.import_module(f"simpul.{module}"), name)
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
