"""The command line: `simpul`, all services in one process or one by name, and every command that looks after them."""

from __future__ import annotations

import sys

import typer

from services.cli import backup, dead_letters, demo, events, serving, settings, staff, state
from services.cli.session import Failed, errors
from shared.settings import BadSettings
from shared.storage.port import StoreUnavailable

app = typer.Typer(help="Simpul: requests for system integration, from the form to the handover.", no_args_is_help=True)
app.command()(serving.up)
app.command()(serving.serve)
app.command()(demo.demo)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(settings.settings)
app.add_typer(staff.app, name="staff")
app.add_typer(events.app, name="events")
app.add_typer(state.app, name="state")
app.add_typer(dead_letters.app, name="dead-letters")


def main() -> None:
    """Run a command: exit status 0 done, 1 failed with a sentence, 2 wrong use."""
    try:
        app()
    except (Failed, BadSettings, StoreUnavailable) as error:
        errors.print(str(error), highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
