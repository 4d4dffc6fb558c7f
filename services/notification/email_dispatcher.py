"""Dispatch hands what is due to the mail server: claim, send, and write down what came of it, as commands like any other."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Protocol

from opentelemetry.trace import SpanKind

from services.notification.domain.decisions import (
    EndSending,
    FireReminder,
    Message,
    StartSending,
    State,
    due_at,
    on_due,
)
from services.notification.domain.notification_rules import APPLICANT, Values
from services.notification.email_rendering import Letter, render
from services.notification.staff_links import path_for_person, path_for_role
from shared.clock import NewId
from shared.contracts.notification import MessageOutcome
from shared.identity.accounts import Role
from shared.mail.port import Email, InvalidHeader, Mailer, Outcome, retry_delay
from shared.observability.tracing import set_attributes, start_span
from shared.office_contact import OfficeContact
from shared.runtime.executor import CommandKey, CommandResult, Executor, Loaded
from shared.runtime.metrics import MESSAGES
from shared.storage.port import RecordQuery, StoreUnavailable

logger = logging.getLogger(__name__)

SEND_TIMEOUT_SECONDS = 150.0
"""Seconds after which a send is given up as of unknown outcome; shorter than the claim."""

RETRY_TIMEOUT_SECONDS = 60.0
RETRY_INTERVAL_SECONDS = 0.5
"""Seconds for which, and between which, a claim or an outcome is given again to a store that is away: an outcome that is not
written down means that the letter is sent once more, and a claim that nobody knows of that it waits until that has run out."""


@dataclass(frozen=True, slots=True)
class Recipient:
    name: str
    address: str
    roles: tuple[Role, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """What every e-mail has of the installation: who sends it, who gets answers ("": the sender), and how links begin."""

    sender: str
    origin: str
    reply_to: str
    office: OfficeContact


class StaffDirectory(Protocol):
    """Who is who among the staff, at the moment of sending."""

    async def accounts_with_role(self, role: str) -> Sequence[Recipient]: ...

    async def person(self, username: str) -> Recipient | None: ...


class EmailDispatcher:
    """Attends to one request's ledger when something in it is due."""

    def __init__(
        self,
        executor: Executor[State],
        mailer: Mailer,
        directory: StaffDirectory,
        new_id: NewId,
        email_settings: EmailSettings,
        link: Callable[[str, str], str],
    ) -> None:
        """`link(request_id, number)` is the applicant's tracking link."""
        self._executor, self._mailer, self._directory = executor, mailer, directory
        self._email_settings, self._link = email_settings, link
        self._new_id = new_id

    async def process_due(self, request_id: str) -> None:
        """Fire the reminders that are due, then claim what is to be sent, send it, and write the outcomes down."""
        loaded = await self._executor.read_cached(request_id)
        if loaded is None or not self._is_due(loaded.state):
            # Perhaps another process changed it since it was met here.
            loaded = await self._executor.read(request_id)
        reminders = on_due(loaded.state, self._executor.clock()) if loaded else []
        for command in reminders:
            await self._executor.execute(request_id, command, _reminder_key(request_id, command))
        if reminders:
            loaded = await self._executor.read_cached(request_id)
        now = self._executor.clock()
        due = [message for message in loaded.state.messages if message.due and message.due <= now] if loaded else []
        if due:
            await self._claim_and_send(request_id, self._reminder_key(due))

    def _is_due(self, state: State) -> bool:
        at = due_at(state)
        return at is not None and at <= self._executor.clock()

    async def _claim_and_send(self, request_id: str, claim: CommandKey) -> None:
        claimed = await self._execute_with_retry(request_id, StartSending(), claim)
        # Read before the claim, the ledger would show nothing to send, and the letter would wait until the claim ends.
        loaded = await self._executor.read_cached(request_id, claimed.version)
        if loaded is not None:
            await self._send_claimed(loaded, claim.id)

    async def _send_claimed(self, loaded: Loaded[State], claim: str) -> None:
        """What another claim holds is left to whoever made it, or to the time when that claim ends."""
        in_flight = [
            message for message in loaded.state.messages if message.status == "sending" and message.claim == claim
        ]
        if not in_flight:
            return
        outcomes = await asyncio.gather(*(self._send(loaded, message) for message in in_flight))
        await self._execute_with_retry(loaded.id, EndSending(tuple(outcomes)), self._reminder_key(in_flight))

    async def _execute_with_retry(
        self, request_id: str, command: StartSending | EndSending, key: CommandKey
    ) -> CommandResult:
        """Give a command again with its key while the store is away. Raises StoreUnavailable in the end."""
        deadline = time.monotonic() + RETRY_TIMEOUT_SECONDS
        while True:
            try:
                return await self._executor.execute(request_id, command, key)
            except StoreUnavailable:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(RETRY_INTERVAL_SECONDS)

    def _reminder_key(self, messages: Sequence[Message]) -> CommandKey:
        """A new command's, in the trace of the first of these messages."""
        traceparent = messages[0].traceparent if messages else ""
        return CommandKey(self._new_id(), digest="", traceparent=traceparent)

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
        recipients = await self._recipients(loaded.state, message)
        if not recipients:
            return Outcome("temporary", "Tidak ada penerima yang aktif untuk surel ini.")
        try:
            email = await self._email(loaded, message, recipients)
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                return await self._mailer.send(email)
        except InvalidHeader as error:
            return Outcome("permanent", str(error))
        except TimeoutError:
            return Outcome("unknown", "Peladen surel tidak menjawab dalam batas waktu.")
        except Exception:
            logger.exception("message %s of %s could not be made", message.id, loaded.state.number)
            return Outcome("temporary", "Surel belum dapat disusun karena kesalahan di dalam sistem.")

    async def _recipients(self, state: State, message: Message) -> Sequence[Recipient]:
        if message.to == APPLICANT:
            return [Recipient(state.applicant.name, state.applicant.email)] if state.applicant else []
        kind, _, name = message.to.partition(":")
        if kind == "role":
            return await self._directory.accounts_with_role(name)
        person = await self._directory.person(name)
        return [person] if person else []

    async def _email(self, loaded: Loaded[State], message: Message, recipients: Sequence[Recipient]) -> Email:
        values = dict(message.values)
        if (lead := values.pop("lead_username", None)) is not None:
            contact = await self._directory.person(lead)
            values["contact"] = contact.address if contact else ""
        rendered = render(self._email_content(loaded, message, recipients, values))
        return Email(
            message_id=message.id,
            to=tuple(recipient.address for recipient in recipients),
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            sender=self._email_settings.sender,
            date=message.planned_at,
            reply_to=self._email_settings.reply_to,
            thread_id=_thread_id(loaded.id, message),
        )

    def _email_content(
        self, loaded: Loaded[State], message: Message, recipients: Sequence[Recipient], values: Values
    ) -> Letter:
        state = loaded.state
        name = recipients[0].name if len(recipients) == 1 else ""
        content = partial(Letter, message.kind, name, state.number, state.scope)
        if message.to == APPLICANT:
            link = self._link(loaded.id, state.number)
            return content(link=link, values=values, office=self._email_settings.office)
        link = self._email_settings.origin + _path_for_staff(loaded, message, recipients)
        applicant, unit = (state.applicant.name, state.applicant.unit) if state.applicant else ("", "")
        return content(link=link, values=values, applicant=applicant, unit=unit)

    async def recover_in_flight(self) -> None:
        """After a crash of the only process that sends: what was in hand has an unknown outcome, and is tried again now."""
        find = RecordQuery(order="newest", where={"sending": 1}, limit=200)
        while (page := await self._executor.find(find)).items:
            for loaded in page.items:
                await self._mark_unknown(loaded)

    async def _mark_unknown(self, loaded: Loaded[State]) -> None:
        now = self._executor.clock()
        reason = "Proses berhenti saat surel ini sedang dikirim."
        outcomes = tuple(
            MessageOutcome(message=message.id, status="unknown", reason=reason, retry_at=now + timedelta(seconds=1))
            for message in loaded.state.messages
            if message.status == "sending"
        )
        await self._executor.execute(loaded.id, EndSending(outcomes), CommandKey(self._new_id(), digest=""))


def _reminder_key(request_id: str, command: FireReminder) -> CommandKey:
    return CommandKey(str(uuid.uuid5(uuid.UUID(request_id), command.reminder)), digest="")


def _thread_id(request_id: str, message: Message) -> str:
    """What all e-mails about a request to its applicant, or to staff, name as the message that they answer."""
    return f"{request_id}.{'applicant' if message.to == APPLICANT else 'staff'}.thread"


def _path_for_staff(loaded: Loaded[State], message: Message, recipients: Sequence[Recipient]) -> str:
    kind, _, name = message.to.partition(":")
    if kind == "role":
        return path_for_role(loaded.id, Role(name))
    is_lead = loaded.state.lead is not None and loaded.state.lead.username == name
    return path_for_person(loaded.id, recipients[0].roles, is_lead=is_lead)


def _metric_label(outcome: Outcome, message: Message) -> str:
    """The outcome; one after which nothing is tried any more has a name of its own."""
    is_final = outcome.kind in ("sent", "permanent") or retry_delay(message.tries) is not None
    return outcome.kind if is_final else "given_up"
