"""`simpul secrets`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.services.cli_harness import CommandLine, assert_fails_with_message


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_the_secrets_file_is_private_and_never_overwritten(command_line: CommandLine):
    file = command_line.folder / "production.env"
    assert command_line.simpul("secrets").returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_text()
    assert_fails_with_message(command_line.simpul("secrets", "production.env"), "there already")
    assert file.read_text() == before
    assert not command_line.data.exists()


def test_secrets_are_printed_only_on_request(command_line: CommandLine):
    printed = command_line.simpul("secrets", "-", "--url", "https://simpul.example", "--address", "0.0.0.0").stdout
    assert "GATEWAY_SITE=simpul.example\n" in printed
    assert "GATEWAY_ADDRESS=0.0.0.0\n" in printed
    written = command_line.simpul("secrets", "other.env").stdout
    [password] = [
        line.split("=")[1] for line in (command_line.folder / "other.env").read_text().splitlines() if "MONGO_P" in line
    ]
    assert password not in written


def test_invalid_arguments_are_reported_in_one_sentence(command_line: CommandLine):
    assert_fails_with_message(command_line.simpul("secrets", "away/production.env"), "cannot be written")
    assert_fails_with_message(command_line.simpul("secrets", "--url", "simpul.example"), "--url")
    assert list(command_line.folder.iterdir()) == []
