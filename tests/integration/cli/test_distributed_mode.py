"""The command line in distributed mode without any running engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.services.cli_harness import CommandLine, assert_fails_with_message

pytestmark = pytest.mark.slow


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    """Settings with engines that do not respond."""
    (tmp_path / "secret").write_text("0123456789abcdefghijklmnopqrstuvwxyz")
    (tmp_path / "secret").chmod(0o600)
    settings = {
        "SIMPUL_MODE": "distributed",
        "SIMPUL_KAFKA": "127.0.0.1:1",
        "SIMPUL_MONGO": "mongodb://127.0.0.1:1/simpul?serverSelectionTimeoutMS=500",
        "SIMPUL_MINIO": "http://key:Ombak7-Biru-di-Maba@127.0.0.1:1/documents",
        "SIMPUL_SMTP": "smtp://127.0.0.1:1?tls=none",
        "SIMPUL_SECRET_FILE": "secret",
        "SIMPUL_BASE_URL": "http://127.0.0.1:8080",
        "SIMPUL_PORT": str(free_port()),
    }
    return CommandLine(tmp_path, settings)


@pytest.mark.parametrize("arguments", [("serve", "intake"), ("staff", "list"), ("prepare",), ("backup", "copy")])
def test_an_unreachable_engine_is_reported_in_one_sentence(command_line: CommandLine, arguments: tuple[str, ...]):
    completed = command_line.simpul(*arguments)
    assert completed.returncode == 1
    assert "cannot be used" in completed.stderr
    assert "Traceback" not in completed.stderr
    assert not command_line.data.exists()


def test_a_default_password_is_refused_before_anything_is_opened(command_line: CommandLine):
    completed = command_line.simpul("serve", "intake", minio="http://minioadmin:minioadmin@127.0.0.1:1/documents")
    assert_fails_with_message(completed, "SIMPUL_MINIO", "default")
    assert_fails_with_message(command_line.simpul("up", smtp=""), "SIMPUL_MODE=distributed needs SIMPUL_SMTP")
