"""A server process with few descriptors.

Usage: `python -m tests.support.services.limited_server_process FOLDER DESCRIPTORS LOOP`.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
from pathlib import Path

from shared.web.http.connections import raise_descriptor_limit
from shared.web.http.server import create_server
from tests.support.services.web_harness import web_harness


async def serve(folder: Path) -> None:
    async with web_harness(folder, connections_per_address=1000) as harness:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        server = create_server(harness.app)
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        await server._serve([listener])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[2])))
    raise_descriptor_limit()
    if sys.argv[3] == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(serve(Path(sys.argv[1])))
