"""The command line as a newcomer meets it: nothing is there yet, and much is given wrongly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cli.program import COMMANDS
from shared.folder_lock import share
from tests.services.cli_ground import ESCAPE, PASSWORD, Desk, fails_with_a_sentence

pytestmark = pytest.mark.slow

ADMIN = ("staff", "add", "admin", "--name", "Ahli Sistem", "--email", "admin@kantor.example", "--role", "admin")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_version_and_every_command_are_told(desk: Desk):
    assert desk.simpul("--version").stdout.startswith("simpul ")
    told = desk.simpul("--help")
    assert told.returncode == 0
    assert all(command in told.stdout for command in COMMANDS)
    assert ESCAPE not in told.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("serve", "nope"),
        ("staff", "add"),
        ("dead-letters", "list", "--service", "nope"),
        ("move",),
        ("move", "--to", "moon"),
    ],
)
def test_wrong_use_is_told_with_status_2(desk: Desk, words: tuple[str, ...]):
    done = desk.simpul(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--help" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("events", "tail"),
        ("staff", "list", "--json"),
        ("dead-letters", "list"),
        ("backup", "copy"),
        ("events", "verify"),
    ],
)
def test_commands_that_look_make_no_data(desk: Desk, words: tuple[str, ...]):
    fails_with_a_sentence(desk.simpul(*words), "There is no data", "simpul up")
    assert list(desk.folder.iterdir()) == []


def test_a_folder_is_moved_only_to_engines_that_are_named_and_only_if_there_is_one(desk: Desk):
    engines = {"kafka": "127.0.0.1:9", "minio": "http://key:Kx7-tembikar-Layar-93@127.0.0.1:9/simpul"}
    done = desk.simpul("move", "--to", "distributed", **engines)
    fails_with_a_sentence(done, "SIMPUL_MONGO")
    engines["mongo"] = "mongodb://127.0.0.1:9/simpul"
    fails_with_a_sentence(desk.simpul("move", "--to", "distributed", **engines), "There is no data")
    assert list(desk.folder.iterdir()) == []


def test_a_folder_that_is_in_use_or_has_another_secret_is_not_moved(desk: Desk):
    desk.simpul(*ADMIN)
    engines = {
        "kafka": "127.0.0.1:9",
        "mongo": "mongodb://127.0.0.1:9/simpul",
        "minio": "http://key:Kx7-tembikar-Layar-93@127.0.0.1:9/simpul",
    }
    with share(desk.data):
        fails_with_a_sentence(desk.simpul("move", "--to", "distributed", **engines), "Stop it first")
    (desk.folder / "other").write_text("8c2e5f7a1b3d49e0a6c4-rempah-layar-kopra")
    (desk.folder / "other").chmod(0o600)
    other = {**engines, "secret_file": str(desk.folder / "other")}
    fails_with_a_sentence(desk.simpul("move", "--to", "distributed", **other), "another secret")


def test_every_setting_is_listed_for_people_and_for_programs(desk: Desk):
    (desk.folder / ".env").write_text("SIMPUL_PORT=8123\nSIMPUL_SMTP=smtp://ani:rahasia-sekali@mail.example:587\n")
    for_people = desk.simpul("settings")
    assert "SIMPUL_METRICS_TOKEN_FILE" in for_people.stdout
    assert ESCAPE not in for_people.stdout
    told = json.loads(desk.simpul("settings", "--json", host="::1").stdout)
    values = {setting["name"]: setting["value"] for setting in told}
    assert values["SIMPUL_PORT"] == "8123"
    assert values["SIMPUL_HOST"] == "::1"
    assert values["SIMPUL_SMTP"] == "(set)"
    assert "rahasia" not in for_people.stdout


def test_a_name_that_nothing_reads_is_warned_about(desk: Desk):
    (desk.folder / ".env").write_text("SIMPUL_PUBLIC_RAET=0\n")
    done = desk.simpul("settings", "--json", prot="8123")
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert "SIMPUL_PROT in the environment is no setting; did you mean SIMPUL_PORT?" in done.stderr
    assert "SIMPUL_PUBLIC_RAET in .env is no setting; did you mean SIMPUL_PUBLIC_RATE?" in done.stderr


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, True), (0o604, True), (0o600, False)])
def test_settings_in_a_file_that_others_can_read_are_warned_about(desk: Desk, mode: int, warned: bool):
    dotenv = desk.folder / ".env"
    dotenv.write_text("SIMPUL_SMTP=smtp://ani:rahasia-sekali@mail.example:587\n")
    dotenv.chmod(mode)
    assert ("chmod 600 .env" in desk.simpul("settings").stderr) == warned


def test_wrong_settings_end_with_a_sentence(desk: Desk):
    fails_with_a_sentence(desk.simpul("settings", port="many"), "SIMPUL_PORT", "integer")
    fails_with_a_sentence(desk.simpul("settings", "--json", body_limit="1"), "SIMPUL_BODY_LIMIT", "SIMPUL_FILE_LIMIT")
    (desk.folder / "file").write_text("not a folder")
    fails_with_a_sentence(desk.simpul("up", data="file/data"), "SIMPUL_DATA", "cannot be used")
    away = {"smtp": "smtp://ani@mail.example", "smtp_password_file": "away"}
    fails_with_a_sentence(desk.simpul(*ADMIN, **away), "SIMPUL_SMTP_PASSWORD_FILE", "away")
    fails_with_a_sentence(desk.simpul(*ADMIN, secret_file="away"), "SIMPUL_SECRET_FILE", "away")


def test_a_weak_secret_is_refused_and_an_open_one_warned_about(desk: Desk):
    secret = desk.folder / "secret"
    secret.write_text("change-me")
    secret.chmod(0o600)
    fails_with_a_sentence(desk.simpul(*ADMIN, secret_file="secret"), "SIMPUL_SECRET_FILE", "too short or too simple")
    secret.write_text("6f1d0c5a7b3e49288d0f4c6b1a2e3d57-ombak")
    secret.chmod(0o644)
    done = desk.simpul(*ADMIN, secret_file="secret")
    assert done.returncode == 0
    assert "chmod 600 secret" in done.stderr


def test_the_secret_itself_may_be_given_in_distributed_mode_alone(desk: Desk):
    secret = "6f1d0c5a7b3e49288d0f4c6b1a2e3d57-ombak"
    fails_with_a_sentence(desk.simpul("settings", secret=secret), "SIMPUL_SECRET is for SIMPUL_MODE=distributed")
    engines = {"kafka": "kafka:9092", "mongo": "mongodb://mongo/simpul", "minio": "http://a:b@minio/simpul"}
    others = {
        "mode": "distributed",
        "smtp": "smtp://mail",
        "base_url": "https://simpul.example",
        "trusted_proxies": "::1",
    }
    fails_with_a_sentence(desk.simpul("settings", **engines, **others), "needs SIMPUL_SECRET_FILE")
    done = desk.simpul("settings", **engines, **others, secret=secret)
    assert (done.returncode, secret in done.stdout) == (0, False)
    fails_with_a_sentence(
        desk.simpul("prepare", **engines, **others, secret="change-me"), "SIMPUL_SECRET is too short or too simple"
    )


def test_a_lost_secret_is_not_made_anew_beside_a_database(desk: Desk):
    assert desk.simpul(*ADMIN).returncode == 0
    assert (desk.data / "secret").stat().st_mode & 0o777 == 0o600
    (desk.data / "secret").unlink()
    fails_with_a_sentence(desk.simpul("staff", "list"), "secret is missing", "backup")
    assert not (desk.data / "secret").exists()
    (desk.data / "secret").write_text("6f1d0c5a7b3e49288d0f4c6b1a2e3d57-ombak")
    (desk.data / "simpul.db").write_text("somebody's diary")
    done = desk.simpul("staff", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not a database" in done.stderr


def test_accounts_are_made_closed_and_opened(desk: Desk):
    added = desk.simpul(*ADMIN)
    assert added.returncode == 0
    assert "shown only now" in added.stdout
    fails_with_a_sentence(desk.simpul(*ADMIN), "already")
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
    assert desk.simpul(*officer, "--password-stdin", given=PASSWORD + "\n").stdout == "Added nurlaila (officer).\n"
    fails_with_a_sentence(desk.simpul("staff", "disable", "admin"), "last administrator")
    assert desk.simpul("staff", "disable", "nurlaila").returncode == 0
    assert desk.simpul("staff", "roles", "nurlaila", "--role", "officer", "--role", "admin").returncode == 0
    assert desk.simpul("staff", "totp", "nurlaila").stdout.count("otpauth://") == 1
    fails_with_a_sentence(desk.simpul("staff", "enable", "nobody"), "no account nobody")
    for_people = desk.simpul("staff", "list").stdout
    assert "[red]Ibarat" in for_people
    assert max(map(len, for_people.splitlines())) <= 80
    _, nurlaila = json.loads(desk.simpul("staff", "list", "--json").stdout)
    assert (nurlaila["active"], nurlaila["roles"], nurlaila["totp"]) == (False, ["officer", "admin"], True)
    assert desk.simpul("staff", "enable", "nurlaila").returncode == 0
