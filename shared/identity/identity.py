"""Signing in and out, and who somebody is: rules of ASVS 5.0 chapters 6 and 7."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyotp

from shared.clock import Clock
from shared.contracts.facts import Staff
from shared.identity.accounts import Account, AccountStore, Role, Session
from shared.identity.passwords import check_password, hash_password, password_matches

logger = logging.getLogger(__name__)

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
WINDOW = timedelta(minutes=15)
FAILURES_OF_ONE_NAME = 10
FAILURES_OF_ONE_ADDRESS = 50


class SignInRefused(Exception):
    """Wrong name, password or code: the same for each, so that nobody learns which."""


class TooManyFailures(Exception):
    """Too many failed sign-ins; try again after `seconds`."""

    seconds = int(WINDOW.total_seconds())


class UnknownAccount(Exception):
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

    def has(self, *roles: Role) -> bool:
        return any(role in self.roles for role in roles)


class Identity:
    """Accounts and sessions; nothing but hashes of tokens and passwords is kept."""

    def __init__(self, store: AccountStore, clock: Clock, secret: bytes):
        self.store, self._clock, self._secret = store, clock, secret

    async def sign_in(self, username: str, password: str, code: str, address: str) -> tuple[str, Principal]:
        """A fresh session: its token, and who it is. Raises SignInRefused, TooManyFailures."""
        name, now = username.strip().lower(), self._clock()
        keys = (f"name:{name}", f"address:{address}")
        await self._check_failures(keys, now)
        account = await self.store.account(name)
        right = await password_matches(password, account.password if account else None)
        if account is None or not right or not account.active or not _code_fits(account, code, now):
            await self.store.note_failure(keys, now)
            logger.warning("sign-in refused for %r from %s", name[:64], address)
            raise SignInRefused
        await self.store.forget_failures(keys[0])
        await self.store.close_old_sessions(now - IDLE, now - LONGEST)
        token = secrets.token_urlsafe(32)
        session = Session(_hash(token), name, now, now)
        await self.store.open_session(session)
        logger.info("%s signed in", name)
        return token, self._principal(session, account)

    async def _check_failures(self, keys: tuple[str, str], now: datetime) -> None:
        by_name, by_address = [await self.store.failures(key, now - WINDOW) for key in keys]
        if by_name >= FAILURES_OF_ONE_NAME or by_address >= FAILURES_OF_ONE_ADDRESS:
            raise TooManyFailures

    async def resolve(self, token: str) -> Principal | None:
        """Who holds this token now, None if it is unknown, idle for too long, too old, or its account was closed."""
        found = await self.store.session(_hash(token))
        if found is None:
            return None
        session, account = found
        now = self._clock()
        if not account.active or now - session.seen_at > IDLE or now - session.created_at > LONGEST:
            await self.store.close_session(session.token_hash)
            return None
        if now - session.seen_at > TOUCH_EVERY:
            await self.store.touch(session.token_hash, now)
        return self._principal(session, account)

    async def sign_out(self, principal: Principal) -> None:
        await self.store.close_session(principal.token_hash)
        logger.info("%s signed out", principal.username)

    def _principal(self, session: Session, account: Account) -> Principal:
        csrf = hmac.new(self._secret, f"csrf:{session.token_hash}".encode(), hashlib.sha256).hexdigest()
        return Principal(account.username, account.name, account.roles, session.token_hash, csrf)

    async def add_staff(self, username: str, name: str, email: str, roles: tuple[Role, ...], password: str) -> Account:
        """A new account. Raises WeakPassword, UsernameTaken."""
        check_password(password, username, name, email)
        account = Account(username.strip().lower(), name, email, roles, await hash_password(password))
        await self.store.add(account)
        logger.info("account %s added with %s", account.username, ", ".join(roles))
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
    ) -> Account:
        """The account with what is not None changed; its sessions end. Raises UnknownAccount, WeakPassword."""
        account = await self.store.account(username.strip().lower())
        if account is None:
            raise UnknownAccount(username)
        changes = {"name": name, "email": email, "roles": roles, "active": active, "totp": totp}
        changed = replace(account, **{key: value for key, value in changes.items() if value is not None})
        if password is not None:
            check_password(password, username, changed.name, changed.email)
            changed = replace(changed, password=await hash_password(password))
        await self.store.change(changed)
        logger.info("account %s changed", changed.username)
        return changed


def _code_fits(account: Account, code: str, now: datetime) -> bool:
    return not account.totp or pyotp.TOTP(account.totp).verify(code, for_time=now, valid_window=1)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
