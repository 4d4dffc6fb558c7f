"""The staff accounts of the demo: read from a file, created in the data folder, or entered at a prompt."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import typer

from shared.identity.accounts import Role, UsernameTaken
from shared.identity.passwords import generate_password
from shared.identity.service import IdentityService
from simpul.cli.context import current_settings, prepared_platform, run
from simpul.cli.errors import Failed

ACCOUNTS_HINT = (
    "Name staff accounts with --accounts FILE: [{username, password, roles}], an officer, a structural, two technical."
)


class Account(TypedDict):
    """A staff account for the demo. A name is needed only for an account that does not exist yet."""

    username: str
    password: str
    roles: Sequence[str]
    name: NotRequired[str]


DEMO_STAFF = (
    ("demo-petugas", "Rosmina Gotowara", Role.OFFICER),
    ("demo-kepala", "Yohanis Bulidara", Role.STRUCTURAL),
    ("demo-teknis-1", "Fitrawati Lolobatta", Role.TECHNICAL),
    ("demo-teknis-2", "Ridwan Subaimora", Role.TECHNICAL),
)


def load_accounts(file: Path) -> Sequence[Account]:
    """Read accounts from a file. Raises Failed if it does not contain a list of accounts."""
    try:
        accounts = json.loads(file.read_text())
        return [
            Account(username=account["username"], password=account["password"], roles=account["roles"])
            for account in accounts
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failed(f"{file} cannot be read as a list of accounts: {error!r}. {ACCOUNTS_HINT}") from error


def create_or_prompt_accounts(url: str) -> Sequence[Account]:
    """Create the demo's accounts if the data folder is the one served at `url`; otherwise ask for accounts.

    Created accounts get a new random password in every run, which is not printed. Raises Failed without a terminal.
    """
    settings = current_settings()
    if settings.origin == url and (settings.distributed or settings.database.exists()):
        return run(_create_accounts)
    if not sys.stdin.isatty():
        raise Failed(f"The data folder at hand is not the one served at {url}. {ACCOUNTS_HINT}")
    return [_prompt_account(role) for _, _, role in DEMO_STAFF]


async def _create_accounts() -> Sequence[Account]:
    async with prepared_platform() as platform:
        return [await create_or_reset(platform.identity, *member) for member in DEMO_STAFF]


async def create_or_reset(identity: IdentityService, username: str, name: str, role: Role) -> Account:
    """Create an account of the demo, or give it a new random password."""
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
