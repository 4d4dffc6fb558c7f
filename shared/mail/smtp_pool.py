"""Connections to the mail server: opened when needed, signed in, kept for the next letter, and let go when unused."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiosmtplib import SMTP, SMTPException

from shared.mail.smtp_settings import SmtpLimits, SmtpServer

FAREWELL = 2.0
"""Seconds that the server has to answer QUIT."""
STILL_THERE = 5.0
"""Seconds that the server has to answer on a connection that was not used for a while."""


class Connection:
    """One signed-in connection. `settled` says that no transaction is open on it, so that it may be used again."""

    def __init__(self, smtp: SMTP, limits: SmtpLimits) -> None:
        self._smtp, self._limits = smtp, limits
        self._used_at = asyncio.get_running_loop().time()
        self.reused, self.settled = False, True

    @property
    def alive(self) -> bool:
        return self._smtp.is_connected

    def unused(self) -> float:
        """Seconds since it was last used."""
        return asyncio.get_running_loop().time() - self._used_at

    async def command(self, line: bytes, limit: float | None = None) -> tuple[int, str]:
        """Say a line, and return code and text of the answer. Raises SMTPException or OSError."""
        answer = await self._smtp.execute_command(line, timeout=limit or self._limits.command)
        return answer.code, answer.message

    async def content(self, stuffed: bytes) -> tuple[int, str]:
        """Send what follows DATA's 354, final dot included. Raises ConnectionError only if nothing of it was sent."""
        protocol = self._smtp.protocol
        if protocol is None or not protocol.is_connected:
            raise ConnectionResetError
        protocol.write(stuffed)
        try:
            answer = await protocol.read_response(timeout=self._limits.data)
        except (SMTPException, OSError) as error:
            raise NoReplyAfterData from error
        return answer.code, answer.message

    async def usable(self) -> bool:
        """Whether a letter may be begun on it; asks the server after a rest or a transaction that broke off."""
        if not self.alive:
            return False
        self.reused = True
        if self.settled and self.unused() < self._limits.stale:
            return True
        try:
            code, _ = await self.command(b"RSET", STILL_THERE)
        except (SMTPException, OSError):
            return False
        self.settled = code == 250
        return self.settled

    def rest(self) -> None:
        self._used_at = asyncio.get_running_loop().time()

    def drop(self) -> None:
        self._smtp.close()

    async def part(self) -> None:
        """Say goodbye, but do not wait long for the answer."""
        with suppress(SMTPException, OSError):
            await self._smtp.quit(timeout=FAREWELL)
        self._smtp.close()


class PoolTimeout(ConnectionError):
    """All connections stayed in use for too long; nothing was sent."""


class NoReplyAfterData(Exception):
    """The whole letter was sent and no answer came: the server may have taken it or not."""


class Pool:
    """Up to `limits.connections` connections, the one used last first. All but these wait for their turn."""

    def __init__(self, server: SmtpServer, limits: SmtpLimits, tls: ssl.SSLContext | None) -> None:
        self._server, self._limits, self._tls = server, limits, tls
        self._resting: list[Connection] = []
        self._places = asyncio.Semaphore(limits.connections)
        self._sweep: asyncio.TimerHandle | None = None
        self._parting: set[asyncio.Task[None]] = set()
        self._own_name: str | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for one letter, kept for the next if it is alive afterwards. Raises NoPlace, SMTPException, OSError."""
        await self._wait_for_a_place()
        try:
            connection = await self._take()
            try:
                yield connection
            except BaseException:
                # Whoever gave up in the middle, a cancelled caller too, leaves answers that the next would misread.
                connection.drop()
                raise
            self._keep(connection)
        finally:
            self._places.release()

    async def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        resting, self._resting = self._resting, []
        await asyncio.gather(*(connection.part() for connection in resting), *self._parting)

    async def _wait_for_a_place(self) -> None:
        try:
            async with asyncio.timeout(self._limits.wait):
                await self._places.acquire()
        except TimeoutError:
            raise PoolTimeout from None

    async def _take(self) -> Connection:
        while self._resting:
            connection = self._resting.pop()
            try:
                if await connection.usable():
                    return connection
            except BaseException:
                connection.drop()
                raise
            connection.drop()
        return await self._open()

    def _keep(self, connection: Connection) -> None:
        if not connection.alive:
            return
        connection.rest()
        self._resting.append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._limits.idle, self._let_go)

    def _let_go(self) -> None:
        unused = [connection for connection in self._resting if connection.unused() >= self._limits.idle]
        self._resting = [connection for connection in self._resting if connection not in unused]
        for connection in unused:
            task = asyncio.create_task(connection.part())
            self._parting.add(task)
            task.add_done_callback(self._parting.discard)
        again = asyncio.get_running_loop().call_later
        self._sweep = again(self._limits.idle, self._let_go) if self._resting else None

    async def _open(self) -> Connection:
        server = self._server
        smtp = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            local_hostname=await self._name(),
            timeout=self._limits.command,
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "starttls",
            tls_context=await self._context(),
        )
        await smtp.connect(timeout=self._limits.connect)
        await _greet(smtp)
        return Connection(smtp, self._limits)

    async def _name(self) -> str:
        # Looked up once: without a name server each look-up would take seconds.
        if self._own_name is None:
            name = await asyncio.to_thread(socket.getfqdn)
            self._own_name = name if name.isascii() and not any(map(str.isspace, name)) and name else "localhost"
        return self._own_name

    async def _context(self) -> ssl.SSLContext | None:
        # Made once: reading all the authorities of the system takes longer than many letters.
        if self._tls is None and self._server.tls != "none":
            self._tls = await asyncio.to_thread(ssl.create_default_context)
            if not self._server.verify:
                self._tls.check_hostname = False
                self._tls.verify_mode = ssl.CERT_NONE
        return self._tls


async def _greet(smtp: SMTP) -> None:
    # Without TLS and a user the library leaves the greeting to its own sending, which is not used here.
    try:
        if smtp.is_ehlo_or_helo_needed:
            await smtp.ehlo()
    except BaseException:
        smtp.close()
        raise
