"""Several processes of one service share work, and keep serving while an engine is down."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import httpx
import pytest

from simpul.client import ApiError, RetryPolicy, SimpulClient, new_idempotency_key, open_client
from simpul.registry import SERVICE_NAMES
from tests.e2e.http.test_request_lifecycle import FORM, LETTER, REQUIREMENTS, mail, until
from tests.support.distributed.deployment import Deployment, Engines, ServiceProcess
from tests.support.e2e.server_process import PASSWORD, Inbox
from tests.support.engines.engine_process import EngineProcess as Engine
from tests.support.sample_submission import ALL_OK

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]

SOON = RetryPolicy(timeout_seconds=20)


@pytest.fixture
async def public(deployment: tuple[Inbox, Deployment]) -> AsyncIterator[SimpulClient]:
    """A client without a session at the gateway."""
    async with open_client(deployment[1].url, retry_policy=SOON) as client:
        yield client


@pytest.fixture
async def officer(public: SimpulClient) -> SimpulClient:
    return await public.sign_in("nurlaila", PASSWORD)


async def submitted(public: SimpulClient, officer: SimpulClient) -> tuple[str, str, SimpulClient]:
    """Return the id and number of a request that verification has consumed, and its applicant's client."""
    made = await public.submit(FORM, LETTER, REQUIREMENTS[:1])
    await until(lambda: officer.request("verification", made["id"]), "submitted")
    return made["id"], made["number"], public.with_token(made["tracking_token"])


def at(process: ServiceProcess, client: SimpulClient) -> httpx.AsyncClient:
    """Return the client connected to this process instead of the gateway."""
    return httpx.AsyncClient(base_url=process.url, headers={"Authorization": f"Bearer {client.token}"}, timeout=30)


async def condition(process: ServiceProcess) -> tuple[int, dict[str, str]]:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{process.url}/health/ready", timeout=10)
    return answer.status_code, answer.json()["parts"]


async def heard(officer: SimpulClient, *ids: str) -> bool:
    """Return whether verification knows all these requests."""
    seen = await asyncio.gather(*(officer.request("verification", each) for each in ids), return_exceptions=True)
    unknown = [each for each in seen if isinstance(each, BaseException)]
    assert all(isinstance(each, ApiError) and each.status == 404 for each in unknown), unknown
    return not unknown


async def wait_until(holds: Callable[[], Awaitable[bool]], seconds: float = 40) -> None:
    ends = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < ends, "it did not come to pass"
        await asyncio.sleep(0.1)


@pytest.fixture
async def engine(request: pytest.FixtureRequest, real_engines: Engines) -> AsyncIterator[Engine]:
    """Kill the engine that a test names, and start it again at the end."""
    chosen: Engine = getattr(real_engines, request.param)
    await asyncio.to_thread(chosen.kill)
    yield chosen
    if not chosen.alive:
        await asyncio.to_thread(chosen.start)


async def test_a_target_that_an_administrator_sets_holds_in_every_process(
    deployment: tuple[Inbox, Deployment], public: SimpulClient, officer: SimpulClient
):
    id_, number, _ = await submitted(public, officer)
    before = (await officer.request("verification", id_))["due"]
    admin = await public.sign_in("admin", PASSWORD)
    async with httpx.AsyncClient(base_url=deployment[1].url, timeout=30) as http:
        http.headers["Authorization"] = f"Bearer {admin.token}"
        stored = (await http.get("/api/targets")).json()
        targets = {name: days for name, days in stored.items() if name.endswith("_days")}
        changed = (await http.put("/api/targets", json={**targets, "verify_days": 5})).json()
        assert changed["saved"], changed
        assert number in [moved["number"] for moved in changed["moved"]]

        async def holds_at(process: ServiceProcess) -> bool:
            async with at(process, officer) as connected:
                shown = (await connected.get(f"/api/verification/requests/{id_}")).json()
                # The list is read by the stored due day.
                query = {"search": number, "sort": "-due", "status": "submitted"}
                listed = (await connected.get("/api/verification/requests", params=query)).json()["items"]
            return shown["due"] > before and [one["due"] for one in listed] == [shown["due"]]

        for process in deployment[1].of("verification"):
            await wait_until(partial(holds_at, process))
        restored = await http.put("/api/targets", json={**targets, "version": changed["version"]})
        assert restored.json()["saved"], restored.text


async def test_a_page_at_one_process_hears_of_a_decision_at_another(
    deployment: tuple[Inbox, Deployment], public: SimpulClient, officer: SimpulClient
):
    id_, _, _ = await submitted(public, officer)
    one, other = deployment[1].of("verification")
    async with at(one, officer) as listening, listening.stream("GET", "/api/verification/live") as stream:
        lines = stream.aiter_lines()
        assert (await anext(lines)).startswith("retry")
        async with at(other, officer) as deciding:
            checklist = {"checklist": ALL_OK}
            answer = await deciding.post(f"/api/verification/requests/{id_}/verification", json=checklist)
        assert answer.status_code == 200, answer.text
        async with asyncio.timeout(20):
            async for line in lines:
                if id_ in line and "verified" in line:
                    return
    raise AssertionError("the stream ended")


async def test_a_repeated_command_gets_its_first_answer_from_any_process(
    deployment: tuple[Inbox, Deployment], public: SimpulClient, officer: SimpulClient
):
    _, number, applicant = await submitted(public, officer)
    key = {"Idempotency-Key": new_idempotency_key()}
    answers = []
    for process in (*deployment[1].of("intake"), *deployment[1].of("intake")):
        async with at(process, applicant) as http:
            reason = {"reason": "Tidak jadi."}
            answers.append(await http.post(f"/api/requests/{number}/withdrawal", json=reason, headers=key))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.text for answer in answers}) == 1


async def test_of_fifty_decisions_at_once_at_two_processes_one_wins(public: SimpulClient, officer: SimpulClient):
    id_, _, _ = await submitted(public, officer)

    outcomes = await asyncio.gather(*(officer.verify(id_, ALL_OK) for _ in range(50)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, ApiError)]
    assert (len(outcomes) - len(refused), Counter(each.status for each in refused)) == (1, {409: 49})
    assert {each.problem["current"]["status"] for each in refused} == {"verified"}


async def test_administrators_see_dead_letters_of_services_in_other_processes(
    deployment: tuple[Inbox, Deployment], public: SimpulClient
):
    admin = await public.sign_in("admin", PASSWORD)
    http = httpx.AsyncClient(base_url=deployment[1].url, headers={"Authorization": f"Bearer {admin.token}"})
    for service in SERVICE_NAMES:
        answer = await http.get("/api/dead-letters", params={"service": service})
        assert (answer.status_code, answer.json()) == (200, {"items": []})


async def test_one_process_of_a_service_may_be_killed(
    deployment: tuple[Inbox, Deployment], public: SimpulClient, officer: SimpulClient
):
    inbox, server = deployment
    inbox.messages.clear()
    victims = [server.of(name)[0] for name in ("intake", "verification", "notification")]
    for victim in victims:
        await asyncio.to_thread(victim.kill)
    made = await public.submit(FORM, LETTER, REQUIREMENTS[:1])
    # The dead one's partitions move when its session has ended.
    await wait_until(lambda: heard(officer, made["id"]))
    await officer.verify(made["id"], ALL_OK)
    await wait_until(lambda: _told(inbox, 2))
    for victim in victims:
        victim.start()
    for victim in victims:
        await asyncio.to_thread(victim.wait)


async def _told(inbox: Inbox, count: int) -> bool:
    return len(inbox.to(FORM["email"])) >= count


@pytest.mark.parametrize("engine", ["kafka"], indirect=True)
async def test_without_the_log_submissions_go_on_processes_start_and_all_is_told_afterwards(
    deployment: tuple[Inbox, Deployment], public: SimpulClient, officer: SimpulClient, engine: Engine
):
    inbox, server = deployment
    inbox.messages.clear()
    made = await public.submit(FORM, LETTER, REQUIREMENTS[:1])
    restarted = server.of("intake")[0]
    restarted.kill()
    restarted.start()
    await asyncio.to_thread(restarted.wait)
    assert await condition(restarted) == (200, {"state": "ok", "documents": "ok", "log": "down"})
    again = await public.submit(FORM, LETTER, REQUIREMENTS[:1])
    await asyncio.to_thread(engine.start)

    await wait_until(lambda: heard(officer, made["id"], again["id"]), 60)
    assert len(await mail(inbox, FORM["email"], 2)) == 2


@pytest.mark.parametrize("engine", ["mongo", "minio"], indirect=True)
async def test_without_states_or_documents_a_submission_is_refused_plainly_and_taken_afterwards(
    deployment: tuple[Inbox, Deployment], public: SimpulClient, officer: SimpulClient, engine: Engine
):
    intake = deployment[1].of("intake")[0]
    async with open_client(deployment[1].url, retry_policy=RetryPolicy(timeout_seconds=0)) as hasty:
        with pytest.raises(ApiError) as refusal:
            await hasty.submit(FORM, LETTER, REQUIREMENTS[:1])
    assert refusal.value.status == 503
    assert refusal.value.message.endswith(".")
    status, parts = await condition(intake)
    assert (status, parts["documents" if engine.name == "minio" else "state"]) == (503, "down")
    await asyncio.to_thread(engine.start)

    async def ready() -> bool:
        return (await condition(intake))[0] == 200

    await wait_until(ready)
    await submitted(public, officer)


async def test_afterwards_everything_is_as_the_log_says(deployment: tuple[Inbox, Deployment]):
    done = await asyncio.to_thread(deployment[1].simpul, "events", "verify", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
