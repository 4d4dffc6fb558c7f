"""A minimal SMTP server that accepts everything and only counts.

It shares the cores with the server under test, and a complete SMTP library would take more CPU per message than some of what is
measured. It stores only the Message-IDs. A line on the control port is answered with the counts as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
from typing import Any

import uvloop

MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
END = b"\r\n.\r\n"


class Counts:
    """The numbers of messages, of recipients and of distinct Message-IDs."""

    def __init__(self) -> None:
        self.messages = 0
        self.recipients = 0
        self.connections = 0
        self.ids: set[bytes] = set()

    def count(self, message: bytes, recipients: int) -> None:
        self.messages += 1
        self.recipients += recipients
        found = MESSAGE_ID.search(message)
        self.ids.add(found.group(1) if found else b"%d" % self.messages)

    def to_json(self) -> bytes:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return json.dumps(
            {
                "messages": self.messages,
                "recipients": self.recipients,
                "distinct": len(self.ids),
                "connections": self.connections,
                "cpu": used.ru_utime + used.ru_stime,
            }
        ).encode()


class Session(asyncio.Protocol):
    """One SMTP connection; commands may be pipelined."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._buffer = b""
        self._recipients = 0
        self._in_data = False

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        self._counts.connections += 1
        self._reply(b"220 sink ESMTP")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._process_line():
            pass

    def _process_line(self) -> bool:
        head, found, rest = self._buffer.partition(END if self._in_data else b"\r\n")
        if not found:
            return False
        self._buffer = rest
        if self._in_data:
            self._in_data = False
            self._counts.count(head, self._recipients)
            self._recipients = 0
            self._reply(b"250 taken")
        else:
            self._handle_command(head)
        return True

    def _handle_command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self._reply(b"250-sink\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 8BITMIME")
        elif verb == b"DATA":
            self._in_data = True
            self._reply(b"354 go on")
        elif verb == b"QUIT":
            self._reply(b"221 bye")
            self._transport.close()
        elif verb in (b"HELO", b"MAIL", b"RCPT", b"RSET", b"NOOP"):
            self._recipients = {
                b"RCPT": self._recipients + 1,
                b"NOOP": self._recipients,
            }.get(verb, 0)
            self._reply(b"250 ok")
        else:
            self._reply(b"502 not known here")

    def _reply(self, line: bytes) -> None:
        self._transport.write(line + b"\r\n")


async def serve(port: int, control: int) -> None:
    counts = Counts()

    async def report_counts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(counts.to_json() + b"\n")
        writer.close()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(counts), "127.0.0.1", port)
    await asyncio.start_server(report_counts, "127.0.0.1", control)
    await server.serve_forever()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--control", type=int, required=True)
    options = arguments.parse_args()
    uvloop.run(serve(options.port, options.control))


if __name__ == "__main__":
    main()
