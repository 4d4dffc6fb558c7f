"""Accounts and sessions in the SQLite file of the embedded mode."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import apsw

from shared.identity.accounts import (
    LOGIN_SUCCESS_TTL,
    Account,
    ConcurrentModification,
    IdempotencyKey,
    LastAdmin,
    Role,
    Session,
    UsernameTaken,
)
from shared.runtime.executor import IdempotencyKeyReused
from shared.storage.sqlite.database import SqliteDatabase

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    username TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, roles TEXT NOT NULL,
    password TEXT NOT NULL, active INTEGER NOT NULL, totp TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
    token_hash TEXT PRIMARY KEY, username TEXT NOT NULL REFERENCES accounts, created_at REAL NOT NULL, seen_at REAL NOT NULL,
    account_digest TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_username ON sessions (username);
CREATE TABLE IF NOT EXISTS tries (key TEXT NOT NULL, at REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS tries_by_key ON tries (key, at);
CREATE INDEX IF NOT EXISTS tries_by_time ON tries (at);
CREATE TABLE IF NOT EXISTS sign_in_successes (key TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sign_in_successes_by_time ON sign_in_successes (at);
CREATE TABLE IF NOT EXISTS used_codes (username TEXT PRIMARY KEY REFERENCES accounts, step INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    key TEXT PRIMARY KEY, digest TEXT NOT NULL, username TEXT NOT NULL REFERENCES accounts
) STRICT, WITHOUT ROWID;
"""
_ADD_ACCOUNT_DIGEST_COLUMN = "ALTER TABLE sessions ADD COLUMN account_digest TEXT NOT NULL DEFAULT ''"
"""Upgrades a file of a version that did not bind sessions to accounts; its open sessions stay valid until they expire."""
_ACCOUNTS = "SELECT username, name, email, roles, password, active, totp FROM accounts"
_ADD = "INSERT INTO accounts (username, name, email, roles, password, active, totp) VALUES (?,?,?,?,?,?,?)"
_CHANGE = "UPDATE accounts SET name=?2, email=?3, roles=?4, password=?5, active=?6, totp=?7 WHERE username=?1"
_SESSION = """
SELECT token_hash, created_at, seen_at, account_digest, username, name, email, roles, password, active, totp
FROM sessions JOIN accounts USING (username) WHERE token_hash=?
"""
_USE_TOTP_STEP = """
INSERT INTO used_codes VALUES (?,?) ON CONFLICT DO UPDATE SET step=excluded.step WHERE step<excluded.step
"""
_RECORD_SUCCESS = """
INSERT INTO sign_in_successes VALUES (?,?) ON CONFLICT DO UPDATE SET at=max(at, excluded.at)
"""
_ATTEMPT_RETENTION = timedelta(days=1)


class SqliteAccountStore:
    """AccountStore of one process, or of several on one machine."""

    def __init__(self, file: SqliteDatabase) -> None:
        self._file = file

    async def prepare(self) -> None:
        def work(db: apsw.Connection) -> None:
            list(db.execute(_SCHEMA))
            if "account_digest" not in {row[1] for row in db.execute("PRAGMA table_info(sessions)")}:
                db.execute(_ADD_ACCOUNT_DIGEST_COLUMN)

        await self._file.write(work)

    async def add(self, account: Account, idempotency_key: IdempotencyKey | None = None) -> Account:
        def work(db: apsw.Connection) -> Account:
            if idempotency_key and (earlier := _account_created_with(db, idempotency_key)) is not None:
                return earlier
            try:
                db.execute(_ADD, _row(account))
            except apsw.ConstraintError as error:
                raise UsernameTaken(account.username) from error
            if idempotency_key:
                db.execute(
                    "INSERT INTO orders VALUES (?,?,?)", (idempotency_key.key, idempotency_key.digest, account.username)
                )
            return account

        return await self._file.write(work)

    async def change(self, previous: Account, account: Account) -> None:
        def work(db: apsw.Connection) -> None:
            stored = _accounts(db)
            if stored.get(account.username) != previous:
                raise ConcurrentModification(account.username)
            others = (other for name, other in stored.items() if name != account.username)
            if (
                previous.is_active_admin
                and not account.is_active_admin
                and not any(other.is_active_admin for other in others)
            ):
                raise LastAdmin(account.username)
            db.execute(_CHANGE, _row(account))
            db.execute("DELETE FROM sessions WHERE username=?", (account.username,))

        await self._file.write(work)

    async def account(self, username: str) -> Account | None:
        rows = self._file.read(_ACCOUNTS + " WHERE username=?", (username,))
        return _account(rows[0]) if rows else None

    async def accounts(self) -> list[Account]:
        return [_account(row) for row in self._file.read(_ACCOUNTS + " ORDER BY username")]

    async def accounts_with_role(self, role: Role) -> list[Account]:
        return [account for account in await self.accounts() if account.active and role in account.roles]

    async def open_session(self, session: Session, account: Account) -> None:
        times = session.created_at.timestamp(), session.seen_at.timestamp()
        row = (session.token_hash, account.username, *times, account.digest)

        def work(db: apsw.Connection) -> None:
            if _accounts(db).get(account.username) != account:
                raise ConcurrentModification(account.username)
            db.execute("INSERT INTO sessions VALUES (?,?,?,?,?)", row)

        await self._file.write(work)

    async def session(self, token_hash: str) -> tuple[Session, Account] | None:
        rows = self._file.read(_SESSION, (token_hash,))
        if not rows:
            return None
        token_hash, created, seen, digest, *row = rows[0]
        account = _account(tuple(row))
        # Sessions opened by a version that did not bind them have an empty digest; they stay valid until they expire.
        if digest not in ("", account.digest):
            return None
        return Session(token_hash, account.username, _time(created), _time(seen)), account

    async def touch_session(self, token_hash: str, at: datetime) -> None:
        row = (at.timestamp(), token_hash)
        await self._file.write(
            lambda db: db.execute("UPDATE sessions SET seen_at=max(seen_at, ?) WHERE token_hash=?", row)
        )

    async def close_session(self, token_hash: str) -> None:
        await self._file.write(lambda db: db.execute("DELETE FROM sessions WHERE token_hash=?", (token_hash,)))

    async def close_expired_sessions(self, seen_before: datetime, created_before: datetime) -> None:
        row = (seen_before.timestamp(), created_before.timestamp())
        await self._file.write(lambda db: db.execute("DELETE FROM sessions WHERE seen_at<? OR created_at<?", row))

    async def count_attempt(self, limits: Mapping[str, int], at: datetime, since: datetime) -> datetime | None:
        def work(db: apsw.Connection) -> datetime | None:
            blocking = [
                blocker for key, limit in limits.items() if (blocker := _blocking_attempt(db, key, limit, since))
            ]
            if blocking:
                return max(blocking)
            db.execute("DELETE FROM tries WHERE at<?", ((at - _ATTEMPT_RETENTION).timestamp(),))
            db.executemany("INSERT INTO tries VALUES (?,?)", [(key, at.timestamp()) for key in limits])
            return None

        return await self._file.write(work)

    async def clear_attempts(self, key: str) -> None:
        await self._file.write(lambda db: db.execute("DELETE FROM tries WHERE key=?", (key,)))

    async def undo_attempt(self, key: str, at: datetime) -> None:
        statement = "DELETE FROM tries WHERE rowid=(SELECT rowid FROM tries WHERE key=? AND at=? LIMIT 1)"
        await self._file.write(lambda db: db.execute(statement, (key, at.timestamp())))

    async def record_success(self, key: str, at: datetime) -> None:
        def work(db: apsw.Connection) -> None:
            db.execute("DELETE FROM sign_in_successes WHERE at<?", ((at - 2 * LOGIN_SUCCESS_TTL).timestamp(),))
            db.execute(_RECORD_SUCCESS, (key, at.timestamp()))

        await self._file.write(work)

    async def has_succeeded(self, key: str, since: datetime) -> bool:
        sql = "SELECT 1 FROM sign_in_successes WHERE key=? AND at>=?"
        return bool(self._file.read(sql, (key, since.timestamp())))

    async def use_totp_step(self, username: str, step: int) -> bool:
        def work(db: apsw.Connection) -> bool:
            db.execute(_USE_TOTP_STEP, (username, step))
            return db.changes() == 1

        return await self._file.write(work)


def _accounts(db: apsw.Connection) -> dict[str, Account]:
    return {str(row[0]): _account(row) for row in db.execute(_ACCOUNTS)}


def _account_created_with(db: apsw.Connection, idempotency_key: IdempotencyKey) -> Account | None:
    """The account that was first added with this key."""
    row = db.execute("SELECT digest, username FROM orders WHERE key=?", (idempotency_key.key,)).fetchone()
    if row is None:
        return None
    if row[0] != idempotency_key.digest:
        raise IdempotencyKeyReused(idempotency_key.key)
    return _accounts(db)[row[1]]


def _blocking_attempt(db: apsw.Connection, key: str, limit: int, since: datetime) -> datetime | None:
    sql = "SELECT at FROM tries WHERE key=? AND at>=? ORDER BY at DESC LIMIT 1 OFFSET ?"
    row = db.execute(sql, (key, since.timestamp(), limit - 1)).fetchone()
    return _time(row[0]) if row else None


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
