"""A mailer over SMTP, whose outcomes distinguish temporary, permanent and unknown failures."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponse,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPStatus,
)

from shared.mail.address import mask_address, mask_addresses
from shared.mail.mime import build_message, sender_address
from shared.mail.port import Email, Outcome
from shared.mail.smtp_connections import Connection, ConnectionPool, PoolTimeout
from shared.mail.smtp_settings import SmtpLimits, SmtpServer, parse_smtp_url

logger = logging.getLogger(__name__)

CLIENT_ERROR_CODES = frozenset({421, 530, 534, 535, 538, 454})
"""Replies that refuse this client for now (busy, not signed in) and say nothing about the email."""

Refusals = Mapping[str, SMTPResponseException]

_UNREACHED = "Peladen surel tidak dapat dihubungi."
_BUSY = "Semua sambungan ke peladen surel sedang dipakai."
_NOT_OFFERED = "Peladen surel tidak menyediakan sambungan aman (STARTTLS) atau cara masuk yang diminta."
_BROKE_OFF = "Sambungan ke peladen surel terputus sebelum surel selesai dikirim."
_SILENT = "Surel sudah dikirim, tetapi peladen surel tidak menjawab."
_SIGN_IN = "Peladen surel menolak nama pengguna atau kata sandi."
_TLS = "Sambungan aman ke peladen surel gagal: sertifikatnya tidak dapat dipercaya."


class NoReplyToContent(Exception):
    """The content was sent and not answered, so that the server may have accepted the email or not."""


class SmtpMailer:
    """A Mailer for the server at `url`.

    `password` takes precedence over one in `url`; `tls` replaces the certificate authorities of the system. Raises
    InvalidSmtpUrl (see parse_smtp_url).
    """

    def __init__(
        self,
        url: str,
        password: str | None = None,
        *,
        limits: SmtpLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        server, self._limits = parse_smtp_url(url, password), limits or SmtpLimits()
        _warn_about_insecure_settings(server)
        self._pool = ConnectionPool(server, self._limits, tls)

    async def send(self, email: Email) -> Outcome:
        content = build_message(email).replace(b"\r\n.", b"\r\n..") + b".\r\n"
        for _ in range(self._limits.connections + 1):
            outcome = await self._send_once(email, content)
            if outcome is not None:
                return outcome
        return Outcome("temporary", _BROKE_OFF)

    async def ready(self) -> bool:
        try:
            async with self._pool.connection() as connection:
                await connection.smtp.noop()
        except (SMTPException, OSError):
            return False
        return True

    async def close(self) -> None:
        await self._pool.close()

    async def _send_once(self, email: Email, content: bytes) -> Outcome | None:
        """Return None if a reused connection turned out to be closed, which is no failure of this email."""
        connection: Connection | None = None
        try:
            async with self._pool.connection() as connection:
                outcome = await self._send_on(connection, email, content)
                was_closed = connection.reused and not connection.smtp.is_connected
                return None if was_closed and outcome.kind == "temporary" else outcome
        except NoReplyToContent:
            return Outcome("unknown", _SILENT)
        except (SMTPException, OSError) as error:
            if connection is None:
                return _connection_failure(error)
            if connection.reused and not isinstance(error, TimeoutError):
                return None
            return Outcome("temporary", _BROKE_OFF)

    async def _send_on(self, connection: Connection, email: Email, content: bytes) -> Outcome:
        """Run one transaction.

        Raises NoReplyToContent, or SMTPException or OSError if the email was certainly not accepted.
        """
        smtp, connection.needs_reset = connection.smtp, True
        try:
            await smtp.mail(sender_address(email))
            refusals = await _send_recipients(smtp, email.to)
            if len(refusals) == len(email.to):
                return _all_refused(refusals)
            response = await _send_content(smtp, content, self._limits.data)
        except SMTPSenderRefused as refusal:
            return _refusal_outcome("pengirim", refusal)
        except SMTPDataError as refusal:
            return _refusal_outcome("isi surel", refusal)
        connection.needs_reset = False
        return _content_outcome(response, refusals)


async def _send_recipients(smtp: SMTP, addresses: tuple[str, ...]) -> Refusals:
    refusals: dict[str, SMTPResponseException] = {}
    for address in addresses:
        try:
            await smtp.rcpt(address)
        except SMTPRecipientRefused as refusal:
            if refusal.code == SMTPStatus.domain_unavailable:
                raise SMTPServerDisconnected(refusal.message) from refusal
            if refusal.code != SMTPStatus.cannot_vrfy:
                refusals[address] = refusal
    return refusals


async def _send_content(smtp: SMTP, content: bytes, timeout_seconds: float) -> SMTPResponse:
    """Send DATA and the content. Raises SMTPDataError if DATA is refused, NoReplyToContent."""
    response = await smtp.execute_command(b"DATA")
    if response.code != SMTPStatus.start_input:
        raise SMTPDataError(response.code, response.message)
    # SMTP.data() raises the same errors before and after the content is sent, but an email may be repeated only before.
    if smtp.protocol is None:
        raise SMTPServerDisconnected("connection lost before the content")
    smtp.protocol.write(content)
    try:
        return await smtp.protocol.read_response(timeout=timeout_seconds)
    except (SMTPException, OSError) as error:
        raise NoReplyToContent from error


def _content_outcome(response: SMTPResponse, refusals: Refusals) -> Outcome:
    if 200 <= response.code < 300:
        return Outcome("sent", _partial_refusal(refusals))
    if 400 <= response.code < 600:
        return _refusal_outcome("isi surel", SMTPDataError(response.code, response.message))
    return Outcome("unknown", _SILENT)


def _all_refused(refusals: Refusals) -> Outcome:
    """Return a temporary refusal if there is one: that recipient may be accepted later."""
    outcomes = [_refusal_outcome("penerima", refusal) for refusal in refusals.values()]
    return next((outcome for outcome in outcomes if outcome.kind == "temporary"), outcomes[0])


def _partial_refusal(refusals: Refusals) -> str:
    if not refusals:
        return ""
    listed = ", ".join(f"{mask_address(address)} ({refusal.code})" for address, refusal in refusals.items())
    return f"Tidak diterima untuk: {listed}."


def _refusal_outcome(subject: str, refusal: SMTPResponseException) -> Outcome:
    permanent = 500 <= refusal.code < 600 and refusal.code not in CLIENT_ERROR_CODES
    reply = " ".join(mask_addresses(refusal.message).split())
    printable = "".join(character for character in reply if character.isprintable())[:200]
    reason = f"Peladen surel menolak {subject}: {refusal.code} {printable}".rstrip()
    return Outcome("permanent" if permanent else "temporary", reason)


def _connection_failure(error: Exception) -> Outcome:
    """Return a temporary outcome: nothing that happens before a transaction says anything about the email."""
    if isinstance(error, PoolTimeout):
        reason = _BUSY
    elif isinstance(error, SMTPAuthenticationError):
        reason = _SIGN_IN
    elif isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        reason = _TLS
    elif isinstance(error, SMTPResponseException):
        reason = _refusal_outcome("sambungan", error).reason
    elif type(error) is SMTPException:
        reason = _NOT_OFFERED
    else:
        reason = _UNREACHED
    logger.warning("no connection to the mail server: %s", type(error).__name__)
    return Outcome("temporary", reason)


def _warn_about_insecure_settings(server: SmtpServer) -> None:
    if server.tls == "none" and server.user and server.host not in ("localhost", "127.0.0.1", "::1"):
        logger.warning("the password of the mail server goes over the network unencrypted (tls=none)")
    if server.tls != "none" and not server.verify:
        logger.warning("the certificate of the mail server is not checked (verify=no)")
