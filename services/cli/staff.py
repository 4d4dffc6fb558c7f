"""`simpul staff`: the accounts of those who work with requests."""

from __future__ import annotations

import sys
from typing import Annotated

import pyotp
import typer
from rich.table import Table

from services.cli.session import AsJson, Failed, console, platform, print_json, run
from shared.identity.accounts import Account, Role, UsernameTaken
from shared.identity.api import valid_address, valid_username
from shared.identity.identity import UnknownAccount
from shared.identity.passwords import WeakPassword, make_password

app = typer.Typer(help="Staff accounts.", no_args_is_help=True)

Username = Annotated[str, typer.Argument(help="Lower-case letters, digits, dots and hyphens.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def add(
    username: Username,
    name: Annotated[str, typer.Option(help="The name that applicants see.")],
    email: Annotated[str, typer.Option(help="Where this person is notified.")],
    role: Annotated[list[Role], typer.Option(help="May be given more than once.")],
    password_stdin: FromStdin = False,
) -> None:
    """Add an account; without --password-stdin a password is made and printed once."""
    if (trouble := valid_username(username) or valid_address(email)) is not None:
        raise Failed(trouble)
    password = _password(password_stdin)
    run(lambda: _add(username, name, email, tuple(dict.fromkeys(role)), password))
    console.print(f"Added {username} ({', '.join(role)}).")
    if not password_stdin:
        console.print(f"Password, shown only now: {password}", highlight=False)


async def _add(username: str, name: str, email: str, roles: tuple[Role, ...], password: str) -> Account:
    async with platform() as opened:
        try:
            return await opened.identity.add_staff(username, name, email, roles, password)
        except UsernameTaken as error:
            raise Failed(f"There is an account {username} already.") from error
        except WeakPassword as error:
            raise Failed(str(error)) from error


@app.command()
def password(username: Username, password_stdin: FromStdin = False) -> None:
    """Give an account a new password and end its sessions."""
    fresh = _password(password_stdin)
    run(lambda: _change(username, password=fresh))
    console.print(
        f"{username} has a new password." + ("" if password_stdin else f" Shown only now: {fresh}"), highlight=False
    )


@app.command()
def totp(
    username: Username, off: Annotated[bool, typer.Option("--off", help="Ask for no code any more.")] = False
) -> None:
    """Ask for a code from an authenticator app at each sign-in."""
    secret = "" if off else pyotp.random_base32()
    uri = "" if off else pyotp.TOTP(secret, name=username, issuer="Simpul").provisioning_uri()
    run(lambda: _change(username, totp=secret))
    if off:
        console.print(f"{username} signs in without a code.")
    else:
        console.print(f"Enter this in the authenticator app, shown only now:\n{uri}", highlight=False, soft_wrap=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the accounts."""
    accounts = run(_accounts)
    if as_json:
        print_json([{"username": a.username, "name": a.name, "roles": a.roles, "active": a.active} for a in accounts])
        return
    table = Table("username", "name", "e-mail", "roles", "active")
    for account in accounts:
        row = account.username, account.name, account.email, ", ".join(account.roles), "yes" if account.active else "no"
        table.add_row(*row)
    console.print(table if accounts else "No accounts yet: simpul staff add")


async def _accounts() -> list[Account]:
    async with platform() as opened:
        return await opened.accounts.accounts()


async def _change(username: str, *, password: str | None = None, totp: str | None = None) -> None:
    async with platform() as opened:
        try:
            await opened.identity.change_staff(username, password=password, totp=totp)
        except UnknownAccount as error:
            raise Failed(f"There is no account {username}.") from error
        except WeakPassword as error:
            raise Failed(str(error)) from error


def _password(from_stdin: bool) -> str:
    return sys.stdin.readline().rstrip("\r\n") if from_stdin else make_password()
