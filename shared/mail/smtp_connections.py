"""A pool of SMTP connections: opened when needed, signed in, kept for the next email and closed when idle."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiosmtplib import SMTP, SMTPException

from shared.mail.smtp_settings import SmtpLimits, SmtpServer

QUIT_TIMEOUT_SECONDS = 2.0
RESET_TIMEOUT_SECONDS = 5.0


class PoolTimeout(ConnectionError):
    """All connections stayed in use for longer than an email may wait; nothing was sent."""


@dataclass(eq=False, slots=True)
class Connection:
    """A signed-in connection; `needs_reset` while a transaction on it is not completed, `released_at` in loop time."""

    smtp: SMTP
    reused: bool = False
    needs_reset: bool = False
    released_at: float = 0.0


class ConnectionPool:
    """Up to `limits.connections` connections, of which the one released last is reused first."""

    def __init__(self, server: SmtpServer, limits: SmtpLimits, tls_context: ssl.SSLContext | None) -> None:
        self._server, self._limits, self._tls_context = server, limits, tls_context
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(limits.connections)
        self._sweep: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._local_hostname: str | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for one email. Raises PoolTimeout, SMTPException and OSError."""
        await self._wait_for_slot()
        try:
            connection = await self._reuse_idle() or Connection(await self._open())
            try:
                yield connection
            except BaseException:
                # A caller that was interrupted leaves responses unread, which the next caller would take for its own.
                connection.smtp.close()
                raise
            self._release(connection)
        finally:
            self._slots.release()

    async def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_quit(connection.smtp) for connection in idle), *self._closing)

    async def _wait_for_slot(self) -> None:
        try:
            async with asyncio.timeout(self._limits.wait):
                await self._slots.acquire()
        except TimeoutError:
            raise PoolTimeout from None

    async def _reuse_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            try:
                if await self._is_usable(connection):
                    connection.reused = True
                    return connection
            except BaseException:
                connection.smtp.close()
                raise
            connection.smtp.close()
        return None

    async def _is_usable(self, connection: Connection) -> bool:
        """Ask the server for a reset after a transaction that was not completed, or after a longer rest."""
        if not connection.smtp.is_connected:
            return False
        if not connection.needs_reset and _idle_seconds(connection) < self._limits.stale:
            return True
        try:
            await connection.smtp.rset(timeout=RESET_TIMEOUT_SECONDS)
        except (SMTPException, OSError):
            return False
        connection.needs_reset = False
        return True

    def _release(self, connection: Connection) -> None:
        if not connection.smtp.is_connected:
            return
        connection.released_at = asyncio.get_running_loop().time()
        self._idle.append(connection)
        if self._sweep is None:
            self._schedule_sweep()

    def _schedule_sweep(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(self._limits.idle, self._close_idle)

    def _close_idle(self) -> None:
        expired = [connection for connection in self._idle if _idle_seconds(connection) >= self._limits.idle]
        self._idle = [connection for connection in self._idle if connection not in expired]
        for connection in expired:
            task = asyncio.create_task(_quit(connection.smtp))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._sweep = None
        if self._idle:
            self._schedule_sweep()

    async def _open(self) -> SMTP:
        server = self._server
        smtp = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            local_hostname=await self._get_local_hostname(),
            timeout=self._limits.command,
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "starttls",
            tls_context=await self._get_tls_context(),
        )
        await smtp.connect(timeout=self._limits.connect)
        try:
            # Without TLS and a user the library greets on the first command, and falls back to HELO if EHLO is refused.
            if smtp.is_ehlo_or_helo_needed:
                await smtp.ehlo()
        except BaseException:
            smtp.close()
            raise
        return smtp

    async def _get_local_hostname(self) -> str:
        # Looked up once: without a name server every lookup takes seconds.
        if self._local_hostname is None:
            name = await asyncio.to_thread(socket.getfqdn)
            is_valid = bool(name) and name.isascii() and not any(map(str.isspace, name))
            self._local_hostname = name if is_valid else "localhost"
        return self._local_hostname

    async def _get_tls_context(self) -> ssl.SSLContext | None:
        # Made once: reading the certificate authorities of the system takes longer than sending many emails.
        if self._tls_context is None and self._server.tls != "none":
            self._tls_context = await asyncio.to_thread(ssl.create_default_context)
            if not self._server.verify:
                self._tls_context.check_hostname = False
                self._tls_context.verify_mode = ssl.CERT_NONE
        return self._tls_context


def _idle_seconds(connection: Connection) -> float:
    return asyncio.get_running_loop().time() - connection.released_at


async def _quit(smtp: SMTP) -> None:
    with suppress(SMTPException, OSError):
        await smtp.quit(timeout=QUIT_TIMEOUT_SECONDS)
    smtp.close()
