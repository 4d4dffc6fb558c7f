"""`make bench-store`: generated stores agree with their log, and the same plan makes the same store."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bench import store
from bench.store import StorePlan, fill, make_batch, submissions
from services.assignment.oversight.projection import COLLECTION, UPDATED_AT_KEY
from services.notification.domain.state import STATUSES
from services.verification.projections import requests_query
from shared.backends.platform import open_platform
from shared.calendar import official_calendar, today
from shared.runtime.decider_runner import DeciderRunner
from shared.settings import Settings
from shared.storage.port import RecordQuery
from simpul.generate.lifecycle_simulator import build_deciders
from tests.support.services.cli_harness import CommandLine

UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
DENSE = StorePlan(requests=240, until=UNTIL, days=40)
"""Enough requests per hour that most of them are copies of others."""


async def test_the_states_of_a_generated_folder_are_those_that_follow_from_its_log(tmp_path: Path):
    command_line = CommandLine(tmp_path)
    statuses = await fill(Settings(data=command_line.data), DENSE, password="Kopra-Tembikar-Layar-41")
    assert statuses.total() == 240
    assert {"completed", "submitted", "in_progress"} <= statuses.keys()
    verified = json.loads(command_line.simpul("events", "verify", "--json").stdout)
    assert (verified["clean"], verified["trouble"]) == (True, [])
    assert {service["documents"] for service in verified["services"]} == {240}

    platform = open_platform(Settings(data=command_line.data))
    try:
        assert {account.username for account in await platform.accounts.accounts()} >= {
            "petugas", "kepala", "teknis", "admin",
        }  # fmt: skip
        decider = build_deciders()["verification"]
        store = platform.state_store("verification", decider.indexed_columns)
        found = await store.find(requests_query(status="submitted", limit=100))
        assert len(found.records) == statuses["submitted"]
        decider = build_deciders()["notification"]
        ledger = platform.state_store("notification", decider.indexed_columns)
        counts = {status: await ledger.count(RecordQuery("newest", where={status: 1})) for status in STATUSES}
        assert counts == {"queued": 0, "sending": 0, "sent": 240, "failed": 0, "unknown": 0}
        decider = build_deciders()["assignment"]
        figures = await platform.office.get(COLLECTION, UPDATED_AT_KEY)
        assert figures is not None
        store = platform.state_store("assignment", decider.indexed_columns)
        assert figures.body["cursor"] == await store.latest_change()
    finally:
        await platform.close()


def test_the_same_plan_makes_the_same_requests_with_numbers_and_applicants_of_their_own():
    every = list(submissions(DENSE, official_calendar()))
    made, again = make_batch(DENSE, every), make_batch(DENSE, every)
    assert made.records == again.records
    columns = [write.columns for write in made.records.writes["intake"]]
    assert sorted(str(row["number"]) for row in columns) == [f"INT-2026-{count:06d}" for count in range(1, 241)]
    assert len({row["email"] for row in columns}) == 240
    ids = [json.loads(event)["id"] for _, events in made.records.events for event in events]
    assert len(ids) == len(set(ids)) > 240 * 4


def test_a_copy_may_come_in_at_the_time_of_another_request(monkeypatch: pytest.MonkeyPatch):
    def in_one_of_two_microseconds(day: date, rng: random.Random) -> datetime:
        return datetime(day.year, day.month, day.day, 2, 0, 0, rng.randrange(2), tzinfo=UTC)

    monkeypatch.setattr(store, "office_time", in_one_of_two_microseconds)
    monkeypatch.setattr(store, "COPY_WINDOW", timedelta(microseconds=1))
    planned = list(submissions(replace(DENSE, requests=2_000), official_calendar()))
    assert all(planned[one.course].course == one.course for one in planned)


def test_the_columns_of_a_copy_are_those_that_the_service_derives_from_its_record():
    deciders = build_deciders()
    made = make_batch(DENSE, list(submissions(DENSE, official_calendar())))
    for name, decider in deciders.items():
        runner = DeciderRunner(decider)
        writes = made.records.writes[name]
        states = [runner.state(write.record) for write in writes]
        assert [dict(write.columns) for write in writes] == [dict(decider.columns(state)) for state in states]
        assert [write.due_at for write in writes] == [decider.due_at(state) for state in states]
        assert len(writes) == 240


def test_requests_come_in_over_two_years_and_seldom_on_a_holiday():
    calendar = official_calendar()
    days = [today(one.at) for one in submissions(StorePlan(5_000, UNTIL), calendar)]
    assert 700 < (max(days) - min(days)).days < 730
    assert max(days) < today(UNTIL)
    assert 0.9 < sum(map(calendar.is_working_day, days)) / len(days) < 1
