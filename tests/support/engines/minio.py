"""MinIO, built from its last public commit, because its release tags are no module versions."""

from __future__ import annotations

import contextlib
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException
from urllib3.exceptions import HTTPError

from tests.support.engines.engine_process import (
    EngineProcess,
    EngineUnavailable,
    fetching,
    fetching_allowed,
    given_or_serving,
    run,
    say,
)
from tests.support.engines.secured_engines import EngineAccess
from tests.support.ports import free_port

VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
KEY, SECRET = "simpul-tests", "only-for-the-tests-of-loopback"


BUCKET_RIGHTS = ["s3:CreateBucket", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
OBJECT_RIGHTS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]


def find() -> Path:
    """Return the program, built if allowed (4.5 minutes on two cores). Raises EngineUnavailable."""
    return go_program("minio", f"github.com/minio/minio@{VERSION}", VERSION, "4 to 10 minutes")


def server(folder: Path, access: EngineAccess | None = None) -> EngineProcess:
    """Prepare a MinIO server with its data in this folder, on a free port; it is not started.

    With `access` it speaks TLS only, and its address is that of an account for one bucket.
    """
    port = free_port()
    address = f"http://{KEY}:{SECRET}@127.0.0.1:{port}/documents"
    command = [str(find()), "server", "--quiet", "--address", f"127.0.0.1:{port}", str(folder / "minio")]
    if access is not None:
        address = f"https://{access.user}:{access.password}@127.0.0.1:{port}/{access.name}"
        command += ["--certs-dir", str(_certificates(folder, access))]
    return EngineProcess(
        name="minio",
        address=address,
        command=command,
        folder=folder,
        ready=lambda: (
            answers(f"http://127.0.0.1:{port}/minio/health/ready") if access is None else _create_account(port, access)
        ),
        # Its console would take a second port, and asking for updates the network.
        env={"MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"},
    )


def _certificates(folder: Path, access: EngineAccess) -> Path:
    """Create the folder with key and certificate under the names that MinIO expects."""
    certificates = folder / "certificates"
    certificates.mkdir(parents=True)
    shutil.copy(access.key, certificates / "private.key")
    shutil.copy(access.chain, certificates / "public.crt")
    return certificates


def _create_account(port: int, access: EngineAccess) -> bool:
    """Create an account with rights to one bucket; True when it exists."""
    bucket = f"arn:aws:s3:::{access.name}"
    rules = [{"Effect": "Allow", "Action": BUCKET_RIGHTS, "Resource": [bucket]}]
    rules += [{"Effect": "Allow", "Action": OBJECT_RIGHTS, "Resource": [f"{bucket}/*"]}]
    trusting = urllib3.PoolManager(ca_certs=str(access.authority), retries=False, timeout=5)
    admin = MinioAdmin(endpoint=f"127.0.0.1:{port}", credentials=StaticProvider(KEY, SECRET), http_client=trusting)
    with contextlib.suppress(MinioAdminException, HTTPError):
        admin.policy_add(access.name, policy={"Version": "2012-10-17", "Statement": rules})
        admin.user_add(access.user, access.password)
        admin.policy_set(access.name, user=access.user)
        return True
    return False


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run the server; its address is http://key:secret@host:port/bucket."""
    with given_or_serving("SIMPUL_MINIO", lambda: server(folder)) as address:
        yield address


def go_program(name: str, package: str, version: str, duration: str) -> Path:
    """Return a Go program from the cache, or build it. Raises EngineUnavailable."""
    with fetching(name) as folder:
        program = folder / version / name
        if program.exists():
            return program
        if not fetching_allowed():
            raise EngineUnavailable(f"{name} is not here; `make engines` builds it ({duration}, once)")
        say(f"Building {name} {version} ({duration}, once) ...")
        run(["go", "install", package], seconds=1800, env={"GOBIN": str(program.parent), "GOFLAGS": ""})
        say(f"{name} is built: {program}")
        return program


def answers(url: str) -> bool:
    """Return whether this address answers with a status below 500."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except OSError:
        return False
