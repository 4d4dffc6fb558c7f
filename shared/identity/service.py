"""Signing in and out, and who somebody is: rules of ASVS 5.0 chapters 6 and 7."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyotp

from shared.clock import Clock
from shared.contracts.facts import Staff
from shared.identity.accounts import (
    Account,
    AccountStore,
    ConcurrentModification,
    IdempotencyKey,
    IdempotencyKeyReused,
    Role,
    Session,
)
from shared.identity.login_attempts import LoginAttempts
from shared.identity.passwords import hash_new_password, password_matches

logger = logging.getLogger(__name__)

IDLE_TIMEOUT = timedelta(minutes=30)
MAX_SESSION_AGE = timedelta(hours=12)
TOUCH_INTERVAL = timedelta(minutes=1)


class InvalidCredentials(Exception):
    """Wrong name, password or code: the same for each, so that nobody learns which."""


class AccountNotFound(Exception):
    """There is no account of this name."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The member of staff behind a request to the server."""

    username: str
    name: str
    roles: tuple[Role, ...]
    token_hash: str
    csrf: str

    @property
    def staff(self) -> Staff:
        return Staff(username=self.username, name=self.name)

    def verify_csrf(self, csrf: str) -> bool:
        """Whether this is the CSRF token of the session, in the same time for every wrong one."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode())

    def has_role(self, *roles: Role) -> bool:
        return any(role in self.roles for role in roles)


class IdentityService:
    """Accounts and sessions; nothing but hashes of tokens and passwords is kept."""

    def __init__(self, store: AccountStore, clock: Clock, secret: bytes) -> None:
        self.store, self._clock, self._secret = store, clock, secret
        self._attempts = LoginAttempts(store)

    async def sign_in(self, username: str, password: str, code: str, address: str) -> tuple[str, Principal]:
        """A fresh session: its token, and who it is. Raises SignInRefused, TooManyFailures."""
        name, now = username.strip().lower(), self._clock()
        attempt = await self._attempts.record(name, address, now)
        account = await self.store.account(name)
        password_ok = await password_matches(password, account.password if account else None)
        if account is None or not password_ok or not account.active or not await self._verify_code(account, code, now):
            logger.warning("sign-in to %s refused from %s", account.username if account else "no account", address)
            raise InvalidCredentials
        opened = await self._open_session(account, now)
        await self._attempts.succeeded(attempt)
        return opened

    async def _verify_code(self, account: Account, code: str, now: datetime) -> bool:
        if not account.totp:
            return True
        step = _matching_totp_step(account.totp, code.replace(" ", ""), now)
        return step is not None and await self.store.use_totp_step(account.username, step)

    async def _open_session(self, account: Account, now: datetime) -> tuple[str, Principal]:
        """A session of an account whose password and code were right when it was read. Raises SignInRefused.

        Hashing takes long enough for the account to change meanwhile: other credentials were not proven, anything else goes on.
        """
        await self.store.close_expired_sessions(now - IDLE_TIMEOUT, now - MAX_SESSION_AGE)
        token = secrets.token_urlsafe(32)
        session = Session(_hash(token), account.username, now, now)
        current: Account | None = account
        while current is not None and _same_credentials(current, account):
            try:
                await self.store.open_session(session, current)
            except ConcurrentModification:
                current = await self.store.account(account.username)
                continue
            logger.info("%s signed in", account.username)
            return token, self._principal(session, current)
        logger.warning("sign-in to %s refused: the account changed meanwhile", account.username)
        raise InvalidCredentials

    async def authenticate(self, token: str, *, used: bool = True) -> Principal | None:
        """Who holds this token now, None if it is unknown, idle for too long, too old, or its account was closed.

        Not `used`: a page looked by itself, which must not keep a session alive that nobody is at.
        """
        found = await self.store.session(_hash(token))
        if found is None:
            return None
        session, account = found
        now = self._clock()
        if not _is_active(session, account, now):
            await self.store.close_session(session.token_hash)
            return None
        if used and now - session.seen_at > TOUCH_INTERVAL:
            await self.store.touch_session(session.token_hash, now)
        return self._principal(session, account)

    async def is_session_active(self, principal: Principal) -> bool:
        """Whether the session would be known now; asking does not count as using it."""
        found = await self.store.session(principal.token_hash)
        return found is not None and _is_active(*found, self._clock())

    async def sign_out(self, principal: Principal) -> None:
        await self.store.close_session(principal.token_hash)
        logger.info("%s signed out", principal.username)

    async def revoke_session(self, token: str) -> None:
        """End the session of a token that its owner has just replaced."""
        await self.store.close_session(_hash(token))

    def is_session_token(self, token: str, principal: Principal) -> bool:
        """Whether this token is the one of the principal's session."""
        return hmac.compare_digest(_hash(token), principal.token_hash)

    def _principal(self, session: Session, account: Account) -> Principal:
        csrf = hmac.new(self._secret, f"csrf:{session.token_hash}".encode(), hashlib.sha256).hexdigest()
        return Principal(account.username, account.name, account.roles, session.token_hash, csrf)

    async def add_staff(
        self,
        username: str,
        name: str,
        email: str,
        roles: tuple[Role, ...],
        password: str,
        *,
        by: str = "console",
        idempotency_key: IdempotencyKey | None = None,
    ) -> Account:
        """A new account, or the one that the same order made before. Raises WeakPassword, UsernameTaken, KeyReused."""
        hashed = await hash_new_password(password, username, name, email)
        account = await self.store.add(Account(username.strip().lower(), name, email, roles, hashed), idempotency_key)
        if account.password == hashed:
            logger.info("account %s added with %s by %s", account.username, ", ".join(roles), by)
        elif idempotency_key and not await password_matches(password, account.password):
            raise IdempotencyKeyReused(idempotency_key.key)
        return account

    async def change_staff(
        self,
        username: str,
        *,
        name: str | None = None,
        email: str | None = None,
        roles: tuple[Role, ...] | None = None,
        active: bool | None = None,
        password: str | None = None,
        totp: str | None = None,
        by: str = "console",
        expected: Account | None = None,
    ) -> Account:
        """The account with what is not None changed; its sessions end.

        Raises UnknownAccount, WeakPassword, LastAdmin, and Outdated if it is not the `expected` one (any more).
        """
        given = {"name": name, "email": email, "roles": roles, "active": active, "totp": totp}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if password is not None:
            account = await self._get_account(username)
            known = (account.username, account.name, account.email, name or "", email or "")
            changes["password"] = await hash_new_password(password, *known)
        while True:
            account = expected or await self._get_account(username)
            changed = replace(account, **changes)
            if changed == account:
                return account
            try:
                await self.store.change(account, changed)
            except ConcurrentModification:
                if expected is not None:
                    raise
                continue
            what = [part for part in changes if getattr(account, part) != getattr(changed, part)]
            logger.info("account %s changed by %s: %s", changed.username, by, ", ".join(what))
            return changed

    async def change_own_account(
        self, principal: Principal, *, name: str | None, password: str | None, current_password: str, address: str
    ) -> tuple[str, Principal] | None:
        """Somebody's own name, or password if the present one is right; a wrong one counts as a failed sign-in.

        All sessions of the account end but one, which goes on under the token answered and lives no longer than it would have:
        None if it is over already. Raises SignInRefused, TooManyFailures, WeakPassword.
        """
        found = await self.store.session(principal.token_hash)
        if found is None:
            return None
        session, account = found
        if password is not None:
            await self.confirm_password(account, current_password, address)
        try:
            changed = await self.change_staff(
                account.username, name=name, password=password, by=account.username, expected=account
            )
        except ConcurrentModification:
            return None
        return await self.replace_session(session, changed)

    async def replace_session(self, ended: Session, account: Account) -> tuple[str, Principal] | None:
        """A fresh session in place of one that ended because its account changed to this; it lives no longer than that one would.

        None if the account has changed once more.
        """
        await self.store.close_session(ended.token_hash)
        token = secrets.token_urlsafe(32)
        session = Session(_hash(token), account.username, ended.created_at, self._clock())
        try:
            await self.store.open_session(session, account)
        except ConcurrentModification:
            return None
        return token, self._principal(session, account)

    async def confirm_password(self, account: Account, password: str, address: str) -> None:
        """Whoever changes a password of their own knows the present one. Raises SignInRefused, TooManyFailures."""
        attempt = await self._attempts.record(account.username, address, self._clock())
        if not await password_matches(password, account.password):
            logger.warning("a new password of %s refused from %s", account.username, address)
            raise InvalidCredentials
        await self._attempts.succeeded(attempt)

    async def _get_account(self, username: str) -> Account:
        account = await self.store.account(username.strip().lower())
        if account is None:
            raise AccountNotFound(username)
        return account


def _is_active(session: Session, account: Account, now: datetime) -> bool:
    return account.active and now - session.seen_at <= IDLE_TIMEOUT and now - session.created_at <= MAX_SESSION_AGE


def _same_credentials(account: Account, authenticated: Account) -> bool:
    """Whether what was proven still opens a session; its name and roles may be others."""
    return account.active and (account.password, account.totp) == (authenticated.password, authenticated.totp)


def _matching_totp_step(secret: str, code: str, now: datetime) -> int | None:
    """The 30 seconds that this code belongs to, if they are now, or the ones just before or after."""
    totp = pyotp.TOTP(secret)
    for step in (totp.timecode(now) + drift for drift in (0, -1, 1)):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            return step
    return None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
