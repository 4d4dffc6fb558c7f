"""Wires notification: its ledger, and dispatch to the mail server when something in the ledger is due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from services.notification.api import router
from services.notification.desk import Desk
from services.notification.dispatch import Correspondence, Dispatch, Recipient
from services.notification.domain import decider
from services.notification.pages import MESSAGES, pages
from services.notification.queries import trouble
from shared.identity.accounts import Account, AccountStore, Role
from shared.platform import Platform
from shared.runtime.service import Service, ServiceRuntime
from shared.settings import Settings

KNOWN_FOR = 1.0


class StaffDirectory:
    """Dispatch's Directory over the staff accounts. Whom it found less than a second ago it does not look up again: letters that
    are sent together mostly go to the same people."""

    def __init__(self, accounts: AccountStore, now: Callable[[], float] = monotonic):
        self._accounts, self._now = accounts, now
        self._found: dict[str, tuple[float, Sequence[Recipient]]] = {}

    async def with_role(self, role: str) -> Sequence[Recipient]:
        return await self._known(f"role:{role}", lambda: self._accounts.with_role(Role(role)))

    async def person(self, username: str) -> Recipient | None:
        found = await self._known(f"person:{username}", lambda: self._one(username))
        return found[0] if found else None

    async def _one(self, username: str) -> list[Account]:
        account = await self._accounts.account(username)
        return [account] if account and account.active else []

    async def _known(self, name: str, look_up: Callable[[], Awaitable[Sequence[Account]]]) -> Sequence[Recipient]:
        at, found = self._found.get(name, (0.0, ()))
        if found and self._now() - at < KNOWN_FOR:
            return found
        found = [Recipient(account.name, account.email, account.roles) for account in await look_up()]
        self._found[name] = self._now(), found
        return found


def _correspondence(settings: Settings) -> Correspondence:
    return Correspondence(
        sender=settings.mail_from,
        origin=settings.origin,
        reply_to=settings.reply_to or settings.office_email,
        office=settings.office,
    )


def build(platform: Platform) -> Service:
    """The notification service on this platform."""
    heart = decider()
    store = platform.state_store(heart.service, heart.indexed)
    runtime = ServiceRuntime(heart, store, platform.log, platform.clock)
    dispatch = Dispatch(
        runtime.executor,
        platform.mailer,
        StaffDirectory(platform.accounts),
        platform.new_id,
        _correspondence(platform.settings),
        platform.tracking.link,
    )
    runtime.attend_with(dispatch.attend)
    desk = Desk(runtime)

    async def waiting() -> int:
        return (await trouble(runtime.executor)).count

    return Service(
        runtime,
        (router(desk, platform), pages(desk)),
        # Where others send too, what is in hand is theirs, or runs out by itself and is due again.
        before_start=dispatch.take_back if platform.alone else None,
        waiting={MESSAGES: waiting},
    )
