"""The email dispatcher: it claims messages that are due, sends them, and records the outcomes in the ledger."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence

from opentelemetry.trace import SpanKind

from services.notification.domain.commands import (
    DeliveryCommand,
    DropReminders,
    EndSending,
    FireReminder,
    RecordInterruption,
    StartSending,
)
from services.notification.domain.decisions import due_at, on_due
from services.notification.domain.delivery import claimed_messages, due_messages, superseded_messages
from services.notification.domain.staff_emails import StaffReassignedOldEmail
from services.notification.domain.state import Message, State
from services.notification.email_composer import EmailComposer, Recipient
from services.notification.preferences import MOMENTS, NotificationPreferences
from shared.clock import NewId
from shared.contracts.notification import MessageOutcome
from shared.mail.port import InvalidHeader, Mailer, Outcome, retry_delay
from shared.observability.tracing import set_attributes, start_span
from shared.runtime.executor import CommandKey, Executor, Loaded
from shared.runtime.metrics import MESSAGES
from shared.storage.port import RecordQuery, StoreUnavailable

logger = logging.getLogger(__name__)

SEND_TIMEOUT_SECONDS = 150.0
"""Shorter than a claim, so that the outcome is recorded before the claim ends unless the store is away."""

STORE_RETRY_TIMEOUT_SECONDS = 60.0
STORE_RETRY_INTERVAL_SECONDS = 0.5


class EmailDispatcher:
    """Sends the emails of a request when they are due."""

    def __init__(
        self,
        executor: Executor[State],
        mailer: Mailer,
        composer: EmailComposer,
        new_id: NewId,
        preferences: NotificationPreferences | None = None,
    ) -> None:
        """Without preferences, every recipient is mailed at once."""
        self._executor, self._mailer, self._composer, self._new_id = executor, mailer, composer, new_id
        self._preferences = preferences

    async def process_due(self, request_id: str) -> None:
        """Fire the reminders that are due, then claim and send the messages that are due."""
        loaded = await self._executor.read_cached(request_id)
        if loaded is None or not self._is_due(loaded.state):
            # Another process may have changed the request since it was cached here.
            loaded = await self._executor.read(request_id)
        reminders = on_due(loaded.state, self._executor.clock()) if loaded else []
        for command in reminders:
            await self._executor.execute(request_id, command, _reminder_key(request_id, command))
        if reminders:
            loaded = await self._executor.read_cached(request_id)
        if loaded and (superseded := superseded_messages(loaded.state, self._executor.clock())):
            await self._executor.execute(request_id, DropReminders(), self._new_key(superseded))
            loaded = await self._executor.read_cached(request_id)
        if loaded and (due := due_messages(loaded.state, self._executor.clock())):
            await self._claim_and_send(request_id, due[0].traceparent)

    async def recover_in_flight(self) -> None:
        """Give messages that a crash interrupted an unknown outcome, and retry them; for the only process that sends."""
        query = RecordQuery(order="newest", where={"sending": 1}, limit=200)
        while (page := await self._executor.find(query)).items:
            for loaded in page.items:
                await self._executor.record(loaded.id, RecordInterruption())

    def _is_due(self, state: State) -> bool:
        at = due_at(state)
        return at is not None and at <= self._executor.clock()

    async def _claim_and_send(self, request_id: str, traceparent: str) -> None:
        """Claim what is due and send it; messages of another claim belong to its process until the claim ends."""
        claim = self._new_id()
        loaded = await self._record_with_retry(request_id, StartSending(claim), traceparent)
        claimed = claimed_messages(loaded.state, claim) if loaded else []
        if loaded and claimed:
            outcomes = await asyncio.gather(*(self._send(loaded, message) for message in claimed))
            await self._record_with_retry(request_id, EndSending(claim, tuple(outcomes)), traceparent)

    async def _record_with_retry(
        self, request_id: str, command: DeliveryCommand, traceparent: str
    ) -> Loaded[State] | None:
        """Record a command, and retry it while the store is unavailable.

        An outcome that is not recorded would mean that the email is sent again, a claim that this process does not know of
        that it waits until the claim ends. Raises StoreUnavailable after the last attempt.
        """
        deadline = time.monotonic() + STORE_RETRY_TIMEOUT_SECONDS
        while True:
            try:
                return await self._executor.record(request_id, command, traceparent)
            except StoreUnavailable:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(STORE_RETRY_INTERVAL_SECONDS)

    def _new_key(self, messages: Sequence[Message]) -> CommandKey:
        """Return the key of a new command in the trace of the first message."""
        return CommandKey(self._new_id(), digest="", traceparent=messages[0].traceparent)

    async def _send(self, loaded: Loaded[State], message: Message) -> MessageOutcome:
        name, parent = f"send {message.kind}", message.traceparent
        with start_span(name, SpanKind.CLIENT, parent, service="notification", subject=loaded.id) as span:
            outcome = await self._deliver(loaded, message)
            set_attributes(span, outcome=outcome.kind)
        MESSAGES.labels(_metric_label(outcome, message)).inc()
        match outcome.kind:
            case "sent":
                return MessageOutcome(message=message.id, status="sent", reason=outcome.reason)
            case "permanent":
                return MessageOutcome(message=message.id, status="failed", reason=outcome.reason)
            case "temporary" | "unknown":
                delay = retry_delay(message.tries)
                return MessageOutcome(
                    message=message.id,
                    status="unknown" if outcome.kind == "unknown" else "failed",
                    reason=outcome.reason,
                    retry_at=self._executor.clock() + delay if delay is not None else None,
                )

    async def _deliver(self, loaded: Loaded[State], message: Message) -> Outcome:
        try:
            recipients = await self._composer.recipients(loaded.state, message)
            if not recipients and message.kind == StaffReassignedOldEmail.kind:
                return Outcome("sent", "Penerima tidak lagi bertugas, sehingga surel ini tidak dikirim.")
            if not recipients:
                return Outcome("temporary", "Tidak ada penerima yang aktif untuk surel ini.")
            recipients = await self._recipients_at_once(loaded, message, recipients)
            if not recipients:
                return Outcome("sent", "Penerima memilih ringkasan harian, atau tidak menerima surel ini.")
            email = await self._composer.compose(loaded, message, recipients)
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                return await self._mailer.send(email)
        except InvalidHeader as error:
            return Outcome("permanent", str(error))
        except TimeoutError:
            return Outcome("unknown", "Peladen surel tidak menjawab dalam batas waktu.")
        except Exception:
            logger.exception("email %s of %s could not be composed", message.id, loaded.state.number)
            return Outcome("temporary", "Surel belum dapat disusun karena kesalahan di dalam sistem.")

    async def _recipients_at_once(
        self, loaded: Loaded[State], message: Message, recipients: Sequence[Recipient]
    ) -> Sequence[Recipient]:
        """Return those who want this email at once; for those who want to read of it in the digest, it is noted there."""
        if self._preferences is None or message.kind not in MOMENTS:
            return recipients
        at_once = []
        for recipient in recipients:
            timing = await self._preferences.timing(recipient.username, message.kind)
            if timing == "now":
                at_once.append(recipient)
            elif timing == "digest":
                await self._preferences.add_digest_item(
                    recipient.username, message.id, message.kind, loaded.state.number
                )
        return at_once


def _reminder_key(request_id: str, command: FireReminder) -> CommandKey:
    return CommandKey(str(uuid.uuid5(uuid.UUID(request_id), command.reminder)), digest="")


def _metric_label(outcome: Outcome, message: Message) -> str:
    """Return the kind of the outcome, or "given_up" if no attempt follows."""
    given_up = outcome.kind not in ("sent", "permanent") and retry_delay(message.tries) is None
    return "given_up" if given_up else outcome.kind
