"""Output of the commands: plain text for people on two consoles, JSON for programs, tables and progress bars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from simpul.cli.errors import OutputClosed


class PlainConsole(Console):
    """A console that interprets no markup and raises OutputClosed when the reader of its output has gone."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False)

    def on_broken_pipe(self) -> None:
        raise OutputClosed


console = PlainConsole()
error_console = PlainConsole(stderr=True)


def print_line(text: str) -> None:
    """Print text for a program, unchanged and unbuffered."""
    try:
        print(text, flush=True)
    except BrokenPipeError as error:
        raise OutputClosed from error


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print_line(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def progress_bars() -> Progress:
    """Progress bars on a terminal that disappear at the end; nothing elsewhere."""
    return Progress(console=error_console, transient=True, disable=not error_console.is_terminal)


def counting_progress_bars(*, only_on_terminal: bool = False) -> Progress:
    """Progress bars with counts and elapsed time that stay."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=error_console, disable=only_on_terminal and not error_console.is_terminal)


def make_table(*titles: str, rows: Sequence[Sequence[str]]) -> Table:
    """Make a table that truncates nothing: the first column stays on one line, the others are folded."""
    table = Table()
    for column, title in enumerate(titles):
        table.add_column(title, overflow="fold", no_wrap=column == 0)
    for row in rows:
        table.add_row(*row)
    return table
