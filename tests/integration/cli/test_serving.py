"""`simpul up` and `simpul serve` in separate processes, and other commands at the same time."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simpul.client import RetryPolicy, open_client
from tests.support import office_files
from tests.support.ports import free_port
from tests.support.sample_submission import FORM
from tests.support.services.cli_harness import (
    TIMEOUT_SECONDS,
    CommandLine,
    assert_fails_with_message,
    wait_until_serving,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path, {"SIMPUL_PUBLIC_RATE": "0"})


async def _submitted(port: int) -> str:
    async with open_client(f"http://127.0.0.1:{port}", retry_policy=RetryPolicy(timeout_seconds=20)) as client:
        letter = office_files.pdf("Surat.pdf", "Surat permohonan.")
        return (await client.submit(FORM, letter, [office_files.picture("Alur.png")]))["number"]


def test_the_first_start_prints_passwords_once(command_line: CommandLine):
    port = free_port()
    with command_line.running("up", port=str(port)) as first:
        wait_until_serving(port)
        assert_fails_with_message(command_line.simpul("up", port=str(free_port())), "already")
        assert_fails_with_message(command_line.simpul("serve", "intake"), "serves intake")
        assert command_line.simpul("backup", "copy").returncode == 0
        assert_fails_with_message(command_line.simpul("restore", "copy"), "is running", "Stop it first")
        first.send_signal(signal.SIGINT)
        greeting, log = first.communicate(timeout=TIMEOUT_SECONDS)
    assert first.returncode == 0
    passwords = [line.split()[2] for line in greeting.splitlines() if "@" not in line and line.count("-") == 4]
    assert len(passwords) == 4, greeting
    assert max(len(line) for line in greeting.splitlines() if not line.startswith("data")) <= 80
    assert not any(password in log for password in passwords)
    assert greeting.count("simpul demo --history 24") == 1
    for column in ("officer", "structural", "technical", "admin"):
        assert column in greeting
    for path in ("/", "/masuk", "/surel", "/api/docs"):
        assert f" http://127.0.0.1:{port}{path}" in greeting
    with command_line.running("up", port=str(port)) as second:
        wait_until_serving(port)
        second.send_signal(signal.SIGINT)
        greeting, _ = second.communicate(timeout=TIMEOUT_SECONDS)
    assert "password" not in greeting
    assert "--history" not in greeting
    assert f" http://127.0.0.1:{port}/masuk" in greeting


def test_the_greeting_says_where_emails_are(command_line: CommandLine):
    port = free_port()
    for setting, expected in (
        (
            {"base_url": "https://simpul.example"},
            ("https://simpul.example/masuk", "/mail", "/surel for administrators"),
        ),
        ({"smtp": "smtp://127.0.0.1:9?tls=none"}, ("sent by SMTP",)),
    ):
        with command_line.running("up", port=str(port), **setting) as process:
            wait_until_serving(port)
            process.send_signal(signal.SIGINT)
            greeting, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        for arguments in expected:
            assert arguments in greeting


def test_a_port_in_use_is_reported_before_anything_is_created(command_line: CommandLine):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert_fails_with_message(
            command_line.simpul("up", port=str(port)), f"127.0.0.1:{port}", "Address already in use", "SIMPUL_PORT"
        )
    assert not (command_line.data / "simpul.db").exists()


@pytest.mark.parametrize("setting", [{"host": "0.0.0.0"}, {"base_url": "https://simpul.example"}])
def test_no_account_is_created_where_others_could_reach_it(command_line: CommandLine, setting: dict[str, str]):
    port = free_port()
    with command_line.running("up", port=str(port), **setting) as process:
        wait_until_serving(port)
        process.send_signal(signal.SIGINT)
        greeting, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert "simpul staff add" in greeting
    assert "password" not in greeting
    assert "--history" not in greeting
    assert command_line.simpul("staff", "list", "--json").stdout == "[]\n"


def test_services_in_separate_processes_share_one_folder(command_line: CommandLine):
    ports = free_port(), free_port()
    with (
        command_line.running("serve", "intake", port=str(ports[0])) as intake,
        command_line.running("serve", "notification", port=str(ports[1])) as notification,
    ):
        for port in ports:
            wait_until_serving(port)
        assert_fails_with_message(command_line.simpul("serve", "intake", port=str(free_port())), "serves intake")
        assert_fails_with_message(command_line.simpul("up", port=str(free_port())), "serves intake")
        assert command_line.simpul("backup", "copy").returncode == 0
        number = asyncio.run(_submitted(ports[0]))
        _wait_for_email(command_line.data / "mail", number, notification)
        assert _follow_events(command_line, until="RequestSubmitted").startswith("       1 ")
        intake.send_signal(signal.SIGINT)
        assert intake.wait(timeout=TIMEOUT_SECONDS) == 0
        assert_fails_with_message(command_line.simpul("restore", "copy"), "is running")


def _follow_events(command_line: CommandLine, until: str) -> str:
    """The output of `events tail --follow` up to a word; then the command is interrupted."""
    with command_line.running("events", "tail", "--follow") as tail:
        assert tail.stdout is not None
        shown = ""
        while until not in shown:
            shown += tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        _, complaint = tail.communicate(timeout=TIMEOUT_SECONDS)
    assert (tail.returncode, complaint) == (0, "")
    return shown


def _wait_for_email(folder: Path, number: str, sender: subprocess.Popen[str]) -> None:
    until = time.monotonic() + TIMEOUT_SECONDS
    while not any(number in letter.read_text() for letter in folder.glob("*.eml")):
        assert sender.poll() is None, sender.communicate()
        assert time.monotonic() < until, "no letter"
        time.sleep(0.1)


def test_workers_are_refused_where_they_cannot_be(command_line: CommandLine):
    assert_fails_with_message(command_line.simpul("serve", "intake", workers="2"), "SIMPUL_WORKERS", "simpul up")
    assert_fails_with_message(command_line.simpul("up", workers="0"), "SIMPUL_WORKERS", "greater than or equal")


def test_workers_that_cannot_start_end_the_command(command_line: CommandLine):
    completed = command_line.simpul("up", "--workers", "2", port=str(free_port()), metrics_token_file="absent")
    assert completed.returncode == 1
    assert "SIMPUL_METRICS_TOKEN_FILE" in completed.stderr
    assert completed.stderr.endswith("Simpul did not start; the lines above say why.\n")
    assert "Traceback" not in completed.stderr


WITHOUT_INTERPRETER = """
import sys
sys.executable = "/nowhere/python"
from simpul.__main__ import main
main()
"""


def test_a_worker_that_cannot_be_started_first_ends_the_command_with_the_cause(command_line: CommandLine):
    completed = subprocess.run(
        [sys.executable, "-c", WITHOUT_INTERPRETER, "up", "--workers", "2"],
        cwd=command_line.folder,
        env=command_line.environment({"SIMPUL_PORT": str(free_port())}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 1
    assert "/nowhere/python" in completed.stderr
    assert completed.stderr.endswith("Simpul did not start; the lines above say why.\n")
    assert "Traceback" not in completed.stderr
