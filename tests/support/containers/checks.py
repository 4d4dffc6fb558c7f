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

from shared.calendar import WIT
from shared.identity.passwords import generate_password
from shared.settings import MIB
from simpul.client import RetryPolicy, SimpulClient, open_client
from simpul.client_types import SubmissionResult, Upload
from simpul.demo.accounts import DEMO_STAFF
from simpul.demo.sample_requests import sample_request
from simpul.registry import BUILDERS
from simpul.routing import PATH_PREFIXES
from tests.support.containers.compose import ROOT, ComposeProject
from tests.support.minimal_files import small_pdf

REQUESTS = 24
REQUESTS_PER_PREFIX = 10
"""Enough of each address that chance will not give all to one."""
TIMEOUT_SECONDS = 90.0
FORGED = "203.0.113.77"
GATEWAY = "172.30.84.2"
CHUNK = bytes(64 * 1024)
PDF = small_pdf()


@dataclass
class ComposeTrial:
    """The site, who works there, and what was measured."""

    project: ComposeProject
    folder: Path
    passwords: dict[str, str] = field(default_factory=dict)
    measurements: dict[str, Any] = field(default_factory=dict)

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
            self.project.url,
            "--accounts",
            str(self.accounts),
            "--json",
        )
        return subprocess.Popen(
            [sys.executable, "-m", "simpul", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def comes_up(trial: ComposeTrial) -> str:
    """The image is built and everything comes up, in order"""
    trial.project.up()
    states = trial.project.compose("ps", "--all", "--format", "{{.Service}} {{.State}} {{.Health}} {{.ExitCode}}")
    told = sorted(line.split() for line in states.splitlines())
    assert ["prepare", "exited", "0"] in [[line[0], line[1], line[-1]] for line in told], states
    assert all(line[2] == "healthy" for line in told if line[0] != "prepare"), states
    return f"{len(told)} containers"


def topic_is_made(trial: ComposeTrial) -> str:
    """The topic has 24 partitions and is kept for ever"""
    words = ("kafka", "/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9092", "--describe")
    told = trial.project.compose("exec", "-T", *words, "--topic", "simpul.requests")
    assert re.search(r"PartitionCount:\s*24\b", told), told
    assert "retention.ms=-1" in told, told
    return ""


def staff_are_added(trial: ComposeTrial) -> str:
    """Staff are added by a command inside"""
    for username, name, role in DEMO_STAFF:
        password = trial.passwords[username] = generate_password()
        words = ("staff", "add", username, "--name", name, "--email", f"{username}@kantor.example", "--role", role)
        trial.project.simpul(*words, "--password-stdin", given=password)
    accounts = [{"username": name, "password": trial.passwords[name], "roles": [role]} for name, _, role in DEMO_STAFF]
    trial.accounts.write_text(json.dumps(accounts))
    return f"{len(accounts)} accounts"


def scales(trial: ComposeTrial) -> str:
    """Every service runs twice"""
    trial.project.up(**dict.fromkeys(BUILDERS, 2))
    running = {name: len(trial.project.containers(name)) for name in BUILDERS}
    assert set(running.values()) == {2}, running
    return ""


def requests_go_through(trial: ComposeTrial) -> str:
    """made-up requests go their whole ways through the gateway"""
    told = demo_result(trial.demo(REQUESTS))
    trial.measurements["demo"] = {name: told[name] for name in ("requests", "ok", "failed", "seconds", "per_second")}
    assert told["failed"] == 0, told["errors"][:3]
    return f"{told['ok']} of {told['requests']}, {told['per_second']:.1f} a second"


def both_replicas_answer(trial: ComposeTrial) -> str:
    """The gateway gives work to both processes of each service"""
    for prefix in PATH_PREFIXES:
        for _ in range(REQUESTS_PER_PREFIX):
            httpx.get(f"{trial.project.url}{prefix}")
    answered = {
        name: _answered(trial.project.log(name)) for each in BUILDERS for name in trial.project.containers(each)
    }
    trial.measurements["answered"] = answered
    assert min(answered.values()) > 0, answered
    return ""


def emails_arrive(trial: ComposeTrial) -> str:
    """e-mails have arrived at Mailpit, which is looked at on this machine"""
    told = httpx.get(f"{trial.project.mail}/api/v1/messages", params={"limit": 1}).json()
    assert told["total"] > REQUESTS, told
    return f"{told['total']} letters"


def live_updates_pass_at_once(trial: ComposeTrial) -> str:
    """Live news pass the gateway at once"""
    seconds = asyncio.run(_live_update_seconds(trial))
    trial.measurements["news_seconds"] = round(seconds, 3)
    assert seconds < 3, seconds
    return f"{seconds * 1000:.0f} ms after the answer to who submitted"


def big_files_pass(trial: ComposeTrial) -> str:
    """Files up to the limit pass the gateway, bigger ones are refused in the service's own words before they are there"""
    asyncio.run(_big_file(trial))
    refused = _refused(trial.project.url, 70 * MIB)
    assert (refused["status"], "60 MiB" in refused["detail"]) == (413, True), refused
    return ""


def forged_addresses_do_not_count(trial: ComposeTrial) -> str:
    """An address that a visitor makes up does not count"""
    said = {"username": "nobody", "password": "wrong-wrong-wrong"}
    answer = httpx.post(f"{trial.project.url}/api/session", json=said, headers={"X-Forwarded-For": FORGED})
    assert answer.status_code == 401, answer.text
    logs = "\n".join(map(trial.project.log, trial.project.containers("notification")))
    [*_, address] = re.findall(r"refused from ([\d.]+)", logs)
    assert address not in (FORGED, GATEWAY), address
    assert FORGED not in logs
    return f"seen as {address}"


def nothing_else_is_open(trial: ComposeTrial) -> str:
    """Metrics and API documents are closed, and nothing but the gateway is published"""
    assert httpx.get(f"{trial.project.url}/metrics").status_code == 404
    assert httpx.get(f"{trial.project.url}/api/docs", headers={"Accept": "application/json"}).status_code in (401, 403)
    ports = trial.project.compose("ps", "--format", "{{.Service}} {{.Ports}}")
    published = {line.split()[0] for line in ports.splitlines() if "->" in line}
    assert published == {"gateway"}, ports
    return ""


def metrics_need_the_token(trial: ComposeTrial) -> str:
    """A process gives its numbers to who is in its network and has the token"""
    ask = (
        "import os, urllib.request as web; token = os.environ['SIMPUL_METRICS_TOKEN'];"
        "asked = web.Request('http://verification:8000/metrics', headers={'Authorization': 'Bearer ' + token});"
        "print(web.urlopen(asked, timeout=10).read().decode())"
    )
    told = trial.project.compose("exec", "-T", "intake", "python", "-c", ask)
    assert 'simpul_consumer_lag_records{service="verification"}' in told, told[:300]
    return ""


def killed_processes_come_back(trial: ComposeTrial) -> str:
    """A process of each service is killed while requests go through; it comes back, and no request is lost"""
    demo, back = trial.demo(REQUESTS), {}
    for service in BUILDERS:
        time.sleep(2)
        back[service] = round(_kill_and_wait(trial, service), 1)
    told = demo_result(demo)
    trial.measurements["back_after_seconds"] = back
    trial.measurements["demo_while_killed"] = {name: told[name] for name in ("ok", "failed", "seconds")}
    assert told["failed"] == 0, told["errors"][:3]
    return f"{told['ok']} of {told['requests']}; back after {back}"


def engines_come_back(trial: ComposeTrial) -> str:
    """Kafka, MongoDB and MinIO are killed in turn; they come back, and requests go through again"""
    for engine in ("kafka", "mongo", "minio"):
        _kill_and_wait(trial, engine)
    trial.project.up(**dict.fromkeys(BUILDERS, 2))
    told = demo_result(trial.demo(REQUESTS // 2))
    assert told["failed"] == 0, told["errors"][:3]
    return f"{told['ok']} of {told['requests']}"


def log_is_whole(trial: ComposeTrial) -> str:
    """`simpul events verify` finds the log whole and the states its fold"""
    return trial.project.simpul("events", "verify").strip().splitlines()[-1]


def memory_stays_under_limits(trial: ComposeTrial) -> str:
    """Memory stays under the limits"""
    config = json.loads(trial.project.compose("config", "--format", "json"))["services"]
    held = {name: _memory_mib(pid) for name, pid in trial.project.containers().items()}
    trial.measurements["memory_mib"] = held
    limits = {name: int(config[_service(name)]["mem_limit"]) / MIB for name in held}
    assert [name for name in held if held[name] > 0.8 * limits[name]] == [], held
    return json.dumps(held)


CHECKS: tuple[Callable[[ComposeTrial], str], ...] = (
    comes_up,
    topic_is_made,
    staff_are_added,
    scales,
    requests_go_through,
    both_replicas_answer,
    emails_arrive,
    live_updates_pass_at_once,
    big_files_pass,
    forged_addresses_do_not_count,
    nothing_else_is_open,
    metrics_need_the_token,
    killed_processes_come_back,
    engines_come_back,
    log_is_whole,
    memory_stays_under_limits,
)


def demo_result(demo: subprocess.Popen[str]) -> dict[str, Any]:
    """What the demo tells at its end."""
    out, err = demo.communicate(timeout=600)
    assert out, err[-500:]
    told: dict[str, Any] = json.loads(out)
    return told


def _answered(log: str) -> int:
    """How often it answered somebody else than its health check."""
    return sum("answered" in line and "/health/" not in line for line in log.splitlines())


async def _live_update_seconds(trial: ComposeTrial) -> float:
    """Seconds from the answer to a submission until an officer's open page hears of it."""
    async with open_client(trial.project.url, retry_policy=RetryPolicy(timeout_seconds=20)) as anybody:
        officer = await anybody.sign_in(DEMO_STAFF[0][0], trial.passwords[DEMO_STAFF[0][0]])
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


async def _big_file(trial: ComposeTrial) -> None:
    async with open_client(trial.project.url, retry_policy=RetryPolicy(timeout_seconds=20)) as anybody:
        whole = await _submit(anybody, 9002, 24 * MIB)
        track = anybody.with_token(whole["tracking_token"])
        assert (await track.track(whole["number"]))["number"] == whole["number"]


def _refused(url: str, size: int) -> dict[str, Any]:
    """What is answered to who sends a body of this size and, as browsers do, reads while sending."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/api/requests")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    for _ in range(size // len(CHUNK)):
        connection.send(CHUNK)
        if select.select([connection.sock], [], [], 0.01)[0]:
            break
    told: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return told


async def _submit(anybody: SimpulClient, number: int, size: int = 0) -> SubmissionResult:
    form = sample_request(1, number, datetime.now(WIT).date()).form
    letter = Upload("surat.pdf", PDF + b"%" * size, "application/pdf")
    return await anybody.submit(form, letter, [Upload("kebutuhan.pdf", PDF, "application/pdf")])


def _kill_and_wait(trial: ComposeTrial, service: str) -> float:
    """Kill the first process of one of its containers; seconds until as many run as before."""
    before = trial.project.containers(service)
    pid = next(iter(before.values()))
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        now = trial.project.containers(service)
        return now.keys() == before.keys() and pid not in now.values() and all(now.values())

    return _wait_until(back)


def _wait_until(holds: Callable[[], bool]) -> float:
    """Seconds until it holds. Raises AssertionError if that takes too long."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < TIMEOUT_SECONDS, "it did not come back"
        time.sleep(0.5)
    return time.monotonic() - begun


def _service(container: str) -> str:
    return container.rsplit("-", 2)[1]


def _memory_mib(pid: int) -> int:
    """MiB that a process and those below it hold, on a system with /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    rss = int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
    return rss // 1024 + sum(map(_memory_mib, map(int, children)))
