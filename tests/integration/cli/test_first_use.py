"""The command line without any data, and with invalid arguments and settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.backends.folder_lock import lock_shared
from simpul.cli.main import COMMANDS
from tests.support.services.cli_harness import ESCAPE, PASSWORD, CommandLine, assert_fails_with_message

pytestmark = pytest.mark.slow

ADMIN = ("staff", "add", "admin", "--name", "Ahli Sistem", "--email", "admin@kantor.example", "--role", "admin")


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_help_lists_every_command(command_line: CommandLine):
    assert command_line.simpul("--version").stdout.startswith("simpul ")
    printed = command_line.simpul("--help")
    assert printed.returncode == 0
    assert all(command in printed.stdout for command in COMMANDS)
    assert ESCAPE not in printed.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("serve", "nope"),
        ("staff", "add"),
        ("dead-letters", "list", "--service", "nope"),
        ("move",),
        ("move", "--to", "moon"),
    ],
)
def test_wrong_usage_has_exit_status_2(command_line: CommandLine, arguments: tuple[str, ...]):
    completed = command_line.simpul(*arguments)
    assert (completed.returncode, completed.stdout) == (2, "")
    assert "--help" in completed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("events", "tail"),
        ("staff", "list", "--json"),
        ("dead-letters", "list"),
        ("backup", "copy"),
        ("events", "verify"),
    ],
)
def test_read_only_commands_create_no_data(command_line: CommandLine, arguments: tuple[str, ...]):
    assert_fails_with_message(command_line.simpul(*arguments), "There is no data", "simpul up")
    assert list(command_line.folder.iterdir()) == []


def test_move_requires_engines_and_a_data_folder(command_line: CommandLine):
    engines = {"kafka": "127.0.0.1:9", "minio": "http://key:Kx7-tembikar-Layar-93@127.0.0.1:9/simpul"}
    completed = command_line.simpul("move", "--to", "distributed", **engines)
    assert_fails_with_message(completed, "SIMPUL_MONGO")
    engines["mongo"] = "mongodb://127.0.0.1:9/simpul"
    assert_fails_with_message(command_line.simpul("move", "--to", "distributed", **engines), "There is no data")
    assert list(command_line.folder.iterdir()) == []


def test_move_refuses_a_folder_in_use_and_another_secret(command_line: CommandLine):
    command_line.simpul(*ADMIN)
    engines = {
        "kafka": "127.0.0.1:9",
        "mongo": "mongodb://127.0.0.1:9/simpul",
        "minio": "http://key:Kx7-tembikar-Layar-93@127.0.0.1:9/simpul",
    }
    with lock_shared(command_line.data):
        assert_fails_with_message(command_line.simpul("move", "--to", "distributed", **engines), "Stop it first")
    (command_line.folder / "other").write_text("8c2e5f7a1b3d49e0a6c4-rempah-layar-kopra")
    (command_line.folder / "other").chmod(0o600)
    other = {**engines, "secret_file": str(command_line.folder / "other")}
    assert_fails_with_message(command_line.simpul("move", "--to", "distributed", **other), "another secret")


def test_every_setting_is_listed_for_people_and_for_programs(command_line: CommandLine):
    (command_line.folder / ".env").write_text(
        "SIMPUL_PORT=8123\nSIMPUL_SMTP=smtp://ani:rahasia-sekali@mail.example:587\n"
    )
    for_people = command_line.simpul("settings")
    assert "SIMPUL_METRICS_TOKEN_FILE" in for_people.stdout
    assert ESCAPE not in for_people.stdout
    printed = json.loads(command_line.simpul("settings", "--json", host="::1").stdout)
    values = {setting["name"]: setting["value"] for setting in printed}
    assert values["SIMPUL_PORT"] == "8123"
    assert values["SIMPUL_HOST"] == "::1"
    assert values["SIMPUL_SMTP"] == "(set)"
    assert "rahasia" not in for_people.stdout


def test_an_unknown_setting_causes_a_warning(command_line: CommandLine):
    (command_line.folder / ".env").write_text("SIMPUL_PUBLIC_RAET=0\n")
    completed = command_line.simpul("settings", "--json", prot="8123")
    assert completed.returncode == 0
    assert json.loads(completed.stdout)
    assert "SIMPUL_PROT in the environment is no setting; did you mean SIMPUL_PORT?" in completed.stderr
    assert "SIMPUL_PUBLIC_RAET in .env is no setting; did you mean SIMPUL_PUBLIC_RATE?" in completed.stderr


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, True), (0o604, True), (0o600, False)])
def test_a_readable_env_file_with_secrets_causes_a_warning(command_line: CommandLine, mode: int, warned: bool):
    dotenv = command_line.folder / ".env"
    dotenv.write_text("SIMPUL_SMTP=smtp://ani:rahasia-sekali@mail.example:587\n")
    dotenv.chmod(mode)
    assert ("chmod 600 .env" in command_line.simpul("settings").stderr) == warned


def test_invalid_settings_are_reported_in_one_sentence(command_line: CommandLine):
    assert_fails_with_message(command_line.simpul("settings", port="many"), "SIMPUL_PORT", "integer")
    assert_fails_with_message(
        command_line.simpul("settings", "--json", body_limit="1"), "SIMPUL_BODY_LIMIT", "SIMPUL_FILE_LIMIT"
    )
    (command_line.folder / "file").write_text("not a folder")
    assert_fails_with_message(command_line.simpul("up", data="file/data"), "SIMPUL_DATA", "cannot be used")
    away = {"smtp": "smtp://ani@mail.example", "smtp_password_file": "away"}
    assert_fails_with_message(command_line.simpul(*ADMIN, **away), "SIMPUL_SMTP_PASSWORD_FILE", "away")
    assert_fails_with_message(command_line.simpul(*ADMIN, secret_file="away"), "SIMPUL_SECRET_FILE", "away")


def test_a_weak_secret_is_refused_and_a_readable_one_causes_a_warning(command_line: CommandLine):
    secret = command_line.folder / "secret"
    secret.write_text("change-me")
    secret.chmod(0o600)
    assert_fails_with_message(
        command_line.simpul(*ADMIN, secret_file="secret"), "SIMPUL_SECRET_FILE", "too short or too simple"
    )
    secret.write_text("6f1d0c5a7b3e49288d0f4c6b1a2e3d57-ombak")
    secret.chmod(0o644)
    completed = command_line.simpul(*ADMIN, secret_file="secret")
    assert completed.returncode == 0
    assert "chmod 600 secret" in completed.stderr


def test_the_secret_setting_is_accepted_in_distributed_mode_only(command_line: CommandLine):
    secret = "6f1d0c5a7b3e49288d0f4c6b1a2e3d57-ombak"
    assert_fails_with_message(
        command_line.simpul("settings", secret=secret), "SIMPUL_SECRET is for SIMPUL_MODE=distributed"
    )
    engines = {"kafka": "kafka:9092", "mongo": "mongodb://mongo/simpul", "minio": "http://a:b@minio/simpul"}
    others = {
        "mode": "distributed",
        "smtp": "smtp://mail",
        "base_url": "https://simpul.example",
        "trusted_proxies": "::1",
    }
    assert_fails_with_message(command_line.simpul("settings", **engines, **others), "needs SIMPUL_SECRET_FILE")
    completed = command_line.simpul("settings", **engines, **others, secret=secret)
    assert (completed.returncode, secret in completed.stdout) == (0, False)
    assert_fails_with_message(
        command_line.simpul("prepare", **engines, **others, secret="change-me"),
        "SIMPUL_SECRET is too short or too simple",
    )


def test_a_lost_secret_is_not_recreated_beside_a_database(command_line: CommandLine):
    assert command_line.simpul(*ADMIN).returncode == 0
    assert (command_line.data / "secret").stat().st_mode & 0o777 == 0o600
    (command_line.data / "secret").unlink()
    assert_fails_with_message(command_line.simpul("staff", "list"), "secret is missing", "backup")
    assert not (command_line.data / "secret").exists()
    (command_line.data / "secret").write_text("6f1d0c5a7b3e49288d0f4c6b1a2e3d57-ombak")
    (command_line.data / "simpul.db").write_text("somebody's diary")
    completed = command_line.simpul("staff", "list")
    assert (completed.returncode, completed.stdout) == (1, "")
    assert "not a database" in completed.stderr


def test_accounts_are_added_disabled_and_enabled(command_line: CommandLine):
    added = command_line.simpul(*ADMIN)
    assert added.returncode == 0
    assert "shown only now" in added.stdout
    assert_fails_with_message(command_line.simpul(*ADMIN), "already")
    officer = (
        "staff",
        "add",
        "nurlaila",
        "--name",
        "Nurlaila [red]Ibarat",
        "--email",
        "n@kantor.example",
        "--role",
        "officer",
    )
    assert (
        command_line.simpul(*officer, "--password-stdin", given=PASSWORD + "\n").stdout == "Added nurlaila (officer).\n"
    )
    assert_fails_with_message(command_line.simpul("staff", "disable", "admin"), "last administrator")
    assert command_line.simpul("staff", "disable", "nurlaila").returncode == 0
    assert command_line.simpul("staff", "roles", "nurlaila", "--role", "officer", "--role", "admin").returncode == 0
    assert command_line.simpul("staff", "totp", "nurlaila").stdout.count("otpauth://") == 1
    assert_fails_with_message(command_line.simpul("staff", "enable", "nobody"), "no account nobody")
    for_people = command_line.simpul("staff", "list").stdout
    assert "[red]Ibarat" in for_people
    assert max(map(len, for_people.splitlines())) <= 80
    _, nurlaila = json.loads(command_line.simpul("staff", "list", "--json").stdout)
    assert (nurlaila["active"], nurlaila["roles"], nurlaila["totp"]) == (False, ["officer", "admin"], True)
    assert command_line.simpul("staff", "enable", "nurlaila").returncode == 0
