"""The API of dead letters: events that violate their contract, events that wait behind them, and replay and discard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.envelope import Event, encode_event
from shared.contracts.facts import Fact
from shared.runtime.rebuild import Rebuild
from shared.web.admin.dead_letter_api import DeadLetterResponse
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import REQUEST, make_event
from tests.support.services.services_harness import request_id, services_harness, submission
from tests.support.services.staff_harness import PEOPLE, StaffHarness

LETTERS = "/api/dead-letters"
moved = tale.APPLICANT.model_copy(update={"unit": "Dinas Kesehatan"})
resubmitted = tale.resubmitted.model_copy(update={"applicant": moved})


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, "verification", "notification") as opened:
        yield opened


async def poison(harness: StaffHarness, fact: Fact, old: bytes, new: bytes, subject: str = REQUEST) -> None:
    """Append the next event of its source with invalid content, and wait until it is consumed."""
    harness.sequences[fact.owner, subject] += 1
    raw = encode_event(make_event(fact, harness.sequences[fact.owner, subject], harness.clock(), subject))
    assert old in raw
    await harness.platform.log.append([(subject, raw.replace(old, new))])
    await harness.wait_until(harness.wait_until_consumed)


async def parked(harness: StaffHarness, service: str = "") -> list[dict[str, Any]]:
    answer = await harness.get("admin", LETTERS, params={"service": service} if service else {})
    assert answer.status_code == 200, answer.text
    letters: list[dict[str, Any]] = answer.json()["items"]
    return letters


async def status(harness: StaffHarness, subject: str = REQUEST) -> str:
    kept = await harness.services["verification"].runtime.executor.read(subject)
    return str(kept.state.status) if kept else "unknown"


async def unlike_the_log(harness: StaffHarness) -> tuple[Any, Any, Any]:
    """Differences between a fold of the whole log and the state of verification, including gaps and missing events."""
    runtime = harness.services["verification"].runtime
    report = await Rebuild(runtime.executor.decider, runtime.store, harness.platform.log).compare()
    return report.differences, report.gaps, report.behind


async def tried_by_itself(harness: StaffHarness) -> None:
    """Wait until no service retries its parked events automatically any more."""
    queues = [service.runtime.dead_letters for service in harness.services.values()]
    await harness.wait_until(lambda: _done(queues))


async def _done(queues: list[Any]) -> bool:
    return not any(queue._replays for queue in queues)


async def returned(harness: StaffHarness) -> None:
    """Publish a request that was returned by an officer."""
    await harness.publish(tale.submitted)
    harness.clock.advance(minutes=1)
    items = [{"item": verdict.item.value, "ok": verdict.ok, "note": verdict.note} for verdict in tale.returned.verdicts]
    answer = await harness.post("nurlaila", f"/api/verification/requests/{REQUEST}/return", {"checklist": items})
    assert answer.status_code == 200, answer.text
    await harness.events("verification")
    harness.clock.advance(minutes=1)


async def a_poisoned_resubmission(harness: StaffHarness) -> None:
    """Publish a request that was returned, resubmitted with an invalid event, and withdrawn."""
    await returned(harness)
    await poison(harness, resubmitted, b'"round":2', b'"round":"two"')
    await harness.publish(tale.withdrawn)
    await tried_by_itself(harness)


async def test_an_unreadable_event_is_listed_with_the_events_that_wait_behind_it(harness: StaffHarness):
    await a_poisoned_resubmission(harness)
    first, second = await parked(harness, "verification")
    assert isinstance(first["position"], str)
    assert first == {
        "id": f"verification:{first['position']}",
        "service": "verification",
        "request": REQUEST,
        "position": first["position"],
        "reason": first["reason"],
        "tries": first["tries"],
        "parked_at": harness.clock().isoformat(),
    }
    assert "RequestResubmitted v1" in first["reason"]
    assert first["tries"] in (5, 6)  # one more if the withdrawal arrived during a retry
    assert second["reason"] == "menunggu kejadian sebelumnya"
    assert [letter["service"] for letter in await parked(harness)] == ["verification"] * 2 + ["notification"] * 2


async def test_a_listed_dead_letter_contains_no_personal_data(harness: StaffHarness, caplog: pytest.LogCaptureFixture):
    await poison(harness, tale.submitted, b'"scope":"data"', b'"scope":7')
    await poison(harness, tale.withdrawn, b'"type":"RequestWithdrawn"', b'"type":7', request_id(2))
    await tried_by_itself(harness)
    shown = str(await parked(harness)) + caplog.text
    assert shown.count("verification:") >= 2
    for secret in (tale.APPLICANT.email, tale.APPLICANT.employee_number, tale.APPLICANT.name):
        assert secret not in shown


async def test_later_events_of_the_request_wait_while_other_requests_continue(harness: StaffHarness):
    await a_poisoned_resubmission(harness)
    assert await status(harness) == "returned"
    await harness.publish(submission(2), tale.rejected, subject=request_id(2))
    assert await status(harness, request_id(2)) == "rejected"
    assert len(await parked(harness, "verification")) == 2


async def test_a_replay_with_fixed_code_processes_all_events_in_order(harness: StaffHarness):
    runtime = harness.services["verification"].runtime
    whole = runtime.event_folder.runner.decider

    def stumbles(state: Any, event: Event) -> Any:
        if event.type == "RequestResubmitted":
            raise ValueError("a bug")
        return whole.evolve(state, event)

    runtime.event_folder.runner.decider = replace(whole, evolve=stumbles)
    await returned(harness)
    await harness.publish(resubmitted, tale.withdrawn)
    await tried_by_itself(harness)
    first, second = await parked(harness)
    assert first["reason"] == "ValueError: a bug"
    still = await harness.post("admin", f"{LETTERS}/{second['id']}/replay")
    assert [letter["id"] for letter in still.json()["items"]] == [first["id"], second["id"]]
    assert still.json()["items"][0]["tries"] == first["tries"] + 1
    runtime.event_folder.runner.decider = whole
    done = await harness.post("admin", f"{LETTERS}/{second['id']}/replay")
    assert (done.status_code, done.json()) == (200, {"items": []})
    assert await parked(harness) == []
    kept = await runtime.executor.read(REQUEST)
    assert kept is not None
    names = ["RequestSubmitted", "RequestReturned", "RequestResubmitted", "RequestWithdrawn"]
    assert [entry.event for entry in kept.state.history] == names


async def test_waiting_events_are_processed_in_order_after_a_discard(harness: StaffHarness):
    await a_poisoned_resubmission(harness)
    first, second = await parked(harness, "verification")
    answer = await harness.post("admin", f"{LETTERS}/{first['id']}/discard")
    assert (answer.status_code, answer.json()) == (200, {"items": []})
    assert await status(harness) == "withdrawn"
    assert [letter["service"] for letter in await parked(harness)] == ["notification"] * 2
    for gone in (first, second):
        assert (await harness.post("admin", f"{LETTERS}/{gone['id']}/replay")).status_code == 404
    assert await unlike_the_log(harness) == ([], [], [])


async def test_a_waiting_event_can_be_discarded_before_the_one_it_waits_for(harness: StaffHarness):
    await a_poisoned_resubmission(harness)
    first, second = await parked(harness, "verification")
    left = await harness.post("admin", f"{LETTERS}/{second['id']}/discard")
    assert [letter["id"] for letter in left.json()["items"]] == [first["id"]]
    assert (await harness.post("admin", f"{LETTERS}/{first['id']}/discard")).json() == {"items": []}
    assert await status(harness) == "returned"
    assert await unlike_the_log(harness) == ([], [], [])
    await harness.publish(tale.expired)
    assert await status(harness) == "expired"


async def test_undecodable_bytes_are_parked_and_can_be_discarded(harness: StaffHarness):
    await harness.publish(tale.submitted)
    await harness.platform.log.append([(REQUEST, b"\xff\x00{")])
    await harness.publish(tale.withdrawn)
    await tried_by_itself(harness)
    first, _ = await parked(harness, "verification")
    assert (await harness.post("admin", f"{LETTERS}/{first['id']}/discard")).json() == {"items": []}
    assert await status(harness) == "withdrawn"


async def test_events_of_unknown_requests_can_be_discarded(tmp_path: Path):
    async with services_harness(tmp_path, "intake") as harness, asyncio.timeout(30):
        for index in (7, 8):
            await poison(harness, tale.verified, b'"round":1', b'"round":"one"', request_id(index))
        for letter in await parked(harness):
            answer = await harness.post("admin", f"{LETTERS}/{letter['id']}/discard")
            assert (answer.status_code, answer.json()) == (200, {"items": []})


async def test_concurrent_discards_discard_an_event_once(harness: StaffHarness):
    await a_poisoned_resubmission(harness)
    [first, _] = await parked(harness, "verification")
    path = f"{LETTERS}/{first['id']}/discard"
    answers = await asyncio.gather(*(harness.post("admin", path) for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert 200 in [answer.status_code for answer in answers]
    assert await status(harness) == "withdrawn"
    assert await parked(harness, "verification") == []


@pytest.mark.parametrize("step", ["replay", "discard"])
@pytest.mark.parametrize("letter", ["verification:999", "nobody:1", "x", "verification:", "%2e%2e", "a:b:c"])
async def test_an_unknown_dead_letter_is_404(harness: StaffHarness, letter: str, step: str):
    answer = await harness.post("admin", f"{LETTERS}/{letter}/{step}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("query", [{"service": "nobody"}, {"services": "verification"}])
async def test_an_invalid_query_is_refused(harness: StaffHarness, query: dict[str, str]):
    answer = await harness.get("admin", LETTERS, params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [*query]


async def test_a_repeated_discard_is_404(harness: StaffHarness):
    await a_poisoned_resubmission(harness)
    first, _ = await parked(harness, "verification")
    answers = [await harness.post("admin", f"{LETTERS}/{first['id']}/discard", key="once") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 404]
    assert "Mungkin sudah" in answers[1].json()["detail"]


@pytest.mark.parametrize("who", ["", *PEOPLE])
async def test_dead_letters_are_for_administrators(harness: StaffHarness, who: str):
    await a_poisoned_resubmission(harness)
    first, _ = await parked(harness, "verification")
    paths = [f"{LETTERS}/{first['id']}/replay", f"{LETTERS}/{first['id']}/discard"]
    codes = {(await harness.get(who, LETTERS)).status_code}
    codes |= {(await harness.post(who, path)).status_code for path in paths}
    assert codes == {{"admin": 200, "": 401}.get(who, 403)}


def test_a_position_in_a_kafka_partition_is_a_valid_response():
    fields = {"id": "verification:0:12", "service": "verification", "request": REQUEST, "position": "0:12"}
    response = DeadLetterResponse(**fields, reason="Gap", tries=1, parked_at="2026-11-27T09:00:00+09:00")
    assert response.model_dump(mode="json")["position"] == "0:12"
