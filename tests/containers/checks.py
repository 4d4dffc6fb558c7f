"""What is seen of docker-compose.yml while it runs, one after the other; each may stand on those before it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx

from services.cli.client import Patience, SimpulClient, connected
from services.cli.demo import WIT
from services.cli.demo_cases import case
from services.cli.demo_staff import PLAYERS
from services.cli.shapes import Submitted, Upload
from services.routing import PREFIXES
from services.wiring import BUILDERS
from shared.identity.passwords import make_password
from shared.settings import MIB
from tests.containers.containers import ROOT, Site
from tests.support.files import small_pdf

REQUESTS = 24
TIMES = 10
"""Enough of each address that chance will not give all to one."""
SOON = 90.0
FORGED = "203.0.113.77"
GATEWAY = "172.30.84.2"
PIECE = bytes(64 * 1024)
PDF = small_pdf()


@dataclass
class Ground:
    """The site, who works there, and what was measured."""

    site: Site
    folder: Path
    passwords: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def accounts(self) -> Path:
        return self.folder / "accounts.json"

    def demo(self, requests: int) -> subprocess.Popen[str]:
        """`simpul demo` on this machine, through the gateway."""
        words = (
            "demo",
            "--requests",
            str(requests),
            "--url",
            self.site.url,
            "--accounts",
            str(self.accounts),
            "--json",
        )
        return subprocess.Popen(
            [sys.executable, "-m", "services", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def comes_up(ground: Ground) -> str:
    """the image is built and everything comes up, in order"""
    ground.site.up()
    states = ground.site.compose("ps", "--all", "--format", "{{.Service}} {{.State}} {{.Health}} {{.ExitCode}}")
    told = sorted(line.split() for line in states.splitlines())
    assert ["prepare", "exited", "0"] in [[line[0], line[1], line[-1]] for line in told], states
    assert all(line[2] == "healthy" for line in told if line[0] != "prepare"), states
    return f"{len(told)} containers"


def topic_is_made(ground: Ground) -> str:
    """the topic has 24 partitions and is kept for ever"""
    words = ("kafka", "/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9092", "--describe")
    told = ground.site.compose("exec", "-T", *words, "--topic", "simpul.requests")
    assert re.search(r"PartitionCount:\s*24\b", told), told
    assert "retention.ms=-1" in told, told
    return ""


def staff_are_added(ground: Ground) -> str:
    """staff are added by a command inside"""
    for username, name, role in PLAYERS:
        password = ground.passwords[username] = make_password()
        words = ("staff", "add", username, "--name", name, "--email", f"{username}@kantor.example", "--role", role)
        ground.site.simpul(*words, "--password-stdin", given=password)
    accounts = [{"username": name, "password": ground.passwords[name], "roles": [role]} for name, _, role in PLAYERS]
    ground.accounts.write_text(json.dumps(accounts))
    return f"{len(accounts)} accounts"


def scales(ground: Ground) -> str:
    """every service runs twice"""
    ground.site.up(**dict.fromkeys(BUILDERS, 2))
    running = {name: len(ground.site.containers(name)) for name in BUILDERS}
    assert set(running.values()) == {2}, running
    return ""


def requests_go_through(ground: Ground) -> str:
    """made-up requests go their whole ways through the gateway"""
    told = ended(ground.demo(REQUESTS))
    ground.figures["demo"] = {name: told[name] for name in ("requests", "ok", "failed", "seconds", "per_second")}
    assert told["failed"] == 0, told["errors"][:3]
    return f"{told['ok']} of {told['requests']}, {told['per_second']:.1f} a second"


def both_answer(ground: Ground) -> str:
    """the gateway gives work to both processes of each service"""
    for prefix in PREFIXES:
        for _ in range(TIMES):
            httpx.get(f"{ground.site.url}{prefix}")
    answered = {name: _answered(ground.site.log(name)) for each in BUILDERS for name in ground.site.containers(each)}
    ground.figures["answered"] = answered
    assert min(answered.values()) > 0, answered
    return ""


def letters_arrive(ground: Ground) -> str:
    """e-mails have arrived at Mailpit, which is looked at on this machine"""
    told = httpx.get(f"{ground.site.mail}/api/v1/messages", params={"limit": 1}).json()
    assert told["total"] > REQUESTS, told
    return f"{told['total']} letters"


def news_pass_at_once(ground: Ground) -> str:
    """live news pass the gateway at once"""
    seconds = asyncio.run(_news(ground))
    ground.figures["news_seconds"] = round(seconds, 3)
    assert seconds < 3, seconds
    return f"{seconds * 1000:.0f} ms after the answer to who submitted"


def big_files_pass(ground: Ground) -> str:
    """files up to the limit pass the gateway, bigger ones are refused in the service's own words before they are there"""
    asyncio.run(_big_file(ground))
    refused = _refused(ground.site.url, 70 * MIB)
    assert (refused["status"], "60 MiB" in refused["detail"]) == (413, True), refused
    return ""


def forged_addresses_do_not_count(ground: Ground) -> str:
    """an address that a visitor makes up does not count"""
    said = {"username": "nobody", "password": "wrong-wrong-wrong"}
    answer = httpx.post(f"{ground.site.url}/api/session", json=said, headers={"X-Forwarded-For": FORGED})
    assert answer.status_code == 401, answer.text
    logs = "\n".join(map(ground.site.log, ground.site.containers("notification")))
    [*_, address] = re.findall(r"refused from ([\d.]+)", logs)
    assert address not in (FORGED, GATEWAY), address
    assert FORGED not in logs
    return f"seen as {address}"


def nothing_else_is_open(ground: Ground) -> str:
    """metrics and API documents are closed, and nothing but the gateway is published"""
    assert httpx.get(f"{ground.site.url}/metrics").status_code == 404
    assert httpx.get(f"{ground.site.url}/api/docs", headers={"Accept": "application/json"}).status_code in (401, 403)
    ports = ground.site.compose("ps", "--format", "{{.Service}} {{.Ports}}")
    published = {line.split()[0] for line in ports.splitlines() if "->" in line}
    assert published == {"gateway"}, ports
    return ""


def numbers_are_for_who_has_the_token(ground: Ground) -> str:
    """a process gives its numbers to who is in its network and has the token"""
    ask = (
        "import os, urllib.request as web; token = os.environ['SIMPUL_METRICS_TOKEN'];"
        "asked = web.Request('http://verification:8000/metrics', headers={'Authorization': 'Bearer ' + token});"
        "print(web.urlopen(asked, timeout=10).read().decode())"
    )
    told = ground.site.compose("exec", "-T", "intake", "python", "-c", ask)
    assert 'simpul_consumer_lag_records{service="verification"}' in told, told[:300]
    return ""


def killed_ones_come_back(ground: Ground) -> str:
    """a process of each service is killed while requests go through; it comes back, and no request is lost"""
    demo, back = ground.demo(REQUESTS), {}
    for service in BUILDERS:
        time.sleep(2)
        back[service] = round(_killed(ground, service), 1)
    told = ended(demo)
    ground.figures["back_after_seconds"] = back
    ground.figures["demo_while_killed"] = {name: told[name] for name in ("ok", "failed", "seconds")}
    assert told["failed"] == 0, told["errors"][:3]
    return f"{told['ok']} of {told['requests']}; back after {back}"


def engines_come_back(ground: Ground) -> str:
    """Kafka, MongoDB and MinIO are killed in turn; they come back, and requests go through again"""
    for engine in ("kafka", "mongo", "minio"):
        _killed(ground, engine)
    ground.site.up(**dict.fromkeys(BUILDERS, 2))
    told = ended(ground.demo(REQUESTS // 2))
    assert told["failed"] == 0, told["errors"][:3]
    return f"{told['ok']} of {told['requests']}"


def log_is_whole(ground: Ground) -> str:
    """`simpul events verify` finds the log whole and the states its fold"""
    return ground.site.simpul("events", "verify").strip().splitlines()[-1]


def stays_small(ground: Ground) -> str:
    """memory stays under the limits"""
    config = json.loads(ground.site.compose("config", "--format", "json"))["services"]
    held = {name: _held(pid) for name, pid in ground.site.containers().items()}
    ground.figures["memory_mib"] = held
    limits = {name: int(config[_service(name)]["mem_limit"]) / MIB for name in held}
    assert [name for name in held if held[name] > 0.8 * limits[name]] == [], held
    return json.dumps(held)


CHECKS: tuple[Callable[[Ground], str], ...] = (
    comes_up,
    topic_is_made,
    staff_are_added,
    scales,
    requests_go_through,
    both_answer,
    letters_arrive,
    news_pass_at_once,
    big_files_pass,
    forged_addresses_do_not_count,
    nothing_else_is_open,
    numbers_are_for_who_has_the_token,
    killed_ones_come_back,
    engines_come_back,
    log_is_whole,
    stays_small,
)


def ended(demo: subprocess.Popen[str]) -> dict[str, Any]:
    """What the demo tells at its end."""
    out, err = demo.communicate(timeout=600)
    assert out, err[-500:]
    told: dict[str, Any] = json.loads(out)
    return told


def _answered(log: str) -> int:
    """How often it answered somebody else than its health check."""
    return sum("answered" in line and "/health/" not in line for line in log.splitlines())


async def _news(ground: Ground) -> float:
    """Seconds from the answer to a submission until an officer's open page hears of it."""
    async with connected(ground.site.url, patience=Patience(seconds=20)) as anybody:
        officer = await anybody.signed_in(PLAYERS[0][0], ground.passwords[PLAYERS[0][0]])
        headers = {"Authorization": f"Bearer {officer.token}"}
        async with anybody.http.stream("GET", "/api/verification/live", headers=headers) as stream:
            lines = stream.aiter_lines()
            assert (await anext(lines)).startswith("retry:")
            submitted = await _submit(anybody, 9001)
            answered = time.monotonic()
            async with asyncio.timeout(20):
                async for line in lines:
                    if line.startswith("data:") and submitted["id"] in line:
                        return time.monotonic() - answered
    raise AssertionError("the stream ended")


async def _big_file(ground: Ground) -> None:
    async with connected(ground.site.url, patience=Patience(seconds=20)) as anybody:
        whole = await _submit(anybody, 9002, 24 * MIB)
        track = anybody.holding(whole["tracking_token"])
        assert (await track.track(whole["number"]))["number"] == whole["number"]


def _refused(url: str, size: int) -> dict[str, Any]:
    """What is answered to who sends a body of this size and, as browsers do, reads while sending."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/api/requests")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    for _ in range(size // len(PIECE)):
        connection.send(PIECE)
        if select.select([connection.sock], [], [], 0.01)[0]:
            break
    told: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return told


async def _submit(anybody: SimpulClient, number: int, size: int = 0) -> Submitted:
    form = case(1, number, datetime.now(WIT).date()).form
    letter = Upload("surat.pdf", PDF + b"%" * size, "application/pdf")
    return await anybody.submit(form, letter, [Upload("kebutuhan.pdf", PDF, "application/pdf")])


def _killed(ground: Ground, service: str) -> float:
    """Kill the first process of one of its containers; seconds until as many run as before."""
    before = ground.site.containers(service)
    pid = next(iter(before.values()))
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        now = ground.site.containers(service)
        return now.keys() == before.keys() and pid not in now.values() and all(now.values())

    return _until(back)


def _until(holds: Callable[[], bool]) -> float:
    """Seconds until it holds. Raises AssertionError if that takes too long."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < SOON, "it did not come back"
        time.sleep(0.5)
    return time.monotonic() - begun


def _service(container: str) -> str:
    return container.rsplit("-", 2)[1]


def _held(pid: int) -> int:
    """MiB that a process and those below it hold, on a system with /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    rss = int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
    return rss // 1024 + sum(map(_held, map(int, children)))
