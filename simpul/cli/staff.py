"""`simpul staff`: staff accounts."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any

import pyotp
import typer

from shared.identity.account_names import validate_person_name, validate_username
from shared.identity.accounts import Account, LastAdmin, Role, UsernameTaken
from shared.identity.passwords import WeakPassword, generate_password
from shared.identity.service import AccountNotFound
from shared.mail.address_validation import validate_email_address
from shared.text.cleaning import clean_email, clean_line
from simpul.cli.arguments import AsJson
from simpul.cli.console import console, make_table, print_json
from simpul.cli.context import prepared_platform, run
from simpul.cli.errors import Failed

app = typer.Typer(help="Staff accounts.", no_args_is_help=True)

Username = Annotated[str, typer.Argument(help="Lower-case letters, digits, dots and hyphens.", metavar="USERNAME")]
Roles = Annotated[list[Role], typer.Option("--role", help="May be given more than once.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def add(
    username: Username,
    name: Annotated[str, typer.Option(help="The name that applicants see.")],
    email: Annotated[str, typer.Option(help="Where this person is notified.")],
    role: Roles,
    password_stdin: FromStdin = False,
) -> None:
    """Add an account; without --password-stdin a password is generated and printed once."""
    address = clean_email(email)
    if (
        problem := validate_username(username) or validate_person_name(name) or validate_email_address(address)
    ) is not None:
        raise Failed(problem)
    password = _read_or_make_password(password_stdin)
    run(lambda: _create_account(username, clean_line(name), address, tuple(dict.fromkeys(role)), password))
    console.print(f"Added {username} ({', '.join(role)}).", soft_wrap=True)
    if not password_stdin:
        console.print(f"Password, shown only now: {password}", soft_wrap=True)


async def _create_account(username: str, name: str, email: str, roles: tuple[Role, ...], password: str) -> Account:
    async with prepared_platform(create=True) as platform:
        try:
            return await platform.identity.add_staff(username, name, email, roles, password)
        except UsernameTaken as error:
            raise Failed(f"There is an account {username} already.") from error
        except WeakPassword as error:
            raise Failed(str(error)) from error


@app.command()
def password(username: Username, password_stdin: FromStdin = False) -> None:
    """Give an account a new password and end its sessions."""
    new_password = _read_or_make_password(password_stdin)
    _run_change(username, password=new_password)
    console.print(f"{username} has a new password." + ("" if password_stdin else f" Shown only now: {new_password}"))


@app.command()
def totp(
    username: Username, off: Annotated[bool, typer.Option("--off", help="Ask for no code any more.")] = False
) -> None:
    """Require a code from an authenticator app at each sign-in."""
    secret = "" if off else pyotp.random_base32()
    _run_change(username, totp=secret)
    if off:
        console.print(f"{username} signs in without a code.")
    else:
        uri = pyotp.TOTP(secret, name=username, issuer="Simpul").provisioning_uri()
        console.print(f"Enter this in the authenticator app, shown only now:\n{uri}", soft_wrap=True)


@app.command()
def disable(username: Username) -> None:
    """Disable an account: its sessions end immediately, and nobody can sign in with it until it is enabled."""
    _run_change(username, active=False)
    console.print(f"{username} is disabled.")


@app.command()
def enable(username: Username) -> None:
    """Enable a disabled account."""
    _run_change(username, active=True)
    console.print(f"{username} is enabled.")


@app.command()
def roles(username: Username, role: Roles) -> None:
    """Replace the roles of an account and end its sessions."""
    _run_change(username, roles=tuple(dict.fromkeys(role)))
    console.print(f"{username} has the roles {', '.join(dict.fromkeys(role))}.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the accounts."""
    accounts = run(_accounts)
    if as_json:
        print_json([_to_dict(account) for account in accounts])
    elif not accounts:
        console.print("No accounts yet: simpul staff add")
    else:
        titles = ("username", "name", "e-mail", "roles", "")
        console.print(make_table(*titles, rows=[_row(account) for account in accounts]))


def _to_dict(account: Account) -> dict[str, object]:
    """The account without its password hash and TOTP secret."""
    return {
        "username": account.username,
        "name": account.name,
        "email": account.email,
        "roles": account.roles,
        "active": account.active,
        "totp": bool(account.totp),
    }


def _row(account: Account) -> tuple[str, ...]:
    notes = ["" if account.active else "disabled", "asks for a code" if account.totp else ""]
    return account.username, account.name, account.email, ", ".join(account.roles), ", ".join(filter(None, notes))


async def _accounts() -> list[Account]:
    async with prepared_platform() as platform:
        return await platform.accounts.accounts()


def _run_change(username: str, **changes: Any) -> None:
    run(lambda: _apply_change(username, changes))


async def _apply_change(username: str, changes: dict[str, Any]) -> None:
    async with prepared_platform() as platform:
        try:
            await platform.identity.change_staff(username, **changes)
        except AccountNotFound as error:
            raise Failed(f"There is no account {username}.") from error
        except LastAdmin as error:
            raise Failed(f"{username} is the last administrator: make another one first.") from error
        except WeakPassword as error:
            raise Failed(str(error)) from error


def _read_or_make_password(from_stdin: bool) -> str:
    if not from_stdin:
        return generate_password()
    return getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
