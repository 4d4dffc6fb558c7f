"""`simpul up` and `simpul serve` in processes of their own, and the commands beside them."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from services.cli.client import Patience, connected
from services.cli.shapes import Application
from tests.journeys import papers
from tests.journeys.stage import free_port
from tests.services.cli_ground import SOON, Desk, fails_with_a_sentence, serves

pytestmark = pytest.mark.slow

FORM = Application(
    name="Rahmat Contoh",
    employee_number="19850214 201001 1 001",
    unit="Dinas Perhubungan",
    position="Pranata Komputer",
    description="Data trayek angkutan laut perlu terhubung ke portal data kabupaten setiap malam.",
    scope="data",
    email="rahmat@dishub.example",
    letter_number="500.11/12/DISHUB/2026",
    letter_date="2026-11-02",
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, {"SIMPUL_PUBLIC_RATE": "0"})


async def _submitted(port: int) -> str:
    async with connected(f"http://127.0.0.1:{port}", patience=Patience(seconds=20)) as client:
        paper = papers.pdf("Surat.pdf", "Surat permohonan.")
        return (await client.submit(FORM, paper, [papers.picture("Alur.png")]))["number"]


def test_a_first_start_shows_passwords_once_and_ends_with_ctrl_c(desk: Desk):
    port = free_port()
    with desk.running("up", port=str(port)) as first:
        serves(port)
        fails_with_a_sentence(desk.simpul("up", port=str(free_port())), "already")
        fails_with_a_sentence(desk.simpul("serve", "intake"), "serves intake")
        assert desk.simpul("backup", "copy").returncode == 0
        fails_with_a_sentence(desk.simpul("restore", "copy"), "is running", "Stop it first")
        first.send_signal(signal.SIGINT)
        greeting, log = first.communicate(timeout=SOON)
    assert first.returncode == 0
    passwords = [line.split()[2] for line in greeting.splitlines() if "@" not in line and line.count("-") == 4]
    assert len(passwords) == 4, greeting
    assert max(len(line) for line in greeting.splitlines() if not line.startswith("data")) <= 80
    assert not any(password in log for password in passwords)
    for column in ("officer", "structural", "technical", "admin"):
        assert column in greeting
    for path in ("/", "/masuk", "/surel", "/api/docs"):
        assert f" http://127.0.0.1:{port}{path}" in greeting
    with desk.running("up", port=str(port)) as second:
        serves(port)
        second.send_signal(signal.SIGINT)
        greeting, _ = second.communicate(timeout=SOON)
    assert "password" not in greeting
    assert f" http://127.0.0.1:{port}/masuk" in greeting


def test_where_e_mails_are_is_told_as_they_can_be_reached(desk: Desk):
    port = free_port()
    for setting, told in (
        (
            {"base_url": "https://simpul.example"},
            ("https://simpul.example/masuk", "/mail", "/surel for administrators"),
        ),
        ({"smtp": "smtp://127.0.0.1:9?tls=none"}, ("sent by SMTP",)),
    ):
        with desk.running("up", port=str(port), **setting) as process:
            serves(port)
            process.send_signal(signal.SIGINT)
            greeting, _ = process.communicate(timeout=SOON)
        for words in told:
            assert words in greeting


def test_a_port_in_use_is_told_before_anything_is_made(desk: Desk):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        fails_with_a_sentence(
            desk.simpul("up", port=str(port)), f"127.0.0.1:{port}", "Address already in use", "SIMPUL_PORT"
        )
    assert not (desk.data / "simpul.db").exists()


@pytest.mark.parametrize("setting", [{"host": "0.0.0.0"}, {"base_url": "https://simpul.example"}])
def test_no_account_is_made_where_others_could_reach_it(desk: Desk, setting: dict[str, str]):
    port = free_port()
    with desk.running("up", port=str(port), **setting) as process:
        serves(port)
        process.send_signal(signal.SIGINT)
        greeting, _ = process.communicate(timeout=SOON)
    assert "simpul staff add" in greeting
    assert "password" not in greeting
    assert desk.simpul("staff", "list", "--json").stdout == "[]\n"


def test_services_in_processes_of_their_own_hear_each_other_on_one_folder(desk: Desk):
    ports = free_port(), free_port()
    with (
        desk.running("serve", "intake", port=str(ports[0])) as intake,
        desk.running("serve", "notification", port=str(ports[1])) as notification,
    ):
        for port in ports:
            serves(port)
        fails_with_a_sentence(desk.simpul("serve", "intake", port=str(free_port())), "serves intake")
        fails_with_a_sentence(desk.simpul("up", port=str(free_port())), "serves intake")
        assert desk.simpul("backup", "copy").returncode == 0
        number = asyncio.run(_submitted(ports[0]))
        _letter_arrives(desk.data / "mail", number, notification)
        assert _followed(desk, until="SendingEnded").startswith("       1 ")
        intake.send_signal(signal.SIGINT)
        assert intake.wait(timeout=SOON) == 0
        fails_with_a_sentence(desk.simpul("restore", "copy"), "is running")


def _followed(desk: Desk, until: str) -> str:
    """What `events tail --follow` shows up to a word, after which it is ended by Ctrl-C."""
    with desk.running("events", "tail", "--follow") as tail:
        assert tail.stdout is not None
        shown = ""
        while until not in shown:
            shown += tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        _, complaint = tail.communicate(timeout=SOON)
    assert (tail.returncode, complaint) == (0, "")
    return shown


def _letter_arrives(folder: Path, number: str, sender: subprocess.Popen[str]) -> None:
    until = time.monotonic() + SOON
    while not any(number in letter.read_text() for letter in folder.glob("*.eml")):
        assert sender.poll() is None, sender.communicate()
        assert time.monotonic() < until, "no letter"
        time.sleep(0.1)
