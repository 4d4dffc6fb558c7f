"""Accounts and sessions in the embedded mode's SQLite file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import apsw

from shared.identity.accounts import Account, Role, Session, UsernameTaken
from shared.storage.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    username TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, roles TEXT NOT NULL,
    password TEXT NOT NULL, active INTEGER NOT NULL, totp TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
    token_hash TEXT PRIMARY KEY, username TEXT NOT NULL REFERENCES accounts, created_at REAL NOT NULL, seen_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_username ON sessions (username);
CREATE TABLE IF NOT EXISTS failures (key TEXT NOT NULL, at REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS failures_by_key ON failures (key, at);
"""
_ACCOUNT = "username, name, email, roles, password, active, totp"
_FAILURES_KEPT = timedelta(days=1)


class SqliteAccountStore:
    """The AccountStore of one process, or of several on one machine."""

    def __init__(self, file: SqliteFile):
        self._file = file

    async def prepare(self) -> None:
        await self._file.write(lambda db: list(db.execute(_SCHEMA)))

    async def add(self, account: Account) -> None:
        try:
            await self._file.write(
                lambda db: db.execute(f"INSERT INTO accounts ({_ACCOUNT}) VALUES (?,?,?,?,?,?,?)", _row(account))
            )
        except apsw.ConstraintError as error:
            raise UsernameTaken(account.username) from error

    async def change(self, account: Account) -> None:
        def work(db: apsw.Connection) -> None:
            db.execute(
                "UPDATE accounts SET name=?2, email=?3, roles=?4, password=?5, active=?6, totp=?7 WHERE username=?1",
                _row(account),
            )
            db.execute("DELETE FROM sessions WHERE username=?", (account.username,))

        await self._file.write(work)

    async def account(self, username: str) -> Account | None:
        rows = self._file.read(f"SELECT {_ACCOUNT} FROM accounts WHERE username=?", (username,))
        return _account(rows[0]) if rows else None

    async def accounts(self) -> list[Account]:
        return [_account(row) for row in self._file.read(f"SELECT {_ACCOUNT} FROM accounts ORDER BY username")]

    async def with_role(self, role: Role) -> list[Account]:
        return [account for account in await self.accounts() if account.active and role in account.roles]

    async def open_session(self, session: Session) -> None:
        row = (session.token_hash, session.username, session.created_at.timestamp(), session.seen_at.timestamp())
        await self._file.write(lambda db: db.execute("INSERT INTO sessions VALUES (?,?,?,?)", row))

    async def session(self, token_hash: str) -> tuple[Session, Account] | None:
        rows = self._file.read(
            f"SELECT token_hash, created_at, seen_at, {_ACCOUNT} FROM sessions JOIN accounts USING (username)"
            " WHERE token_hash=?",
            (token_hash,),
        )
        if not rows:
            return None
        token_hash, created, seen, *account = rows[0]
        return Session(token_hash, account[0], _time(created), _time(seen)), _account(tuple(account))

    async def touch(self, token_hash: str, at: datetime) -> None:
        row = (at.timestamp(), token_hash)
        await self._file.write(lambda db: db.execute("UPDATE sessions SET seen_at=? WHERE token_hash=?", row))

    async def close_session(self, token_hash: str) -> None:
        await self._file.write(lambda db: db.execute("DELETE FROM sessions WHERE token_hash=?", (token_hash,)))

    async def close_old_sessions(self, seen_before: datetime, created_before: datetime) -> None:
        row = (seen_before.timestamp(), created_before.timestamp())
        await self._file.write(lambda db: db.execute("DELETE FROM sessions WHERE seen_at<? OR created_at<?", row))

    async def note_failure(self, keys: Sequence[str], at: datetime) -> None:
        def work(db: apsw.Connection) -> None:
            db.execute("DELETE FROM failures WHERE at<?", ((at - _FAILURES_KEPT).timestamp(),))
            db.executemany("INSERT INTO failures VALUES (?,?)", [(key, at.timestamp()) for key in keys])

        await self._file.write(work)

    async def failures(self, key: str, since: datetime) -> int:
        return int(
            self._file.read("SELECT count(*) FROM failures WHERE key=? AND at>=?", (key, since.timestamp()))[0][0]
        )

    async def forget_failures(self, key: str) -> None:
        await self._file.write(lambda db: db.execute("DELETE FROM failures WHERE key=?", (key,)))


def _row(account: Account) -> tuple[str, str, str, str, str, int, str]:
    roles = ",".join(account.roles)
    return account.username, account.name, account.email, roles, account.password, int(account.active), account.totp


def _account(row: tuple[object, ...]) -> Account:
    username, name, email, roles, password, active, totp = (str(value) for value in row)
    return Account(
        username, name, email, tuple(Role(role) for role in roles.split(",") if role), password, active == "1", totp
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
