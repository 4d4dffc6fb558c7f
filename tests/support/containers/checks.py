"""Checks of the running docker-compose.yml, in this order; later ones rely on earlier ones. A docstring is the label of a check."""

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
from simpul.registry import SERVICE_NAMES
from simpul.routing import PATH_PREFIXES
from tests.support.containers.compose import ROOT, ComposeProject
from tests.support.minimal_files import small_pdf

REQUESTS = 24
REQUESTS_PER_PREFIX = 10
"""Enough that both replicas get some of them."""
TIMEOUT_SECONDS = 90.0
FORGED = "203.0.113.77"
GATEWAY = "172.30.84.2"
CHUNK = bytes(64 * 1024)
PDF = small_pdf()


@dataclass
class ComposeTrial:
    """The project under test, its accounts, and the measurements."""

    project: ComposeProject
    folder: Path
    passwords: dict[str, str] = field(default_factory=dict)
    measurements: dict[str, Any] = field(default_factory=dict)

    @property
    def accounts(self) -> Path:
        return self.folder / "accounts.json"

    def demo(self, requests: int) -> subprocess.Popen[str]:
        """Start `simpul demo` on this machine, through the gateway."""
        arguments = (
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
            [sys.executable, "-m", "simpul", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def starts(trial: ComposeTrial) -> str:
    """The image is built and all containers start in order."""
    trial.project.up()
    states = trial.project.compose("ps", "--all", "--format", "{{.Service}} {{.State}} {{.Health}} {{.ExitCode}}")
    output = sorted(line.split() for line in states.splitlines())
    assert ["prepare", "exited", "0"] in [[line[0], line[1], line[-1]] for line in output], states
    assert all(line[2] == "healthy" for line in output if line[0] != "prepare"), states
    return f"{len(output)} containers"


def topic_is_created(trial: ComposeTrial) -> str:
    """The topic has 24 partitions and unlimited retention."""
    arguments = ("kafka", "/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "kafka:9092", "--describe")
    output = trial.project.compose("exec", "-T", *arguments, "--topic", "simpul.requests")
    assert re.search(r"PartitionCount:\s*24\b", output), output
    assert "retention.ms=-1" in output, output
    return ""


def staff_are_added(trial: ComposeTrial) -> str:
    """Accounts are added by a command in a container."""
    for username, name, role in DEMO_STAFF:
        password = trial.passwords[username] = generate_password()
        arguments = ("staff", "add", username, "--name", name, "--email", f"{username}@kantor.example", "--role", role)
        trial.project.simpul(*arguments, "--password-stdin", stdin=password)
    accounts = [{"username": name, "password": trial.passwords[name], "roles": [role]} for name, _, role in DEMO_STAFF]
    trial.accounts.write_text(json.dumps(accounts))
    return f"{len(accounts)} accounts"


def scales_to_two_replicas(trial: ComposeTrial) -> str:
    """Every service runs in two processes."""
    trial.project.up(**dict.fromkeys(SERVICE_NAMES, 2))
    running = {name: len(trial.project.containers(name)) for name in SERVICE_NAMES}
    assert set(running.values()) == {2}, running
    return ""


def requests_go_through(trial: ComposeTrial) -> str:
    """Sample requests complete their scenarios through the gateway."""
    output = demo_result(trial.demo(REQUESTS))
    trial.measurements["demo"] = {name: output[name] for name in ("requests", "ok", "failed", "seconds", "per_second")}
    assert output["failed"] == 0, output["errors"][:3]
    return f"{output['ok']} of {output['requests']}, {output['per_second']:.1f} a second"


def both_replicas_answer(trial: ComposeTrial) -> str:
    """The gateway uses both processes of each service."""
    for prefix in PATH_PREFIXES:
        for _ in range(REQUESTS_PER_PREFIX):
            httpx.get(f"{trial.project.url}{prefix}")
    answered = {
        name: _answered(trial.project.log(name)) for each in SERVICE_NAMES for name in trial.project.containers(each)
    }
    trial.measurements["answered"] = answered
    assert min(answered.values()) > 0, answered
    return ""


def emails_arrive(trial: ComposeTrial) -> str:
    """Emails have arrived at Mailpit."""
    output = httpx.get(f"{trial.project.mail}/api/v1/messages", params={"limit": 1}).json()
    assert output["total"] > REQUESTS, output
    return f"{output['total']} emails"


def live_updates_pass_at_once(trial: ComposeTrial) -> str:
    """Live updates pass the gateway unbuffered."""
    seconds = asyncio.run(_live_update_seconds(trial))
    trial.measurements["news_seconds"] = round(seconds, 3)
    assert seconds < 3, seconds
    return f"{seconds * 1000:.0f} ms after the response to the submission"


def big_files_pass(trial: ComposeTrial) -> str:
    """Files up to the limit pass the gateway; larger ones are refused by the service before they are read."""
    asyncio.run(_big_file(trial))
    refused = _refused(trial.project.url, 70 * MIB)
    assert (refused["status"], "60 MiB" in refused["detail"]) == (413, True), refused
    return ""


def forged_addresses_do_not_count(trial: ComposeTrial) -> str:
    """A forged forwarded-for address is ignored."""
    credentials = {"username": "nobody", "password": "wrong-wrong-wrong"}
    answer = httpx.post(f"{trial.project.url}/api/session", json=credentials, headers={"X-Forwarded-For": FORGED})
    assert answer.status_code == 401, answer.text
    logs = "\n".join(map(trial.project.log, trial.project.containers("notification")))
    [*_, address] = re.findall(r"refused from ([\d.]+)", logs)
    assert address not in (FORGED, GATEWAY), address
    assert FORGED not in logs
    return f"seen as {address}"


def nothing_else_is_open(trial: ComposeTrial) -> str:
    """Metrics and API documents are closed, and only the gateway is published."""
    assert httpx.get(f"{trial.project.url}/metrics").status_code == 404
    assert httpx.get(f"{trial.project.url}/api/docs", headers={"Accept": "application/json"}).status_code in (401, 403)
    ports = trial.project.compose("ps", "--format", "{{.Service}} {{.Ports}}")
    published = {line.split()[0] for line in ports.splitlines() if "->" in line}
    assert published == {"gateway"}, ports
    return ""


def metrics_need_the_token(trial: ComposeTrial) -> str:
    """Metrics are served inside the network with the token."""
    script = (
        "import os, urllib.request as web; token = os.environ['SIMPUL_METRICS_TOKEN'];"
        "asked = web.Request('http://verification:8000/metrics', headers={'Authorization': 'Bearer ' + token});"
        "print(web.urlopen(asked, timeout=10).read().decode())"
    )
    output = trial.project.compose("exec", "-T", "intake", "python", "-c", script)
    assert 'simpul_consumer_lag_records{service="verification"}' in output, output[:300]
    return ""


def killed_processes_come_back(trial: ComposeTrial) -> str:
    """A process of each service is killed under load; it is restarted, and no request is lost."""
    demo, back = trial.demo(REQUESTS), {}
    for service in SERVICE_NAMES:
        time.sleep(2)
        back[service] = round(_kill_and_wait(trial, service), 1)
    output = demo_result(demo)
    trial.measurements["back_after_seconds"] = back
    trial.measurements["demo_while_killed"] = {name: output[name] for name in ("ok", "failed", "seconds")}
    assert output["failed"] == 0, output["errors"][:3]
    return f"{output['ok']} of {output['requests']}; back after {back}"


def engines_come_back(trial: ComposeTrial) -> str:
    """Kafka, MongoDB and MinIO are killed in turn; they are restarted, and requests complete again."""
    for engine in ("kafka", "mongo", "minio"):
        _kill_and_wait(trial, engine)
    trial.project.up(**dict.fromkeys(SERVICE_NAMES, 2))
    output = demo_result(trial.demo(REQUESTS // 2))
    assert output["failed"] == 0, output["errors"][:3]
    return f"{output['ok']} of {output['requests']}"


def log_is_whole(trial: ComposeTrial) -> str:
    """`simpul events verify` finds no difference."""
    return trial.project.simpul("events", "verify").strip().splitlines()[-1]


def memory_stays_under_limits(trial: ComposeTrial) -> str:
    """Memory stays below the limits."""
    config = json.loads(trial.project.compose("config", "--format", "json"))["services"]
    used = {name: _memory_mib(pid) for name, pid in trial.project.containers().items()}
    trial.measurements["memory_mib"] = used
    limits = {name: int(config[_service(name)]["mem_limit"]) / MIB for name in used}
    assert [name for name in used if used[name] > 0.8 * limits[name]] == [], used
    return json.dumps(used)


CHECKS: tuple[Callable[[ComposeTrial], str], ...] = (
    starts,
    topic_is_created,
    staff_are_added,
    scales_to_two_replicas,
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
    """The JSON that the demo prints at its end."""
    out, err = demo.communicate(timeout=600)
    assert out, err[-500:]
    output: dict[str, Any] = json.loads(out)
    return output


def _answered(log: str) -> int:
    """The number of logged responses except health checks."""
    return sum("answered" in line and "/health/" not in line for line in log.splitlines())


async def _live_update_seconds(trial: ComposeTrial) -> float:
    """Seconds from the response to a submission until an officer's live stream reports it."""
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
    """Send a body of this size and, like browsers, read the response while sending."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/api/requests")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    for _ in range(size // len(CHUNK)):
        connection.send(CHUNK)
        if select.select([connection.sock], [], [], 0.01)[0]:
            break
    output: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return output


async def _submit(anybody: SimpulClient, number: int, size: int = 0) -> SubmissionResult:
    form = sample_request(1, number, datetime.now(WIT).date()).form
    letter = Upload("surat.pdf", PDF + b"%" * size, "application/pdf")
    return await anybody.submit(form, letter, [Upload("kebutuhan.pdf", PDF, "application/pdf")])


def _kill_and_wait(trial: ComposeTrial, service: str) -> float:
    """Kill the first process of a container of this service; return the seconds until it was restarted."""
    before = trial.project.containers(service)
    pid = next(iter(before.values()))
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        now = trial.project.containers(service)
        return now.keys() == before.keys() and pid not in now.values() and all(now.values())

    return _wait_until(back)


def _wait_until(condition: Callable[[], bool]) -> float:
    """Wait until the condition holds; return the seconds. Raises AssertionError after the timeout."""
    started_at = time.monotonic()
    while not condition():
        assert time.monotonic() - started_at < TIMEOUT_SECONDS, "the container was not restarted"
        time.sleep(0.5)
    return time.monotonic() - started_at


def _service(container: str) -> str:
    return container.rsplit("-", 2)[1]


def _memory_mib(pid: int) -> int:
    """The resident memory of a process and its descendants in MiB, from /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    rss = int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
    return rss // 1024 + sum(map(_memory_mib, map(int, children)))
