"""Events outlive code: every sample of every version is still decoded by all its subscribers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from services.assignment.decider import decider as assignment_decider
from services.intake.decider import decider as intake_decider
from services.intake.domain.decisions import Rules as IntakeRules
from services.notification.decider import decider as notification_decider
from services.verification.decider import decider as verification_decider
from shared.calendar import WorkingCalendar
from shared.contracts import assignment as assignment_facts
from shared.contracts import intake as intake_facts
from shared.contracts import notification as notification_facts
from shared.contracts import verification as verification_facts
from shared.contracts.envelope import decode_event, encode_event
from shared.contracts.facts import Fact
from shared.contracts.registry import BY_TYPE, FACTS, UPCASTERS, UnknownFact, UnreadableEvent, upcast
from shared.contracts.stages import StageRules
from shared.runtime.decider import Decider
from shared.web.views.labels import EVENT_LABELS
from simpul.generate.event_catalogue import OUTPUT_PATH, SUBSCRIBES_TO, render_catalogue
from tests.support.paths import SAMPLES

FILES = sorted(SAMPLES.glob("*.json"))
SUMS = SAMPLES / "SHA256SUMS"
"""One line a sample; lines are only ever added."""

MODULES = {
    "intake": intake_facts,
    "verification": verification_facts,
    "assignment": assignment_facts,
    "notification": notification_facts,
}
CALENDAR = WorkingCalendar(holidays={})
SERVICES: list[Decider[Any]] = [
    intake_decider(IntakeRules()),
    verification_decider(lambda: StageRules(CALENDAR)),
    assignment_decider(lambda: StageRules(CALENDAR)),
    notification_decider(),
]


def sample(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SAMPLES / name).read_bytes())
    return read


def encoded(attributes: Any) -> bytes:
    return json.dumps(attributes).encode()


def test_every_event_has_a_sample_of_every_version():
    expected = {f"{fact.type()}.v{n}.json" for fact in FACTS for n in range(1, fact.schemaversion + 1)}
    assert {file.name for file in FILES} == expected


def test_a_sample_never_changes():
    lines = [line.split("  ") for line in SUMS.read_text().splitlines()]
    listed = {name: digest for digest, name in lines}
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in FILES} == listed


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_sample_is_decoded_as_its_type(file: Path):
    name, version, _ = file.name.split(".")
    event = decode_event(file.read_bytes())
    attributes = sample(file.name)
    assert (event.type, type(event.fact), event.source) == (name, BY_TYPE[name], BY_TYPE[name].owner)
    assert version == f"v{attributes['schemaversion']}"
    assert event.time.tzinfo is not None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_sample_is_encoded_again_without_loss(file: Path):
    raw = file.read_bytes()
    again = encode_event(decode_event(raw))
    assert encode_event(decode_event(again)) == again
    before, after = json.loads(raw), json.loads(again)
    if before["schemaversion"] == after["schemaversion"]:
        assert again == raw or keeps_all_fields(after, before)


def keeps_all_fields(after: Any, before: Any) -> bool:
    """Return whether all old fields are unchanged; optional fields added since have their defaults."""
    if isinstance(before, dict):
        return all(name in after and keeps_all_fields(after[name], before[name]) for name in before)
    if isinstance(before, list):
        return len(after) == len(before) and all(map(keeps_all_fields, after, before))
    return bool(after == before)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.service)
def test_every_service_folds_every_sample_that_it_subscribes_to(service: Decider[Any], file: Path):
    event = decode_event(file.read_bytes())
    if event.source in service.sources | {service.service}:
        state = service.evolve(service.initial(), event)
        service.react(state, event)
        service.columns(state)
        service.due_at(state)


def test_an_unknown_type_is_an_unknown_fact():
    event = decode_event(encoded({**sample("WorkStarted.v1.json"), "type": "WorkDoubled"}))
    assert event.fact == UnknownFact(name="WorkDoubled")
    assert (event.type, event.source, event.sequence) == ("WorkDoubled", "assignment", 4)


def test_a_newer_version_is_an_unknown_fact():
    assert decode_event(encoded({**sample("WorkStarted.v1.json"), "schemaversion": 2})).fact == UnknownFact(
        name="WorkStarted"
    )


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.service)
def test_an_unknown_fact_changes_nothing(service: Decider[Any]):
    event = decode_event(encoded({**sample("WorkStarted.v1.json"), "type": "WorkDoubled"}))
    assert service.evolve(service.initial(), event) == service.initial()


def test_an_unknown_optional_field_is_ignored():
    attributes = sample("RequestSubmitted.v1.json")
    later = {**attributes, "data": {**attributes["data"], "purpose": "Layanan publik"}, "dataschema": "later"}
    later["data"]["applicant"] = {**later["data"]["applicant"], "language": "id"}
    assert decode_event(encoded(later)) == decode_event((SAMPLES / "RequestSubmitted.v1.json").read_bytes())


BROKEN: dict[str, dict[str, Any]] = {
    "a fact without what it needs": {"data": {}},
    "a fact that is a list": {"data": []},
    "a fact of the wrong type": {"data": {"lead": 7}},
    "no fact": {"data": None},
    "a sequence in words": {"sequence": "tiga"},
    "no sequence": {"sequence": None},
    "a time that is none": {"time": "kemarin"},
    "a version in words": {"schemaversion": "satu"},
    "a version before the first": {"schemaversion": 0},
    "a type that is no text": {"type": ["WorkStarted"]},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_a_fact_that_breaks_its_contract_is_unreadable(change: dict[str, Any]):
    with pytest.raises(UnreadableEvent):
        decode_event(encoded({**sample("LeadAssigned.v1.json"), **change}))


@pytest.mark.parametrize("attribute", ["id", "source", "type", "subject", "time", "sequence", "data"])
def test_an_envelope_without_a_required_attribute_is_unreadable(attribute: str):
    attributes = sample("LeadAssigned.v1.json")
    del attributes[attribute]
    with pytest.raises(UnreadableEvent):
        decode_event(encoded(attributes))


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"7", b'"teks"', b"\xff\xfe", b"[" * 10_000])
def test_bytes_that_are_not_an_event_are_unreadable(raw: bytes):
    with pytest.raises(UnreadableEvent):
        decode_event(raw)


def test_old_data_is_upcast_one_version_at_a_time():
    upcasters = {
        ("Moved", 1): lambda data: {"whole": f"{data['first']} {data['last']}"},
        ("Moved", 2): lambda data: {"name": data["whole"], "words": len(data["whole"].split())},
    }
    oldest = {"first": "Rahmat", "last": "Contoh"}
    newest = {"name": "Rahmat Contoh", "words": 2}
    assert upcast("Moved", 1, 3, oldest, upcasters) == newest
    assert upcast("Moved", 2, 3, {"whole": "Rahmat Contoh"}, upcasters) == newest
    assert upcast("Moved", 3, 3, newest, upcasters) == newest


def test_every_old_version_has_its_upcaster():
    assert set(UPCASTERS) == {(fact.type(), n) for fact in FACTS for n in range(1, fact.schemaversion)}


def test_every_event_is_owned_by_exactly_one_service():
    owned = {name: service for service, module in MODULES.items() for name in facts_of(module)}
    assert sum(len(facts_of(module)) for module in MODULES.values()) == len(owned)
    assert owned == {fact.type(): fact.owner for fact in FACTS}


def facts_of(module: Any) -> list[str]:
    """Return the facts that a contract module defines, without the base class of its owner."""
    here = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    return [kind.__name__ for kind in here if issubclass(kind, Fact) and not kind.__subclasses__()]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.service)
def test_a_service_subscribes_to_known_events_of_others(service: Decider[Any]):
    assert SUBSCRIBES_TO[service.service] == service.subscribes_to
    assert service.subscribes_to <= set(FACTS)
    assert service.service not in {fact.owner for fact in service.subscribes_to}


def test_every_event_has_a_subscriber_except_those_of_notification():
    subscribed = frozenset[type[Fact]]().union(*SUBSCRIBES_TO.values())
    without_subscriber = {fact.type() for fact in FACTS if fact.owner != "notification"} - {
        fact.type() for fact in subscribed
    }
    assert without_subscriber == set()


def test_every_event_has_a_label():
    assert EVENT_LABELS.keys() == BY_TYPE.keys()


def test_personal_data_is_only_in_the_five_events_that_are_meant_for_it():
    carrying = {fact.type() for fact in FACTS if "applicant" in fact.model_fields}
    contact = {"ContactChangeRequested", "ContactChanged"}
    assert carrying == {"RequestSubmitted", "RequestResubmitted", "RequestCorrected"} | contact


def test_the_event_catalogue_is_up_to_date():
    assert OUTPUT_PATH.read_text(encoding="utf-8") == render_catalogue(), "Run 'make docs'."
