"""Two worker processes behind one port: a request goes through both, and they act as one."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.e2e.request_steps import ASSIGN
from tests.support.e2e.server_process import PASSWORD, Inbox, address_of, smtp_server
from tests.support.e2e.server_session import (
    ALL_OK,
    FILES,
    FORM,
    ServerHarness,
    is_listening,
    running_server,
    session_token,
    submit_while_stopping,
    wait_until,
)
from tests.support.e2e.workers import connected_to, wait_for_workers

PER_MINUTE = 10
ATTEMPTS = 24


@dataclass
class Setting:
    harness: ServerHarness
    inbox: Inbox
    first: httpx.Client
    second: httpx.Client


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """A server with a connection to each of its workers."""
    folder, rate = tmp_path_factory.mktemp("workers"), str(PER_MINUTE)
    with (
        smtp_server() as (inbox, smtp),
        ignored_hangup(),
        running_server(folder, SIMPUL_SMTP=smtp, SIMPUL_PUBLIC_RATE=rate, SIMPUL_WORKERS="2") as harness,
    ):
        one, other = wait_for_workers(harness.server)
        with connected_to(harness.server, one) as first, connected_to(harness.server, other) as second:
            yield Setting(harness, inbox, first, second)


@contextlib.contextmanager
def ignored_hangup() -> Iterator[None]:
    """Start processes as `nohup` does."""
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, handler)


def call(client: httpx.Client, who: str, method: str, path: str, **options: Any) -> httpx.Response:
    return client.request(method, path, headers={"Authorization": f"Bearer {session_token(who)}"}, **options)


def test_each_step_at_another_worker(both: Setting, tmp_path: Path):
    made = both.first.post("/api/requests", data=FORM, files=list(FILES)).json()
    events: list[str] = []
    follower = threading.Thread(target=follow, args=(both.harness.server.url, "hasan", made["id"], events), daemon=True)
    steps = (
        (both.second, "nurlaila", "verification", "verification", {"checklist": ALL_OK}, "verified"),
        (both.first, "hasan", "assignment", "assignment", ASSIGN, "assigned"),
        (both.second, "dewi", "assignment", "start", None, "in_progress"),
    )
    for client, who, service, step, body, status in steps:
        other = both.first if client is both.second else both.second
        path = f"/api/{service}/requests/{made['id']}"
        wait_until(partial(succeeds, client, who, "GET", path))
        if step == "assignment":
            follower.start()
            wait_until(lambda: events[:1] == ["open"])
        options = {} if body is None else {"json": body}
        wait_until(partial(succeeds, client, who, "POST", f"{path}/{step}", **options))
        for each in (other, client):
            assert call(each, who, "GET", path).json()["status"] == status
    wait_until(lambda: "assigned" in events)
    for client in (both.first, both.second):
        wait_until(partial(is_tracked_as, client, made, "in_progress"))
    wait_until(lambda: len(both.inbox.to(address_of("dewi"))) >= 1 and len(both.inbox.to(FORM["email"])) >= 4)
    wait_until(lambda: not waiting_emails(both))
    message_ids = [str(message["Message-ID"]) for message in both.inbox.messages]
    assert len(message_ids) == len(set(message_ids)) >= 6
    assert json.loads(both.harness.server.simpul("events", "verify", "--json").stdout)["clean"] is True
    backup = both.harness.server.simpul("backup", str(tmp_path / "copy"))
    assert backup.returncode == 0, backup.stderr


def succeeds(client: httpx.Client, who: str, method: str, path: str, **options: Any) -> bool:
    return call(client, who, method, path, **options).status_code == 200


def is_tracked_as(client: httpx.Client, made: dict[str, Any], status: str) -> bool:
    headers = {"Authorization": f"Bearer {made['tracking_token']}"}
    return bool(client.get(f"/api/requests/{made['number']}", headers=headers).json()["status"] == status)


def follow(url: str, who: str, request_id: str, events: list[str]) -> None:
    """Append "open", then the status in each event of this request, of a live list at either worker."""
    headers = {"Authorization": f"Bearer {session_token(who)}"}
    with httpx.Client(base_url=url, timeout=60) as client:
        try:
            with client.stream("GET", "/api/assignment/live", headers=headers) as stream:
                events.append("open")
                for line in stream.iter_lines():
                    if line.startswith("data:") and (told := json.loads(line[5:]))["id"] == request_id:
                        events.append(told.get("status", ""))
        except httpx.TransportError:
            return


def waiting_emails(both: Setting) -> int:
    """The emails of this moment that are not sent yet."""
    pages = [
        call(both.first, "admin", "GET", f"/api/notification/messages?status={status}").json()
        for status in ("queued", "sending")
    ]
    return sum(len(page["items"]) for page in pages)


def test_signing_out_holds_at_the_other_worker(both: Setting):
    for client, other in ((both.first, both.second), (both.second, both.first)):
        signed_in = client.post("/api/session", json={"username": "yusuf", "password": PASSWORD}).json()
        headers = {"Authorization": f"Bearer {signed_in['token']}"}
        assert other.get("/api/session", headers=headers).status_code == 200
        assert client.delete("/api/session", headers=headers).status_code in (200, 204)
        assert other.get("/api/session", headers=headers).status_code == 401


def test_a_target_set_at_one_worker_holds_at_the_other(both: Setting):
    made = both.first.post("/api/requests", data=FORM, files=list(FILES)).json()
    path = f"/api/verification/requests/{made['id']}"
    wait_until(partial(succeeds, both.first, "nurlaila", "GET", path))
    before = call(both.first, "nurlaila", "GET", path).json()["due"]
    targets = {
        name: days
        for name, days in call(both.first, "admin", "GET", "/api/targets").json().items()
        if name.endswith("_days")
    }
    saved = call(both.first, "admin", "PUT", "/api/targets", json={**targets, "verify_days": 5}).json()
    assert saved["saved"], saved
    wait_until(lambda: call(both.second, "nurlaila", "GET", path).json()["due"] > before)
    # The settings are read from the store, so the other worker knows its latest version at once.
    restored = call(both.second, "admin", "PUT", "/api/targets", json={**targets, "version": saved["version"]})
    assert restored.json()["saved"], restored.text
    wait_until(lambda: call(both.first, "nurlaila", "GET", path).json()["due"] == before)


def test_limits_are_shared(both: Setting):
    began, statuses = time.monotonic(), []
    for number in range(ATTEMPTS):
        client = (both.first, both.second)[number % 2]
        statuses.append(client.post("/api/links", json={}).status_code)
    refilled = (time.monotonic() - began) * PER_MINUTE / 60
    allowed = sum(status != 429 for status in statuses)
    assert allowed <= PER_MINUTE + refilled + 1, statuses
    wrong = [
        (both.first, both.second)[number % 2]
        .post("/api/session", json={"username": "yusuf", "password": "bukan-sandi-yusuf"})
        .status_code
        for number in range(12)
    ]
    assert wrong == [401] * 10 + [429] * 2


def test_metrics_are_those_of_all_workers(both: Setting):
    def commands(client: httpx.Client) -> str:
        lines = call(client, "admin", "GET", "/metrics").text.splitlines()
        return "\n".join(line for line in lines if line.startswith("simpul_command_seconds_count"))

    wait_until(lambda: commands(both.first) == commands(both.second))
    assert 'command="VerifyRequest"' in commands(both.first)
    assert 'command="AssignLead"' in commands(both.first)
    assert "simpul_connections " in call(both.first, "admin", "GET", "/metrics").text


def test_a_worker_is_started_until_that_succeeds(both: Setting):
    server = both.harness.server
    killed, other = wait_for_workers(server)
    assert server.process is not None
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))  # no pipe to the next worker
    try:
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: "Too many open files" in (server.data.parent / "data.log").read_text())
        assert httpx.get(f"{server.url}/health/live").status_code == 200
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
    assert other in wait_for_workers(server, but_not=killed)


def test_a_worker_is_replaced_after_the_metrics_folder_was_removed(both: Setting):
    server = both.harness.server
    killed, other = wait_for_workers(server)
    folder = metrics_folder(killed)
    wait_until(partial(is_removed, folder))
    os.kill(killed, signal.SIGKILL)
    pids = wait_for_workers(server, but_not=killed)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with connected_to(server, next(pid for pid in pids if pid != other)) as client:
        assert "simpul_connections " in call(client, "admin", "GET", "/metrics").text


def is_removed(folder: Path) -> bool:
    """Remove a folder in which a worker may be creating a file."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def metrics_folder(pid: int) -> Path:
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return Path(next(each.partition("=")[2] for each in variables if each.startswith("PROMETHEUS_MULTIPROC_DIR=")))


def test_a_hangup_stays_ignored(both: Setting):
    server = both.harness.server
    pids = wait_for_workers(server)
    assert server.process is not None
    for pid in (server.process.pid, *pids):
        status = Path(f"/proc/{pid}/status").read_text()
        ignored = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn"))
        assert int(ignored, 16) >> (signal.SIGHUP - 1) & 1
        os.kill(pid, signal.SIGHUP)
    assert wait_for_workers(server) == pids


def test_a_signal_to_every_process_lets_requests_finish(both: Setting):
    server = both.harness.server
    workers = wait_for_workers(server)
    supervisor = server.process
    assert supervisor is not None

    def signal_workers() -> None:
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def stop() -> None:
        signal_workers()
        supervisor.terminate()
        wait_until(lambda: not is_listening(server.port))
        signal_workers()

    answer = submit_while_stopping(server, stop)
    assert answer.startswith(b"HTTP/1.1 201"), answer
    assert supervisor.wait(40) == 0
    request_id = json.loads(answer.partition(b"\r\n\r\n")[2])["id"]
    assert "RequestSubmitted" in server.simpul("events", "show", request_id).stdout
