"""Application service of staff identity: sign-in, sessions and accounts (OWASP ASVS 5.0, chapters 6 and 7)."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyotp

from shared.clock import Clock
from shared.identity.accounts import (
    Account,
    AccountStore,
    ConcurrentModification,
    IdempotencyKey,
    Role,
    Session,
)
from shared.identity.login_attempts import LoginAttempts
from shared.identity.passwords import hash_new_password, password_matches
from shared.identity.principal import Principal
from shared.identity.signing import hex_signature, make_signer
from shared.identity.substitutes import SubstituteRegister
from shared.runtime.executor import IdempotencyKeyReused

logger = logging.getLogger(__name__)

IDLE_TIMEOUT = timedelta(minutes=30)
MAX_SESSION_AGE = timedelta(hours=12)
TOUCH_INTERVAL = timedelta(minutes=1)


class InvalidCredentials(Exception):
    """Wrong username, password or code; the error does not say which."""


class AccountNotFound(Exception):
    """No account has this username."""


class IdentityService:
    """Signs staff in and manages their accounts; only hashes of tokens and passwords are stored."""

    def __init__(
        self, store: AccountStore, clock: Clock, secret: bytes, substitutes: SubstituteRegister | None = None
    ) -> None:
        self.store = store
        self._clock = clock
        self._signer = make_signer(secret)
        self._substitutes = substitutes
        self._attempts = LoginAttempts(store)

    async def sign_in(self, username: str, password: str, code: str, address: str) -> tuple[str, Principal]:
        """Open a session and return its token and principal. Raises: InvalidCredentials, TooManyFailures."""
        name, now = username.strip().lower(), self._clock()
        attempt = await self._attempts.record(name, address, now)
        account = await self.store.account(name)
        password_ok = await password_matches(password, account.password if account else None)
        if account is None or not password_ok or not account.active or not await self._verify_code(account, code, now):
            logger.warning("sign-in to %s refused from %s", account.username if account else "no account", address)
            raise InvalidCredentials
        opened = await self._open_session(account, now)
        await self._attempts.record_success(attempt)
        return opened

    async def _verify_code(self, account: Account, code: str, now: datetime) -> bool:
        if not account.totp:
            return True
        step = _matching_totp_step(account.totp, code.replace(" ", ""), now)
        return step is not None and await self.store.use_totp_step(account.username, step)

    async def _open_session(self, account: Account, now: datetime) -> tuple[str, Principal]:
        """Open a session for an account whose password and code were verified. Raises: InvalidCredentials.

        Hashing takes long enough for the account to change in between. Changed credentials were not verified and are refused;
        any other change is accepted.
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
            return token, await self._principal(session, current)
        logger.warning("sign-in to %s refused: its credentials changed during the sign-in", account.username)
        raise InvalidCredentials

    async def authenticate(self, token: str, *, used: bool = True) -> Principal | None:
        """The principal of a session token; None if it is unknown or expired, or its account is inactive.

        With `used=False` the call does not extend the session: the background polls of an unattended page must not.
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
        return await self._principal(session, account)

    async def is_session_active(self, principal: Principal) -> bool:
        """Whether the session is still valid with all its roles; the call does not extend it."""
        found = await self.store.session(principal.token_hash)
        if found is None or not _is_active(*found, self._clock()):
            return False
        return (await self._principal(*found)).capacities == principal.capacities

    async def sign_out(self, principal: Principal) -> None:
        await self.store.close_session(principal.token_hash)
        logger.info("%s signed out", principal.username)

    async def revoke_session(self, token: str) -> None:
        """Close the session of a token that its owner has replaced."""
        await self.store.close_session(_hash(token))

    def is_session_token(self, token: str, principal: Principal) -> bool:
        """Whether this is the token of the principal's session."""
        return hmac.compare_digest(_hash(token), principal.token_hash)

    async def _principal(self, session: Session, account: Account) -> Principal:
        csrf = hex_signature(self._signer, f"csrf:{session.token_hash}")
        capacities = await self._substitutes.capacities(account.username) if self._substitutes else ()
        roles = dict.fromkeys((*account.roles, *(role for capacity in capacities for role in capacity.roles)))
        return Principal(
            account.username, account.name, tuple(roles), session.token_hash, csrf, account.roles, capacities
        )

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
        """Add an account; a repeated idempotency key returns the account that was added first.

        Raises: WeakPassword, UsernameTaken, IdempotencyKeyReused.
        """
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
        """Change the fields that are not None and end the account's sessions.

        Raises: AccountNotFound, WeakPassword, LastAdmin; ConcurrentModification if the stored account is not the `expected` one.
        """
        values = {"name": name, "email": email, "roles": roles, "active": active, "totp": totp}
        changes: dict[str, Any] = {field: value for field, value in values.items() if value is not None}
        if password is not None:
            account = await self._get_account(username)
            user_inputs = (account.username, account.name, account.email, name or "", email or "")
            changes["password"] = await hash_new_password(password, *user_inputs)
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
            fields = [field for field in changes if getattr(account, field) != getattr(changed, field)]
            logger.info("account %s changed by %s: %s", changed.username, by, ", ".join(fields))
            return changed

    async def change_own_account(
        self, principal: Principal, *, name: str | None, password: str | None, current_password: str, address: str
    ) -> tuple[str, Principal] | None:
        """Change the principal's own name, or the password if the current one is right; a wrong one counts as a failed sign-in.

        All sessions of the account end; the returned one replaces the principal's and expires when that would have. Returns None
        if the principal's session has ended. Raises: InvalidCredentials, TooManyFailures, WeakPassword.
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
        """Open a session in place of one that ended because its account changed; it expires when that one would have.

        Returns None if the account has changed again.
        """
        await self.store.close_session(ended.token_hash)
        token = secrets.token_urlsafe(32)
        session = Session(_hash(token), account.username, ended.created_at, self._clock())
        try:
            await self.store.open_session(session, account)
        except ConcurrentModification:
            return None
        return token, await self._principal(session, account)

    async def confirm_password(self, account: Account, password: str, address: str) -> None:
        """Verify the current password before an own password is changed. Raises: InvalidCredentials, TooManyFailures."""
        attempt = await self._attempts.record(account.username, address, self._clock())
        if not await password_matches(password, account.password):
            logger.warning("password change of %s refused from %s: wrong current password", account.username, address)
            raise InvalidCredentials
        await self._attempts.record_success(attempt)

    async def _get_account(self, username: str) -> Account:
        account = await self.store.account(username.strip().lower())
        if account is None:
            raise AccountNotFound(username)
        return account


def _is_active(session: Session, account: Account, now: datetime) -> bool:
    return account.active and now - session.seen_at <= IDLE_TIMEOUT and now - session.created_at <= MAX_SESSION_AGE


def _same_credentials(account: Account, authenticated: Account) -> bool:
    """Whether the account is active and still has the credentials that were verified."""
    return account.active and (account.password, account.totp) == (authenticated.password, authenticated.totp)


def _matching_totp_step(secret: str, code: str, now: datetime) -> int | None:
    """The TOTP time step of this code if it is the current one or the one before or after; otherwise None."""
    totp = pyotp.TOTP(secret)
    for step in (totp.timecode(now) + drift for drift in (0, -1, 1)):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            return step
    return None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
