"""Data folders of earlier versions open, and what is written into them from now on is compressed."""

from __future__ import annotations

import json
import secrets
import tarfile
from contextlib import closing
from pathlib import Path

import apsw

from shared.storage.compression import decompress
from tests.support.services.cli_harness import CommandLine

FOLDERS = Path(__file__).parent / "folders"
BODIES = "SELECT body FROM verification_documents"


def _values(data: Path, sql: str) -> list[bytes]:
    with closing(apsw.Connection(str(data / "simpul.db"))) as file:
        return [value for row in file.execute(sql) for value in row]


def test_a_folder_without_compression_is_verified_and_missing_records_are_rebuilt(tmp_path: Path):
    command_line = CommandLine(tmp_path)
    with tarfile.open(FOLDERS / "before_compression.tar.xz") as folder:
        folder.extractall(command_line.data, filter="data")
    (command_line.data / "secret").write_text(secrets.token_hex(32))
    before = _values(command_line.data, BODIES)
    assert {value[:1] for value in before} == {b"{"}

    checked = command_line.simpul("events", "verify", "--json")
    assert checked.returncode == 0, checked.stderr
    verified = json.loads(checked.stdout)
    assert (verified["clean"], verified["trouble"]) == (True, [])
    assert {service["documents"] for service in verified["services"]} == {8}

    with closing(apsw.Connection(str(command_line.data / "simpul.db"))) as file:
        file.execute("DELETE FROM verification_documents")
    rebuilt = command_line.simpul("state", "rebuild", "verification")
    assert rebuilt.returncode == 0, rebuilt.stderr
    after = _values(command_line.data, BODIES)
    assert {value[:1] for value in after} == {b"\x28"}
    assert sorted(map(decompress, after)) == sorted(before)
