"""Logs of complete lifecycles, made by the deciders of all services: the events that they would publish, emails included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from services.assignment.domain import commands as assignment
from services.intake.domain import commands as intake
from services.verification.domain import commands as verification
from shared.contracts.envelope import encode_event
from shared.contracts.facts import Complexity, DocumentKind
from shared.runtime.decider import Decider
from simpul.generate.lifecycle_simulator import (
    FAILED_VERDICTS,
    HEAD,
    LEAD,
    OFFICER,
    PASSED_VERDICTS,
    SURVEY,
    LifecycleSimulator,
    Step,
    complete_work,
    document,
    submit_request,
)

CONCURRENT_REQUESTS = 50


@dataclass(frozen=True, slots=True)
class LogRecord:
    """An encoded event and the key under which it is appended."""

    key: str
    value: bytes


def scenario(request: str, number: int) -> list[Step]:
    """The steps of the request with this number: mostly the direct path, every fifth a detour."""
    submitted: list[Step] = [("intake", submit_request(request, number))]
    match number // 5 % 5 if number % 5 == 0 else None:
        case 0:
            letter = document(request, "surat-2.pdf", DocumentKind.LETTER, 2)
            returned: list[Step] = [
                ("verification", verification.ReturnRequest(OFFICER, FAILED_VERDICTS)),
                ("intake", intake.ResubmitRequest(documents=(letter,))),
            ]
            return [*submitted, *returned, *_work_steps(), *_handover_steps()]
        case 1:
            paused: list[Step] = [
                ("assignment", assignment.PauseWork(LEAD, "Mohon alamat server uji.")),
                ("intake", intake.AnswerQuestion("Server uji siap.")),
            ]
            return [*submitted, *_work_steps(), *paused, *_handover_steps()]
        case 2:
            contested: list[Step] = [
                ("assignment", complete_work),
                ("intake", intake.ContestHandover("Hasil uji belum lengkap.")),
            ]
            return [*submitted, *_work_steps(), *contested, *_handover_steps(2)]
        case 3:
            return [
                *submitted,
                ("verification", verification.RecommendRejection(OFFICER, "Di luar lingkup layanan.")),
                ("assignment", assignment.RejectRequest(HEAD, "Mohon maaf, di luar lingkup layanan.")),
            ]
        case 4:
            return [*submitted, *_work_steps(), ("intake", intake.WithdrawRequest("Kebutuhan telah terpenuhi."))]
        case _:
            return [*submitted, *_work_steps(), *_handover_steps()]


def _work_steps() -> list[Step]:
    return [
        ("verification", verification.VerifyRequest(OFFICER, PASSED_VERDICTS)),
        ("assignment", assignment.AssignLead(HEAD, LEAD, Complexity.MEDIUM, date(2026, 12, 1))),
        ("assignment", assignment.StartWork(LEAD)),
        ("assignment", assignment.NoteProgress(LEAD, "Sambungan dipasang dan diuji.", 50)),
    ]


def _handover_steps(delivery: int = 1) -> list[Step]:
    return [
        ("assignment", partial(complete_work, count=delivery)),
        ("intake", intake.ConfirmHandover()),
        ("intake", SURVEY),
    ]


def lifecycle_records(deciders: Mapping[str, Decider[Any]], number: int) -> Iterator[LogRecord]:
    """The events of one request."""
    simulator = LifecycleSimulator(deciders, number)
    simulator.run(scenario(simulator.request, number))
    return (LogRecord(simulator.request, encode_event(event)) for event in simulator.events)


def generate_log(deciders: Mapping[str, Decider[Any]], events: int) -> list[LogRecord]:
    """At least this many events, interleaved as CONCURRENT_REQUESTS requests at a time would append them."""
    records: list[LogRecord] = []
    number = 0
    while len(records) < events:
        iterators = [lifecycle_records(deciders, number + index) for index in range(CONCURRENT_REQUESTS)]
        number += CONCURRENT_REQUESTS
        while iterators:
            round_of_records = [(iterator, next(iterator, None)) for iterator in iterators]
            records += [record for _, record in round_of_records if record]
            iterators = [iterator for iterator, record in round_of_records if record]
    return records
