"""Logs name the service and the request, and contain no personal data."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from time import thread_time
from typing import Any

import pytest

from shared.contracts.envelope import Event
from shared.contracts.intake import RequestSubmitted
from shared.observability.logging import JsonLogFormatter, rate_limit_logs, redact
from shared.runtime.decider import Decider
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import submitted
from tests.support.services.runtime_harness import INTAKE, VERIFICATION, record, runtime_harness, submit, until

PERSONAL = ("rahmat@", submitted.applicant.email, submitted.applicant.employee_number)


@pytest.fixture
def log_stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLogFormatter("simpul"))
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def log_lines(log_stream: io.StringIO, about: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log_stream.getvalue().splitlines()) if about in line["message"]]


def failing_verification() -> Decider[Any]:
    """Return a verification service that fails on submissions with personal data in the error."""

    def evolve(state: Any, event: Event) -> Any:
        if isinstance(event.fact, RequestSubmitted):
            raise ValueError(f"{event.fact.applicant.email} {event.fact.applicant.employee_number}")
        return VERIFICATION.evolve(state, event)

    return Decider(
        **{name: getattr(VERIFICATION, name) for name in VERIFICATION.__dataclass_fields__ if name != "evolve"},
        evolve=evolve,
    )


async def test_a_parked_event_is_logged_with_its_request_and_without_personal_data(
    tmp_path: Path, log_stream: io.StringIO
):
    async with runtime_harness(tmp_path) as harness:
        verification = await harness.service(failing_verification())
        await verification.consumer.handle([record(1, submitted)])
        await verification.dead_letters.stop()
    found = [*log_lines(log_stream, "cannot fold"), *log_lines(log_stream, "parked 1 events")]
    assert [line["subject"] for line in found] == [REQUEST, REQUEST]
    assert "exception" in found[0]
    for personal in PERSONAL:
        assert personal not in log_stream.getvalue()


async def test_a_failed_publication_is_logged_with_its_request_and_service(tmp_path: Path, log_stream: io.StringIO):
    async with runtime_harness(tmp_path) as harness:
        harness.log.down = True
        intake = await harness.service(INTAKE, started=True)
        await submit(intake)

        async def reported() -> bool:
            return bool(log_lines(log_stream, "cannot publish"))

        await until(reported)
        harness.log.down = False
    line = log_lines(log_stream, "cannot publish")[0]
    assert (line["subject"], line["service"], line["level"]) == (REQUEST, "intake", "warning")
    for personal in PERSONAL:
        assert personal not in log_stream.getvalue()


async def test_repeated_messages_are_rate_limited(log_stream: io.StringIO):
    chatty = logging.getLogger("chatty.library")
    rate_limit_logs(0.2, "chatty.library")
    rate_limit_logs(0.2, "chatty.library")
    for count in range(5):
        chatty.error("cannot reach %s", count)
        chatty.error("something else")
    assert len(log_lines(log_stream, "cannot reach")) == 1
    await asyncio.sleep(0.25)
    chatty.error("cannot reach %s", 9)
    assert [line["message"] for line in log_lines(log_stream, "cannot reach")] == ["cannot reach 0", "cannot reach 9"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rahmat@dishub.example, siti@a.b.example.", "[surel], [surel]."),
        ("a@b!c@d.example (a@b)", "[surel] ([surel])"),
        ("input_value='rahasia', input_type=str", "input_value=[isian], input_type=str"),
        (
            "input_value='input_value=rahasia', input_type=str\nlanjut",
            "input_value=[isian], input_type=str\nlanjut",
        ),
        ("input_value='terpotong\nbaris berikut", "input_value=[isian]\nbaris berikut"),
    ],
)
def test_user_input_is_redacted(text: str, shown: str):
    assert redact(text) == shown


@pytest.mark.parametrize("fragment", ["a", "a.", "input_value=", "1 ", "a-", "token=", "@", "a@", "smtp://"])
def test_redaction_of_a_long_line_takes_linear_time(fragment: str):
    text = fragment * (64_000 // len(fragment)) + " input_value=@"
    started_at = thread_time()
    redact(text)
    assert thread_time() - started_at < 0.5
