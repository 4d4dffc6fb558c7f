"""Wires notification: its ledger, and dispatch to the mail server when something in the ledger is due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from services.notification.api import router
from services.notification.domain.decisions import decider
from services.notification.email_dispatcher import EmailDispatcher, EmailSettings, Recipient
from services.notification.pages.messages import MESSAGES_PATH, pages
from services.notification.projections import trouble
from services.notification.service import NotificationService
from shared.backends.platform import Platform
from shared.identity.accounts import Account, AccountStore, Role
from shared.runtime.service_runtime import ServiceApp, ServiceRuntime
from shared.settings import Settings

CACHE_TTL_SECONDS = 1.0


class CachedStaffDirectory:
    """Dispatch's Directory over the staff accounts. Whom it found less than a second ago it does not look up again: letters that
    are sent together mostly go to the same people.
    """

    def __init__(self, accounts: AccountStore, now: Callable[[], float] = monotonic) -> None:
        self._accounts, self._now = accounts, now
        self._cache: dict[str, tuple[float, Sequence[Recipient]]] = {}

    async def accounts_with_role(self, role: str) -> Sequence[Recipient]:
        return await self._get_cached(f"role:{role}", lambda: self._accounts.accounts_with_role(Role(role)))

    async def person(self, username: str) -> Recipient | None:
        found = await self._get_cached(f"person:{username}", lambda: self._active_account(username))
        return found[0] if found else None

    async def _active_account(self, username: str) -> list[Account]:
        account = await self._accounts.account(username)
        return [account] if account and account.active else []

    async def _get_cached(self, name: str, load: Callable[[], Awaitable[Sequence[Account]]]) -> Sequence[Recipient]:
        at, found = self._cache.get(name, (0.0, ()))
        if found and self._now() - at < CACHE_TTL_SECONDS:
            return found
        found = [Recipient(account.name, account.email, account.roles) for account in await load()]
        self._cache[name] = self._now(), found
        return found


def _email_settings(settings: Settings) -> EmailSettings:
    return EmailSettings(
        sender=settings.mail_from,
        origin=settings.origin,
        reply_to=settings.reply_to or settings.office_email,
        office=settings.office,
    )


def build(platform: Platform) -> ServiceApp:
    """The notification service on this platform."""
    request_decider = decider()
    store = platform.state_store(request_decider.service, request_decider.indexed_columns)
    runtime = ServiceRuntime(request_decider, store, platform.log, platform.clock)
    dispatch = EmailDispatcher(
        runtime.executor,
        platform.mailer,
        CachedStaffDirectory(platform.accounts),
        platform.new_id,
        _email_settings(platform.settings),
        platform.tracking.link,
    )
    runtime.set_due_handler(dispatch.process_due)
    desk = NotificationService(runtime)

    async def waiting() -> int:
        return (await trouble(runtime.executor)).count

    return ServiceApp(
        runtime,
        (router(desk, platform), pages(desk)),
        # Where others send too, what is in hand is theirs, or runs out by itself and is due again.
        before_start=dispatch.recover_in_flight if platform.single_process else None,
        waiting={MESSAGES_PATH: waiting},
    )
