"""Mail over SMTP, telling apart what was surely not taken, what never will be, and what nobody can know."""

from __future__ import annotations

import logging
import ssl

from aiosmtplib import SMTPAuthenticationError, SMTPException, SMTPResponseException

from shared.mail.address import mask_address, mask_addresses
from shared.mail.mime import build_message, sender_address
from shared.mail.port import Email, Outcome
from shared.mail.smtp_pool import Connection, NoReplyAfterData, Pool, PoolTimeout
from shared.mail.smtp_settings import SmtpLimits, SmtpServer, parse_smtp_url

logger = logging.getLogger(__name__)

CLIENT_ERROR_CODES = frozenset({421, 530, 534, 535, 538, 454})
"""Answers that refuse this client for now (busy, not signed in), and say nothing of the letter."""

_UNREACHED = "Peladen surel tidak dapat dihubungi."
_BUSY = "Semua sambungan ke peladen surel sedang dipakai."
_NOT_OFFERED = "Peladen surel tidak menyediakan sambungan aman (STARTTLS) atau cara masuk yang diminta."
_BROKE_OFF = "Sambungan ke peladen surel terputus sebelum surel selesai dikirim."
_SILENT = "Surel sudah dikirim, tetapi peladen surel tidak menjawab."
_SIGN_IN = "Peladen surel menolak nama pengguna atau kata sandi."
_TLS = "Sambungan aman ke peladen surel gagal: sertifikatnya tidak dapat dipercaya."


class SmtpMailer:
    """A Mailer to the server at `url` (see parse_smtp_url, whose BadSmtpUrl it raises). `password` counts before one in
    `url`; `tls` replaces the system's certificate authorities.
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
        self._pool = Pool(server, self._limits, tls)

    async def send(self, email: Email) -> Outcome:
        letter = build_message(email).replace(b"\r\n.", b"\r\n..") + b".\r\n"
        for _ in range(self._limits.connections + 1):
            outcome = await self._try(email, letter)
            if outcome is not None:
                return outcome
        return Outcome("temporary", _BROKE_OFF)

    async def ready(self) -> bool:
        try:
            async with self._pool.connection() as connection:
                code, _ = await connection.command(b"NOOP")
        except (SMTPException, OSError):
            return False
        return code == 250

    async def close(self) -> None:
        await self._pool.close()

    async def _try(self, email: Email, letter: bytes) -> Outcome | None:
        """None if a kept connection turned out to be gone before the letter was sent: no failure, only a stale one."""
        connection: Connection | None = None
        try:
            async with self._pool.connection() as connection:
                outcome = await _transact(connection, email, letter)
                if connection.reused and not connection.alive and outcome.kind == "temporary":
                    return None
                return outcome
        except NoReplyAfterData:
            return Outcome("unknown", _SILENT)
        except (SMTPException, OSError) as error:
            if connection is None:
                return _connection_failure(error)
            if connection.reused and not isinstance(error, TimeoutError):
                return None
            return Outcome("temporary", _BROKE_OFF)


async def _transact(connection: Connection, email: Email, letter: bytes) -> Outcome:
    """One transaction. Raises SilentAfterData, or SMTPException or OSError if the letter surely was not taken."""
    connection.settled = False
    code, text = await connection.command(b"MAIL FROM:<" + sender_address(email).encode() + b">")
    if code != 250:
        return _refusal_outcome("pengirim", code, text)
    refusals = await _recipients(connection, email)
    if len(refusals) == len(email.to):
        code, text = max(refusals.values(), key=lambda answer: _refusal_outcome("", *answer).kind == "temporary")
        return _refusal_outcome("penerima", code, text)
    code, text = await connection.command(b"DATA")
    if code != 354:
        return _refusal_outcome("isi surel", code, text)
    code, text = await connection.content(letter)
    connection.settled = True
    return _final_outcome(code, text, refusals)


async def _recipients(connection: Connection, email: Email) -> dict[str, tuple[int, str]]:
    refusals = {}
    for address in email.to:
        code, text = await connection.command(b"RCPT TO:<" + address.encode() + b">")
        if code == 421:
            raise ConnectionResetError
        if code not in (250, 251, 252):
            refusals[address] = code, text
    return refusals


def _final_outcome(code: int, text: str, refusals: dict[str, tuple[int, str]]) -> Outcome:
    if 200 <= code < 300:
        return Outcome("sent", _partial_refusal(refusals))
    if 400 <= code < 600:
        return _refusal_outcome("isi surel", code, text)
    return Outcome("unknown", _SILENT)


def _partial_refusal(refusals: dict[str, tuple[int, str]]) -> str:
    if not refusals:
        return ""
    listed = ", ".join(f"{mask_address(address)} ({code})" for address, (code, _) in refusals.items())
    return f"Tidak diterima untuk: {listed}."


def _refusal_outcome(what: str, code: int, text: str) -> Outcome:
    permanent = 500 <= code < 600 and code not in CLIENT_ERROR_CODES
    words = " ".join(mask_addresses(text).split())
    reply = "".join(character for character in words if character.isprintable())[:200]
    return Outcome("permanent" if permanent else "temporary", f"Peladen surel menolak {what}: {code} {reply}".rstrip())


def _connection_failure(error: Exception) -> Outcome:
    """Nothing that happens before a letter is begun says anything about the letter, so that it stays worth a try."""
    if isinstance(error, PoolTimeout):
        reason = _BUSY
    elif isinstance(error, SMTPAuthenticationError):
        reason = _SIGN_IN
    elif isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        reason = _TLS
    elif isinstance(error, SMTPResponseException):
        reason = _refusal_outcome("sambungan", error.code, error.message).reason
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
