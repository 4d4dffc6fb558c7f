"""Converts a text document or spreadsheet to PDF with LibreOffice. Runs only in the sandbox, because it reads hostile bytes.

LibreOffice gets a profile of its own in a temporary folder, runs no macros, follows no links, and has no network: it is put into
an empty network namespace where the system allows that, and told to use a proxy that does not exist.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import BinaryIO

from shared.documents.sandbox.protocol import SUCCEEDED, UNRENDERABLE

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
FOLDER_PREFIX = "simpul-office-"

_SECURITY = "/org.openoffice.Office.Common/Security/Scripting"
_INTERNET = "/org.openoffice.Inet/Settings"
_PROFILE_SETTINGS = (
    (_SECURITY, "DisableMacrosExecution", "true"),
    (_SECURITY, "DisableActiveContent", "true"),
    (_SECURITY, "MacroSecurityLevel", "3"),
    (_SECURITY, "BlockUntrustedRefererLinks", "true"),
    (_INTERNET, "ooInetProxyType", "2"),
    (_INTERNET, "ooInetHTTPProxyName", "127.0.0.1"),
    (_INTERNET, "ooInetHTTPProxyPort", "9"),
    (_INTERNET, "ooInetHTTPSProxyName", "127.0.0.1"),
    (_INTERNET, "ooInetHTTPSProxyPort", "9"),
)


def convert_to_pdf(file: BinaryIO, program: str, extension: str) -> tuple[int, bytes]:
    """Return an exit status and, if it is 0, the PDF. `program` is the absolute path of soffice."""
    leave_network()
    with tempfile.TemporaryDirectory(prefix=_folder_prefix(os.getpid())) as name:
        folder = Path(name)
        source = folder / f"document.{extension}"
        with source.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        write_profile(folder / "profile")
        subprocess.run(  # noqa: S603 - the program is the installed one, and the names are our own
            _command(program, folder, source), check=False, cwd=folder, env=_environment(folder),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        result = folder / "document.pdf"
        return (SUCCEEDED, result.read_bytes()) if result.is_file() else (UNRENDERABLE, b"")


def remove_remains(pid: int) -> None:
    """Remove the temporary folder of a process that was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_folder_prefix(pid)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _folder_prefix(pid: int) -> str:
    return f"{FOLDER_PREFIX}{pid}-"


def leave_network() -> None:
    """Move this process into an empty network namespace, if the system allows that."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "unshare") and libc.unshare(CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def write_profile(folder: Path) -> None:
    items = "".join(
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, name, value in _PROFILE_SETTINGS
    )
    settings = folder / "user" / "registrymodifications.xcu"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">'
        f"{items}</oor:items>"
    )


def _command(program: str, folder: Path, source: Path) -> list[str]:
    return [
        program,
        f"-env:UserInstallation={(folder / 'profile').as_uri()}",
        *("--headless", "--nologo", "--norestore", "--nodefault", "--nolockcheck"),
        *("--convert-to", "pdf", "--outdir", str(folder), str(source)),
    ]


def _environment(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "TMPDIR": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
