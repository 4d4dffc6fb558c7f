"""The API conforms to its OpenAPI document: schemathesis generates valid and invalid calls in every role."""

from __future__ import annotations

import asyncio
import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.services.seeded_application import (
    ADMIN,
    OFFICER,
    STEPS,
    STRUCTURAL,
    TECHNICAL,
    SeededApplication,
    credentials,
    seeded_application,
)
from tests.support.services.staff_harness import open_sessions

pytestmark = pytest.mark.slow

PEOPLE = ("", "applicant", OFFICER, STRUCTURAL, TECHNICAL, ADMIN)
RIGHT: dict[str, dict[str, Any]] = {
    **{step: body for steps in STEPS.values() for _, _, step, body, _ in steps},
    "reassignment": {"lead": "jafar", "reason": "Cuti."},
    "progress": {"note": "Sambungan terpasang.", "percent": 40},
    "survey": {"answers": [4] * 9},
    "substitutes": {"username": "halima", "substitute": "kepala", "from": "2026-11-23", "until": "2026-11-24"},
    "views": {"name": "Data", "list": "verification", "query": "scope=data"},
}
"""Realistic values, because generated ones seldom pass rules that a schema cannot express."""
BASE = "http://simpul.example"
FEW, MANY = 1, 6
"""Number of cases for operations that hash a password, which is slow on purpose, and for the others."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
HASHING = frozenset({("post", "/api/staff"), ("patch", "/api/staff/{username}"), ("post", "/api/session")})
SESSION = "/api/session"


@dataclass
class Running:
    """The application and its event loop; schemathesis itself is synchronous."""

    seeded: SeededApplication
    runner: asyncio.Runner
    answered: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))

    def operations(self) -> Iterator[APIOperation]:
        for found in schemathesis.openapi.from_dict(self.seeded.app.openapi()).get_all_operations():
            operation: APIOperation = found.ok()  # raises for an invalid document
            if not operation.path.endswith("/live"):  # streams do not end
                yield operation

    def send(self, request: httpx.Request) -> httpx.Response:
        async def answered() -> httpx.Response:
            async with self.seeded.harness.http as client:
                return await client.send(request)

        return self.runner.run(answered())

    def call(self, case: Case, headers: dict[str, str]) -> httpx.Response:
        """Send a generated case to the application."""
        made = requests.Request(**case.as_transport_kwargs(base_url=BASE, headers=headers)).prepare()
        body = cast("str | bytes | None", made.body)
        return self.send(httpx.Request(str(made.method), str(made.url), headers=wire(made.headers), content=body))


def wire(headers: Mapping[str, str | bytes]) -> list[tuple[bytes, bytes]]:
    return [(as_bytes(name), as_bytes(value)) for name, value in headers.items()]


def as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with asyncio.Runner() as runner:
        opened = seeded_application(tmp_path_factory.mktemp("office"))
        yield Running(runner.run(opened.__aenter__()), runner)
        runner.run(opened.__aexit__(None, None, None))


def cases(operation: APIOperation, mode: GenerationMode) -> st.SearchStrategy[tuple[Case, str, bool]]:
    """Generated cases, with the status of their request, and whether they name it or a made-up one."""
    return st.tuples(operation.as_strategy(mode), st.sampled_from(sorted(STEPS)), st.integers(0, 3).map(bool))


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_every_operation_conforms_to_the_openapi_document_for_every_role(running: Running, mode: GenerationMode):
    wrong = [found for operation in running.operations() if (found := what_is_wrong(running, operation, mode))]
    assert not wrong, "\n\n".join(wrong)


def what_is_wrong(running: Running, operation: APIOperation, mode: GenerationMode) -> str:
    @seed(1)
    @settings(
        max_examples=FEW if (operation.method, operation.path) in HASHING else MANY,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(operation, mode))
    def everybody_calls(made: tuple[Case, str, bool]) -> None:
        for who in PEOPLE:
            check(running, operation, who, *made)

    try:
        everybody_calls()
    except Unsatisfiable:
        pass  # an operation without input has no invalid cases
    except FailureGroup as failures:
        return f"{operation.label}: {failures.exceptions}"
    return ""


def check(running: Running, operation: APIOperation, who: str, case: Case, status: str, real: bool) -> None:
    seeded = running.seeded
    if real and case.path_parameters:
        known = {**seeded.examples(status), "username": "jafar"}
        case.path_parameters = {name: known[name] for name in case.path_parameters}
    if real and isinstance(case.body, dict):
        case.body = RIGHT.get(operation.path.rpartition("/")[2], case.body)
    answer = running.call(case, credentials(who, seeded.requests[status]))
    case.validate_response(answer, checks=CHECKS)
    running.answered[operation.method, operation.path].add(answer.status_code)
    if operation.path == SESSION:
        running.runner.run(open_sessions(seeded.harness.platform))


def test_every_get_succeeded_at_least_once(running: Running):
    """The generated cases would prove little if all of them were refused."""
    never = {call for call, statuses in running.answered.items() if call[0] == "get" and not {200, 206} & statuses}
    assert running.answered
    assert never == set()


def test_allow_lists_the_documented_methods(running: Running):
    described = running.seeded.app.openapi()["paths"]
    for path, calls in described.items():
        address = BASE + path.format(**running.seeded.examples("submitted"))
        answer = running.send(httpx.Request("OPTIONS", address))
        told = set(answer.headers["Allow"].lower().split(", "))
        assert told - {"head", "options"} == set(calls), path
        for method in {"get", "post", "put", "patch", "delete"} - told:
            refused = running.send(httpx.Request(method, address))
            assert (refused.status_code, refused.headers["Allow"]) == (405, answer.headers["Allow"]), (method, path)


def test_a_response_that_does_not_conform_is_detected(running: Running):
    described = copy.deepcopy(running.seeded.app.openapi())
    del described["paths"]["/api/staff"]["get"]["responses"]["403"]
    staff = schemathesis.openapi.from_dict(described)["/api/staff"]["get"]
    assert "Undocumented status code" in what_is_wrong(running, staff, GenerationMode.POSITIVE)
    described["components"]["schemas"]["Problem"]["properties"]["title"]["type"] = "integer"
    links = schemathesis.openapi.from_dict(described)["/api/links"]["post"]
    assert "violates schema" in what_is_wrong(running, links, GenerationMode.NEGATIVE)
