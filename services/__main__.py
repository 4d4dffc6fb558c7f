"""The command line: `simpul`, all services in one process or one by name, and every command that looks after them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from services.cli.endings import ReaderGone, sentence_of

COMMANDS: Mapping[str, str] = {
    "up": "serving:up",
    "serve": "serving:serve",
    "prepare": "prepare:prepare",
    "secrets": "secrets:secrets",
    "demo": "demo:demo",
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

PIPE_CLOSED = 141
"""What a shell reports of a program whose reader (`| head`) had enough: 128 and the number of SIGPIPE."""


class Commands(TyperGroup):
    """The commands, each found by its name."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(importlib.import_module(f"services.cli.{module}"), name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(found)
            return typer.main.get_command(alone)
        group = typer.main.get_group(found)
        group.name = cmd_name
        return group


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"simpul {importlib.metadata.version('simpul')}")
        raise typer.Exit


@app.callback()
def simpul(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Simpul: requests for system integration, from the form to the handover."""


def main() -> None:
    """Run a command: exit status 0 done, 1 failed with a sentence, 2 wrong use."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = _run()
        sys.stdout.flush()
    except (ReaderGone, BrokenPipeError):
        # What is still buffered must not fail once more at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = PIPE_CLOSED
    sys.exit(status)


def _run() -> int:
    try:
        app(prog_name="simpul")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except ReaderGone:
        raise
    except Exception as error:
        if os.environ.get("SIMPUL_LOG_LEVEL", "").lower() == "debug":
            traceback.print_exc()
        print(sentence_of(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()
