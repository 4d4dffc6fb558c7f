"""No committed text contains a path of one machine or the address of a package registry."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

ROOT = REPOSITORY

# Joined from pieces, so that this file does not hold what it looks for.
REGISTRIES = [
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("npmjs", "org"),
        ("ghcr", "io"),
        ("gcr", "io"),
        ("quay", "io"),
        ("docker", "io"),
        ("azurecr", "io"),
        ("jfrog", "io"),
    )
]
HOST = re.compile("|".join(rf"\b{re.escape(host)}\b" for host in REGISTRIES), re.IGNORECASE)
OPTIONS = re.compile("|".join("--" + name for name in ("index-url", "extra-index" + "-url", "trusted" + "-host")))
FOLDERS = "|".join(("home/" + r"\w", "Users/" + r"\w", "root" + "/", "private/" + "var", "opt/" + "wheels"))
MACHINE_PATH = re.compile(rf"(?<![\w.~}}/-])/(?:{FOLDERS})")
HERE = re.compile("|".join(re.escape(str(place)) + r"(?![\w-])" for place in (ROOT, Path.home()) if place != Path("/")))
PINNED = re.compile(r"[a-z0-9-]+==[\w.!+-]+(?: ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def committed_texts() -> list[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [(str(file.relative_to(ROOT)), text) for file in files if (text := text_of(file)) is not None]


def text_of(file: Path) -> str | None:
    """Return its text; None for a binary file, a link or a deleted file."""
    try:
        return file.read_text("utf-8")
    except (UnicodeDecodeError, OSError):
        return None


def told(pattern: re.Pattern[str]) -> list[str]:
    return [f"{name}: {found.group()}" for name, text in committed_texts() for found in pattern.finditer(text)]


def test_no_registry_is_named():
    assert told(HOST) == []


def test_no_index_is_chosen():
    assert told(OPTIONS) == []


def test_no_path_of_a_machine_is_named():
    assert told(MACHINE_PATH) == []


def test_neither_this_checkout_nor_this_home_is_named():
    assert told(HERE) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_holds_versions_and_hashes_alone(lock: str):
    lines = (ROOT / lock).read_text().splitlines()
    other = [line for line in lines if not line.lstrip().startswith("#") and not PINNED.fullmatch(line)]
    assert [line for line in other if not HASH.fullmatch(line)] == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (HOST, f"see https://{REGISTRIES[0]}/simple"),
        (HOST, f"image: {REGISTRIES[5]}/minio/minio"),
        (OPTIONS, "--" + "index-url x"),
        (MACHINE_PATH, "in /" + "home/someone/simpul"),
        (MACHINE_PATH, '"/' + 'root/.config"'),
        (HERE, f"cd {ROOT} && make"),
    ],
)
def test_the_patterns_find_what_they_look_for(pattern: re.Pattern[str], text: str):
    assert pattern.search(text)
