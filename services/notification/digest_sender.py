"""Sends the daily digests that are planned, one a person and day, over all processes."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

from services.notification.digest_email import DigestContent, render_digest
from services.notification.email_composer import EmailSettings
from services.notification.preferences import OVERDUE, NotificationPreferences, moment_label
from shared.calendar import today
from shared.clock import Clock
from shared.identity.accounts import Account, AccountStore
from shared.mail.port import Email, Mailer, Outcome, retry_delay
from shared.office.digests import DIGEST_ITEMS, DIGEST_LIFETIME, DIGESTS, digest_key
from shared.office.port import EntryConflict, OfficeEntry, OfficeStore
from shared.storage.port import StoreUnavailable
from shared.web.views.navigation import start_path_of

logger = logging.getLogger(__name__)

POLL_INTERVAL_SECONDS = 10.0
MOMENTS_PLANNED = "moments_planned"
CLAIM_DURATION = timedelta(minutes=3)
"""How long a digest that is being sent belongs to one process."""
SEND_TIMEOUT_SECONDS = 150.0
"""Less than the duration of a claim."""


class DigestSender:
    """A digest is claimed by its version before it is sent; after a crash it is sent again with the same Message-ID."""

    def __init__(
        self,
        office: OfficeStore,
        accounts: AccountStore,
        preferences: NotificationPreferences,
        mailer: Mailer,
        settings: EmailSettings,
        clock: Clock,
    ) -> None:
        self._office, self._accounts, self._preferences = office, accounts, preferences
        self._mailer, self._settings, self._clock = mailer, settings, clock

    async def run(self) -> None:
        while True:
            await self.send_due()
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def send_due(self) -> None:
        """Send the digests of today that are planned and were not sent."""
        now = self._clock()
        day = today(now)
        planned = await self._office.get(DIGESTS, day.isoformat())
        if planned is None:
            return
        if MOMENTS_PLANNED not in planned.body:
            await self._plan_moments(now)
            body = {**planned.body, MOMENTS_PLANNED: True}
            await self._office.put(DIGESTS, planned.key, body, expires_at=now + DIGEST_LIFETIME)
        for entry in await self._office.entries(DIGESTS, f"{day.isoformat()}/"):
            now = self._clock()  # a slow mail server must not shorten the claims of the later ones
            if _is_due(entry, now) and (claimed := await self._claim(entry, now)):
                await self._send_or_retry(claimed, now)

    async def _plan_moments(self, now: datetime) -> None:
        """Plan a digest for those who have no overdue work, but notifications to read; later ones wait for the next day."""
        for username in {item.key.partition("/")[0] for item in await self._office.entries(DIGEST_ITEMS)}:
            try:
                key = digest_key(today(now), username)
                await self._office.put(DIGESTS, key, {}, expected=0, expires_at=now + DIGEST_LIFETIME)
            except EntryConflict:
                continue

    async def _claim(self, entry: OfficeEntry, now: datetime) -> OfficeEntry | None:
        until = (now + CLAIM_DURATION).isoformat()
        body = {**entry.body, "status": "sending", "until": until, "tries": entry.body.get("tries", 0) + 1}
        try:
            return await self._office.put(
                DIGESTS, entry.key, body, expected=entry.version, expires_at=now + DIGEST_LIFETIME
            )
        except EntryConflict:
            return None

    async def _send_or_retry(self, entry: OfficeEntry, now: datetime) -> None:
        """Send a digest; one that cannot be composed does not keep others from theirs."""
        try:
            await self._send(entry, now)
        except (StoreUnavailable, EntryConflict):
            raise
        except Exception:
            logger.exception("digest %s cannot be sent", entry.key)
            await self._retry_later(entry, now)

    async def _send(self, entry: OfficeEntry, now: datetime) -> None:
        username = entry.key.partition("/")[2]
        account = await self._accounts.account(username)
        items = await self._office.entries(DIGEST_ITEMS, f"{username}/")
        content = await self._content(account, entry, items) if account and account.active else None
        if account is None or content is None:
            await self._settle(entry, "skipped", now)
            return
        outcome = await self._deliver(self._email(account, content, now))
        if outcome.kind == "sent":
            await self._settle(entry, "sent", now)
            for item in items:
                await self._office.delete(DIGEST_ITEMS, item.key)
            return
        logger.warning("digest of %s: %s", username, outcome.reason)
        if outcome.kind == "permanent":
            await self._settle(entry, "failed", now)
        else:
            await self._retry_later(entry, now)

    async def _retry_later(self, entry: OfficeEntry, now: datetime) -> None:
        delay = retry_delay(entry.body["tries"])
        await self._settle(entry, "failed", now, retry_at=now + delay if delay else None)

    async def _deliver(self, email: Email) -> Outcome:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                return await self._mailer.send(email)
        except TimeoutError:
            return Outcome("unknown", "Peladen surel tidak menjawab dalam batas waktu.")

    async def _content(self, account: Account, entry: OfficeEntry, items: list[OfficeEntry]) -> DigestContent | None:
        """Return what this person wants to read, None if that is nothing."""
        wants_overdue = await self._preferences.timing(account.username, OVERDUE) == "digest"
        overdue: dict[str, Any] = (
            {name: entry.body[name] for name in ("own", "total", "late", "stages") if name in entry.body}
            if wants_overdue
            else {}
        )
        if not any(overdue.values()) and not items:
            return None
        day = today(self._clock())
        link = self._settings.origin + start_path_of(account.roles)
        return DigestContent(account.name, day, link, moments=[_moment(item) for item in items], **overdue)

    def _email(self, account: Account, content: DigestContent, now: datetime) -> Email:
        rendered = render_digest(content)
        return Email(
            message_id=f"digest.{content.day.isoformat()}.{account.username}",
            to=(account.email,),
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            sender=self._settings.sender,
            date=now,
            reply_to=self._settings.reply_to,
        )

    async def _settle(self, entry: OfficeEntry, status: str, now: datetime, retry_at: datetime | None = None) -> None:
        """Record the outcome; a sent digest keeps nothing of the requests in it."""
        kept = {} if status != "failed" else entry.body
        body = {**kept, "status": status, "until": retry_at.isoformat() if retry_at else ""}
        await self._office.put(DIGESTS, entry.key, body, expected=entry.version, expires_at=now + DIGEST_LIFETIME)


def _is_due(entry: OfficeEntry, now: datetime) -> bool:
    """Return whether a digest waits to be sent: it is new, its retry is due, or the process that sent it has stopped."""
    status, until = entry.body.get("status"), entry.body.get("until", "")
    if status is None:
        return True
    return status in ("sending", "failed") and bool(until) and datetime.fromisoformat(until) <= now


def _moment(item: OfficeEntry) -> tuple[str, str]:
    """Return what happened and the number of the request."""
    return moment_label(item.body["kind"]), item.body["number"]
