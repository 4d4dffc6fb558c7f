"""An SMTP server that follows a script: it refuses, stalls, disconnects or delays at a step."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANG_UP, SILENCE = "hang up", "silence"


@dataclass
class ReceivedEmail:
    sender: str
    recipients: list[str]
    content: bytes


@dataclass
class Script:
    """What to say at a step instead of yes: `HANG_UP`, `SILENCE`, or a line such as `451 later`.

    Steps are greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA (the command), CONTENT (after the final dot), RSET, and
    `RCPT <address>` for one recipient. Each answer in a list is used once, then comes yes again.
    """

    answers: dict[str, str | list[str]] = field(default_factory=dict)
    user: tuple[str, str] | None = None
    auth: str = "PLAIN LOGIN"
    delay: float = 0.0
    hang_up_after: int = 0

    def answer(self, step: str, yes: str) -> str:
        told = self.answers.get(step, yes)
        if isinstance(told, str):
            return told
        return told.pop(0) if told else yes


class ScriptedSmtp:
    """Listens on a local port; `received` has the messages, `lines` the commands."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None, implicit: bool = False) -> None:
        self.script, self.tls, self.implicit = script, tls, implicit
        self.received: list[ReceivedEmail] = []
        self.lines: list[str] = []
        self.connections = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ScriptedSmtp]:
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0, ssl=self.tls if self.implicit else None)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.hang_up()
            await asyncio.sleep(0)

    @property
    def open_connections(self) -> int:
        return len(self._writers)

    def hang_up(self):
        """Drop every connection, like a restart of the server."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.connections += 1
        self._writers.add(writer)
        try:
            await SmtpConversation(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class SmtpConversation:
    def __init__(self, server: ScriptedSmtp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.secure, self.open = server.implicit, True
        self.sender, self.taken = "", 0
        self.recipients: list[str] = []

    async def run(self):
        await self.say("greeting", "220 scripted ESMTP")
        while self.open and (line := (await self.reader.readline()).decode().rstrip("\r\n")):
            self.server.lines.append(line)
            await self.handle_line(line)

    async def handle_line(self, line: str):
        match line.split(" ", 1)[0].upper():
            case "EHLO":
                await self.say("EHLO", self.offers())
            case "STARTTLS":
                await self.start_tls()
            case "AUTH":
                await self.sign_in(line.split())
            case "MAIL":
                self.sender, self.recipients = inside(line), []
                await self.say("MAIL", "250 ok")
            case "RCPT":
                await self.recipient(inside(line))
            case "DATA":
                await self.content()
            case "QUIT":
                await self.say("QUIT", "221 bye")
                self.open = False
            case other:
                await self.say(other, "250 ok")

    def offers(self) -> str:
        offers = ["scripted"]
        if self.server.tls and not self.secure:
            offers.append("STARTTLS")
        if self.server.script.user:
            offers.append(f"AUTH {self.server.script.auth}")
        return "\r\n".join([*(f"250-{offer}" for offer in offers), "250 HELP"])

    async def start_tls(self):
        if await self.say("STARTTLS", "220 go on"):
            assert self.server.tls
            plain = self.writer.transport
            try:
                await self.writer.start_tls(self.server.tls)
            except AttributeError:
                # Python 3.11 leaves no transport when the other side refuses the certificate, and trips over it later.
                self.writer._transport = plain  # type: ignore[attr-defined]
                raise ConnectionResetError from None
            self.secure = True

    async def sign_in(self, words: list[str]):
        if words[1].upper() == "PLAIN":
            _, user, password = base64.b64decode(words[2]).decode().split("\0")
        else:
            user = base64.b64decode(words[2]).decode()
            await self.say("LOGIN", "334 UGFzc3dvcmQ6")
            password = base64.b64decode(await self.reader.readline()).decode()
        known = (user, password) == self.server.script.user
        await self.say("AUTH", "235 welcome" if known else f"535 {user} is not known here")

    async def recipient(self, address: str):
        yes = self.server.script.answer("RCPT", "250 ok")
        said = self.server.script.answer(f"RCPT {address}", yes)
        if said.startswith("250"):
            self.recipients.append(address)
        await self.tell(said)

    async def content(self):
        if not await self.say("DATA", "354 go on"):
            return
        content = await self.reader.readuntil(b"\r\n.\r\n")
        plain = content[:-3].replace(b"\r\n..", b"\r\n.")
        said = self.server.script.answer("CONTENT", "250 taken")
        if said.startswith("250") or said in (HANG_UP, SILENCE):
            self.server.received.append(ReceivedEmail(self.sender, self.recipients, plain))
        await self.tell(said)
        self.taken += 1
        if self.taken == self.server.script.hang_up_after:
            self.open = False

    async def say(self, step: str, yes: str) -> bool:
        said = self.server.script.answer(step, yes)
        await self.tell(said)
        return said == yes

    async def tell(self, said: str):
        await asyncio.sleep(self.server.script.delay)
        if said == HANG_UP:
            self.open = False
        elif said == SILENCE:
            await self.reader.read(1)
            self.open = False
        else:
            self.writer.write(said.encode() + b"\r\n")
            await self.writer.drain()


def inside(line: str) -> str:
    return line[line.index("<") + 1 : line.index(">")]
