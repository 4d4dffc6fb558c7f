"""A short run of `make faults`: a process and the log are killed under load, and nothing is lost or repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.distributed.fault_injection import FaultRecord, short_faults
from tests.faults.distributed.run import Run, prepared
from tests.faults.distributed.smtp_recorder import SmtpRecorder
from tests.support.distributed.deployment import Engines, engines
from tests.support.engines.engine_process import EngineUnavailable, skip

SENT = {"a.1": "sent", "b.1": "sent"}


@pytest.fixture
def own_engines(tmp_path: Path) -> Iterator[Engines]:
    """Engines of this test alone, because the log must contain no other events."""
    try:
        with engines(tmp_path / "engines") as started:
            yield started
    except EngineUnavailable as reason:
        skip(reason)


def lived(*parts: str) -> FaultRecord:
    """Record a fault from second 100 to second 120."""
    return FaultRecord("fault", parts, 100, 120, 130)


def test_an_e_mail_that_came_again_needs_a_fault_that_lost_the_word_of_the_first():
    smtp_recorder = SmtpRecorder(taken={"a.1": [105.0, 300.0], "b.1": [90.0]})
    assert smtp_recorder.findings(SENT, [lived("notification")]) == []
    assert smtp_recorder.findings(SENT, [lived("mongo")]) == []
    assert smtp_recorder.findings(SENT, [lived("kafka")]) == ["e-mail a.1 came again after 195 s without a fault"]
    assert len(SmtpRecorder(taken={"a.1": [80.0, 105.0]}).findings({"a.1": "sent"}, [lived("mongo")])) == 1


def test_an_e_mail_that_never_came_or_that_nobody_owed_is_found():
    smtp_recorder = SmtpRecorder(taken={"a.1": [1.0], "c.1": [1.0]})
    assert smtp_recorder.findings({**SENT, "a.1": "sending"}, []) == [
        "e-mail b.1 was never handed over",
        "e-mail a.1 is sending in the ledger",
        "e-mail c.1 is not in the ledger",
    ]


@pytest.mark.slow
@pytest.mark.engines("kafka", "mongo", "minio")
def test_what_was_acknowledged_completes_over_a_kill_of_a_process_and_of_the_log(own_engines: Engines, tmp_path: Path):
    with prepared(tmp_path / "site", own_engines) as (deployment, smtp_recorder):
        figures = asyncio.run(
            Run(deployment, smtp_recorder, short_faults(deployment, own_engines), pause=1.5, calm=5).done()
        )
    assert figures.findings == []
    assert figures.people.completed == len(figures.people.journeys) > 5
    assert len(figures.people.book.acknowledged) == figures.people.book.commands
    assert figures.owed == len(smtp_recorder.taken) > 0
