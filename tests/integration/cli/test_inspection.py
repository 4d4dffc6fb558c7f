"""Commands that inspect and repair a data folder: events, dead letters, state."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.contracts.intake import RequestWithdrawn
from simpul.cli.errors import error_message
from tests.support.adapters.stored_bodies import replace_in_bodies
from tests.support.domain.given_when_then import REQUEST
from tests.support.services.cli_harness import ESCAPE, CommandLine, assert_fails_with_message, command
from tests.support.services.runtime_harness import INTAKE, OTHER, VERIFICATION, record, runtime_harness, submit

pytestmark = pytest.mark.slow

SECRET = "6f1d0c5a7b3e49288d0f4c6b1a2e3d57-ombak"
REQUESTS = 30


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with requests of intake, of which verification has consumed one, and of another only the third event."""
    folder = tmp_path_factory.mktemp("seeded")
    asyncio.run(_seed(folder))
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    return folder


async def _seed(folder: Path) -> None:
    async with runtime_harness(folder) as harness:
        intake, command_line = await harness.service(INTAKE), await harness.service(VERIFICATION)
        await submit(intake)
        await intake.relay.drain()
        await command_line.consumer.handle(await harness.log.read_newest(1))
        for number in range(2, REQUESTS + 1):
            await submit(intake, f"00000000-0000-4000-8000-{number:012d}", number)
            await intake.relay.drain()
        await command_line.consumer.handle([record(3, RequestWithdrawn(reason="Batal."), sequence=3, subject=OTHER)])
        await command_line.dead_letters.stop()


@pytest.fixture
def command_line(seeded: Path, tmp_path: Path) -> CommandLine:
    shutil.copytree(seeded, tmp_path / "data")
    return CommandLine(tmp_path)


def test_tail_shows_the_newest_events_as_text_and_json(command_line: CommandLine):
    lines = command_line.simpul("events", "tail", "-n", "2").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [str(REQUESTS - 1), str(REQUESTS)]
    assert all("RequestSubmitted" in line and REQUEST[:24] in line for line in lines)
    events = [json.loads(line) for line in command_line.simpul("events", "tail", "--json").stdout.splitlines()]
    assert len(events) == 20
    assert events[-1]["data"]["number"] == f"INT-2026-{REQUESTS:06d}"
    assert command_line.simpul("events", "tail", "-n", "0").stdout == ""


def test_events_of_a_request_are_found_by_number_and_by_id(command_line: CommandLine):
    by_number = command_line.simpul("events", "show", "int-2026-000002").stdout
    assert by_number == command_line.simpul("events", "show", OTHER).stdout
    assert by_number.count("\n") == 1
    assert_fails_with_message(command_line.simpul("events", "show", "INT-2026-999999"), "INT-2026-999999")


def test_a_closed_pipe_ends_the_command_silently(command_line: CommandLine):
    arguments = shlex.join(command("events", "tail", "-n", "30", "--json"))
    shell = arguments + " | head -n 1; exit ${PIPESTATUS[0]}"
    completed = subprocess.run(
        ["bash", "-c", shell],
        cwd=command_line.folder,
        env=command_line.environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.stderr == ""
    assert completed.returncode in {0, 141}
    assert json.loads(completed.stdout)


def test_dead_letters_are_listed_shown_and_discarded(command_line: CommandLine):
    [letter] = json.loads(command_line.simpul("dead-letters", "list", "--json", "--service", "verification").stdout)
    assert letter["request"] == OTHER
    listed = command_line.simpul("dead-letters", "list").stdout
    assert letter["id"] in listed
    assert letter["reason"] in listed
    shown = json.loads(command_line.simpul("dead-letters", "show", letter["id"]).stdout)
    assert shown["event"]["type"] == "RequestWithdrawn"
    assert_fails_with_message(command_line.simpul("dead-letters", "replay", letter["id"]), "cannot be folded")
    declined = command_line.simpul("dead-letters", "discard", letter["id"], given="n\n")
    assert declined.returncode == 1
    assert_fails_with_message(command_line.simpul("dead-letters", "show", "verification:nothing"), "no dead letter")


def test_differences_from_the_log_are_shown_and_repaired(command_line: CommandLine):
    verified = command_line.simpul("events", "verify", "--json")
    assert verified.returncode == 1
    assert verified.stderr.startswith("There are ")
    printed = json.loads(verified.stdout)
    assert printed["clean"] is False
    assert any("is missing" in line for line in printed["trouble"])
    assert list(printed) == ["clean", "services", "trouble"]
    assert [list(service) for service in printed["services"]] == [["service", "events", "documents", "clean"]] * 4

    for_people = command_line.simpul("state", "rebuild", "verification", "--dry-run").stdout
    assert f"{REQUESTS - 1} documents differ; nothing was changed." in for_people
    assert ESCAPE not in for_people
    assert command_line.simpul("events", "tail", "-n", "1").returncode == 0

    rebuilt = json.loads(command_line.simpul("state", "rebuild", "verification", "--json").stdout)
    assert (rebuilt["swapped"], rebuilt["differences"][0]["kind"]) == (REQUESTS - 1, "missing")
    again = json.loads(command_line.simpul("state", "rebuild", "verification", "--json").stdout)
    assert again["clean"] is True


def test_the_json_of_a_rebuild_has_these_keys(command_line: CommandLine):
    asyncio.run(_damage(command_line.data))
    printed = json.loads(command_line.simpul("state", "rebuild", "intake", "--dry-run", "--json").stdout)
    [difference] = printed.pop("differences")
    assert printed == {
        "service": "intake",
        "events": REQUESTS,
        "documents": REQUESTS,
        "holes": [],
        "unreadable": [],
        "behind": [],
        "swapped": 0,
        "clean": False,
    }
    [change] = difference.pop("changes")
    assert difference == {"id": REQUEST, "kind": "different"}
    assert change == {"field": "number", "stored": "'INT-2026-000007'", "folded": "'INT-2026-000001'"}


def test_a_differing_field_is_shown_with_both_values(command_line: CommandLine):
    asyncio.run(_damage(command_line.data))
    printed = command_line.simpul("state", "rebuild", "intake", "--dry-run").stdout
    assert f"{REQUEST} is different" in printed
    assert "number: 'INT-2026-000007' -> 'INT-2026-000001'" in printed


async def _damage(folder: Path) -> None:
    damage = replace_in_bodies("intake", "INT-2026-000001", "INT-2026-000007", REQUEST)
    async with runtime_harness(folder) as harness:
        await harness.file.write(damage)


def test_an_unexpected_error_has_a_message():
    assert error_message(KeyError("x")).startswith("This should not have happened: KeyError")
    assert error_message(PermissionError(13, "Permission denied", "data/secret")) == "data/secret: Permission denied."
