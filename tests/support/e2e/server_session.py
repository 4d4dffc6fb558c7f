"""A real server for a module of tests, with calls to its API and access to its stored data."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.backends.platform import open_platform
from shared.calendar import today
from shared.clock import system_clock
from shared.identity.accounts import Role, Session
from shared.settings import Settings
from simpul.client_types import Upload
from tests.support import office_files
from tests.support.e2e.server_process import PASSWORD, STAFF, ServerProcess, address_of
from tests.support.password_hashing import use_cheap_hashing

TODAY = today(system_clock())
FORM: Mapping[str, str] = {
    "name": "Rahmat Contoh",
    "employee_number": "19850214 201001 1 001",
    "unit": "Dinas Perhubungan",
    "position": "Pranata Komputer",
    "description": "Data trayek angkutan laut perlu terhubung ke portal data kabupaten setiap malam.",
    "scope": "data",
    "email": "rahmat@dishub.example",
    "letter_number": "500.11/12/DISHUB",
    "letter_date": TODAY.isoformat(),
}
LETTER = office_files.pdf("Surat permohonan.pdf", "Surat permohonan integrasi data.")
DICTIONARY = office_files.word("Kamus data.docx", "Kolom dan satuannya.")
TARGET = (TODAY + timedelta(days=30)).isoformat()
ALL_OK = [{"item": item, "ok": True} for item in ("form", "letter", "scope", "documents")]
TIMEOUT_SECONDS = 30.0

Files = Sequence[tuple[str, Upload]]
FILES: Files = (("letter", LETTER), ("requirements", DICTIONARY))


@dataclass(frozen=True)
class StaffNaming:
    """Names of staff: the titles behind each name, and the email addresses."""

    titles: str = ""
    email: Callable[[str], str] = address_of


DEFAULT_NAMING = StaffNaming()


@dataclass(frozen=True)
class ServerHarness:
    server: ServerProcess
    http: httpx.Client

    def call(
        self, token: str, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """Call the API with this token; "" is anonymous, `session_token` returns that of staff."""
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        return self.http.request(method, path, headers=sent, **options)

    def submit(self, files: Files = FILES, key: str = "", /, **fields: Any) -> httpx.Response:
        """Submit a form; a field that is None is left out."""
        data = {name: value for name, value in {**FORM, **fields}.items() if value is not None}
        headers = {"Idempotency-Key": key} if key else {}
        return self.call("", "POST", "/api/requests", headers, data=data, files=list(files))

    def submitted(self, **fields: Any) -> SubmittedRequest:
        return SubmittedRequest.of(self, self.submit(**fields))

    @property
    def documents(self) -> set[str]:
        """The names of all files in the documents folder, complete or not."""
        return {path.name for path in (self.server.data / "documents").rglob("*") if path.is_file()}

    @property
    def requests(self) -> int:
        """The number of requests in the database."""
        with contextlib.closing(sqlite3.connect(f"file:{self.server.data / 'simpul.db'}?mode=ro", uri=True)) as file:
            return int(file.execute("SELECT count(*) FROM intake_documents").fetchone()[0])

    @contextlib.contextmanager
    def assert_nothing_stored(self) -> Iterator[None]:
        """Expect that no request and no document is stored in this block."""
        before = self.requests, self.documents
        yield
        assert (self.requests, self.documents) == before

    def raw(self, *pieces: bytes) -> bytes:
        """Send bytes on a new connection and return the response until the server closes it or is silent."""
        with self.connected() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return read_until_closed(connection)

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=3)


@dataclass(frozen=True)
class SubmittedRequest:
    """A submitted request with its applicant's token."""

    harness: ServerHarness
    id: str
    number: str
    token: str

    @staticmethod
    def of(harness: ServerHarness, answer: httpx.Response) -> SubmittedRequest:
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return SubmittedRequest(harness, made["id"], made["number"], made["tracking_token"])

    def act_as_applicant(self, step: str, body: Any = None, **options: Any) -> httpx.Response:
        """Perform a step of the applicant."""
        return self.harness.call(self.token, "POST", f"/api/requests/{self.number}/{step}", **_json(body), **options)

    def step(self, who: str, step: str, body: Any = None, **options: Any) -> httpx.Response:
        """Perform a step of a member of staff."""
        service = "verification" if who == "nurlaila" else "assignment"
        path = f"/api/{service}/requests/{self.id}/{step}"
        return self.harness.call(session_token(who), "POST", path, **_json(body), **options)

    def seen(self) -> list[dict[str, Any]]:
        """Return the request as seen by applicant, officer and head; {} if unknown to a service."""
        calls = [
            (self.token, f"/api/requests/{self.number}"),
            (session_token("nurlaila"), f"/api/verification/requests/{self.id}"),
            (session_token("hasan"), f"/api/assignment/requests/{self.id}"),
        ]
        answers = [self.harness.call(token, "GET", path) for token, path in calls]
        return [answer.json() if answer.status_code == 200 else {} for answer in answers]

    def wait_for_status(self, status: str) -> SubmittedRequest:
        """Wait until every service has it in this status."""
        wait_until(lambda: {seen.get("status") for seen in self.seen()} == {status})
        return self

    @property
    def document_ids(self) -> list[str]:
        return [document["id"] for document in self.seen()[0]["documents"]]


def _json(body: Any) -> dict[str, Any]:
    return {} if body is None else {"json": body}


@contextlib.contextmanager
def running_server(
    folder: Path, staff: StaffNaming = DEFAULT_NAMING, *, history_months: int = 0, **settings: str
) -> Iterator[ServerHarness]:
    """Run a server on this folder with signed-in staff, and with the demo's requests of past months."""
    server = ServerProcess(folder / "data", settings)
    with ThreadPoolExecutor(1) as aside:  # a browser may have a loop here
        aside.submit(lambda: asyncio.run(create_signed_in_staff(Settings(data=server.data), staff))).result()
    if history_months:
        written = server.simpul("demo", "--history", str(history_months))
        assert written.returncode == 0, written.stderr
    server.start()
    try:
        with open_client(server) as http:
            yield ServerHarness(server, http)
    finally:
        server.stop()


def open_client(server: ServerProcess) -> httpx.Client:
    """Open a client with many connections."""
    limits = httpx.Limits(max_connections=60, max_keepalive_connections=60)
    return httpx.Client(base_url=server.url, timeout=30, limits=limits)


async def create_signed_in_staff(settings: Settings, staff: StaffNaming = DEFAULT_NAMING) -> None:
    """Create the staff with open sessions, and one technician whose account is closed.

    The identity service is called directly: a command for each account would take longer than the tests.
    """
    platform = open_platform(settings)
    await platform.prepare()
    now = platform.clock()
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_cheap_hashing(monkeypatch)
        for username, (name, roles) in {**STAFF, "bekas": ("Bekas Pegawai", ["technical"])}.items():
            held = tuple(map(Role, roles))
            account = await platform.identity.add_staff(
                username, name + staff.titles, staff.email(username), held, PASSWORD
            )
            hashed = hashlib.sha256(session_token(username).encode()).hexdigest()
            await platform.accounts.open_session(Session(hashed, username, now, now), account)
    await platform.identity.change_staff("bekas", active=False)
    await platform.close()


def session_token(username: str) -> str:
    return f"token of {username}"


def wait_until(holds: Callable[[], bool], timeout: float = TIMEOUT_SECONDS) -> None:
    ends = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.02)


def submit_while_stopping(server: ServerProcess, stop: Callable[[], object]) -> bytes:
    """Begin a form, stop the server, send the rest once it has closed its port, and return the response."""
    form = httpx.Request("POST", f"{server.url}/api/requests", data=dict(FORM), files=list(FILES))
    body = form.read()
    headers = {**form.headers, "expect": "100-continue"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(f"POST /api/requests HTTP/1.1\r\n{head}\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        stop()
        wait_until(lambda: not is_listening(server.port))
        connection.sendall(body)
        return read_until_closed(connection)


def is_listening(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=60):
        return True
    return False


def read_until_closed(connection: socket.socket) -> bytes:
    """Return everything until the other side closes the connection or is silent."""
    came = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while piece := connection.recv(65536):
            came += piece
    return came


def refusal_errors(answer: httpx.Response, status: int) -> dict[str, str]:
    """Expect a problem with this status; return its messages by field, "" for the whole."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert_security_headers(answer)
    problem = json.loads(answer.text)
    assert problem["status"] == status
    told = {"": problem["detail"], **{error["field"]: error["message"] for error in problem.get("errors", ())}}
    assert all(sentence.strip().endswith(".") for sentence in told.values()), told
    assert "Traceback" not in answer.text
    return told


def assert_security_headers(answer: httpx.Response) -> None:
    """Expect the security headers of every response."""
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"]
    assert headers["x-request-id"]
    assert "server" not in headers
