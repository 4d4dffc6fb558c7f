"""The staff who play in the demo: taken from a file, made in the data folder at hand, or asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import typer

from shared.identity.accounts import Role, UsernameTaken
from shared.identity.passwords import generate_password
from shared.identity.service import IdentityService
from simpul.cli.context import Failed, current_settings, platform, run

ACCOUNTS_HINT = (
    "Name staff accounts with --accounts FILE: [{username, password, roles}], an officer, a structural, two technical."
)


class Account(TypedDict):
    """A staff account that the demo may use. A name is needed only where the account has still to be made."""

    username: str
    password: str
    roles: Sequence[str]
    name: NotRequired[str]


MakeAccounts = Callable[[], Sequence[Account]]

DEMO_STAFF = (
    ("demo-petugas", "Rosmina Gotowara", Role.OFFICER),
    ("demo-kepala", "Yohanis Bulidara", Role.STRUCTURAL),
    ("demo-teknis-1", "Fitrawati Lolobatta", Role.TECHNICAL),
    ("demo-teknis-2", "Ridwan Subaimora", Role.TECHNICAL),
)


def load_accounts(file: Path) -> Sequence[Account]:
    """Raises Failed if the file holds no list of accounts."""
    try:
        accounts = json.loads(file.read_text())
        return [Account(username=each["username"], password=each["password"], roles=each["roles"]) for each in accounts]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failed(f"{file} cannot be read as a list of accounts: {error!r}. {ACCOUNTS_HINT}") from error


def create_or_prompt_accounts(url: str) -> Sequence[Account]:
    """Accounts of the demo's own in the data folder, if that is the one served at `url`; else asked for.

    They get a new random password each time, which nobody learns. Raises Failed without a terminal to ask at.
    """
    settings = current_settings()
    if settings.origin == url and (settings.distributed or settings.database.exists()):
        return run(_create_accounts)
    if not sys.stdin.isatty():
        raise Failed(f"The data folder at hand is not the one served at {url}. {ACCOUNTS_HINT}")
    return [_prompt_account(role) for _, _, role in DEMO_STAFF]


async def _create_accounts() -> Sequence[Account]:
    async with platform() as opened:
        return [await _create_or_reset(opened.identity, *member) for member in DEMO_STAFF]


async def _create_or_reset(identity: IdentityService, username: str, name: str, role: Role) -> Account:
    password = generate_password()
    try:
        await identity.add_staff(username, name, f"{username}@kantor.example", (role,), password)
    except UsernameTaken:
        await identity.change_staff(username, password=password, roles=(role,), active=True)
    return Account(username=username, password=password, roles=(role,))


def _prompt_account(role: Role) -> Account:
    username: str = typer.prompt(f"Account with role {role}")
    password: str = typer.prompt("Password", hide_input=True)
    return Account(username=username, password=password, roles=(role,))
