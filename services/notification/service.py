"""Wires notification: its ledger, and dispatch to the mail server when something in the ledger is due."""

from __future__ import annotations

from collections.abc import Sequence

from services.notification.api import router
from services.notification.desk import Desk
from services.notification.dispatch import Dispatch, Recipient
from services.notification.domain import decider
from services.notification.pages import MESSAGES, pages
from services.notification.queries import trouble
from shared.identity.accounts import AccountStore, Role
from shared.platform import Platform
from shared.runtime.service import Service, ServiceRuntime
from shared.web.navigation import SIGN_IN


class StaffDirectory:
    """Dispatch's Directory over the staff accounts."""

    def __init__(self, accounts: AccountStore):
        self._accounts = accounts

    async def with_role(self, role: str) -> Sequence[Recipient]:
        return [Recipient(account.name, account.email) for account in await self._accounts.with_role(Role(role))]

    async def person(self, username: str) -> Recipient | None:
        account = await self._accounts.account(username)
        return Recipient(account.name, account.email) if account and account.active else None


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
        platform.settings.mail_from,
        platform.tracking.link,
        platform.settings.origin + SIGN_IN,
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
