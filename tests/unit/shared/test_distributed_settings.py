"""The settings of the distributed mode: what is required, and errors that reveal no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from shared.backends.distributed import kafka_security, mongo_uri, open_backend, s3_address
from shared.clock import random_id, system_clock
from shared.eventlog.kafka.security import PLAINTEXT
from shared.secrets import load_secret
from shared.settings import InvalidSettings, Settings, load_settings

PASSWORD = "Ombak7-Biru-di-Maba"
SETTINGS: dict[str, Any] = {
    "mode": "distributed",
    "kafka": "kafka:9092",
    "mongo": f"mongodb://simpul:{PASSWORD}@mongo:27017/simpul?replicaSet=rs0&authSource=admin",
    "minio": f"http://simpul:{PASSWORD}@minio:9000/documents",
    "smtp": "smtp://mailpit:1025?tls=none",
    "base_url": "https://simpul.example",
}


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("0123456789abcdefghijklmnopqrstuvwxyz")
    return file


@pytest.fixture
def given(secret_file: Path) -> dict[str, Any]:
    return {**SETTINGS, "secret_file": secret_file}


@pytest.mark.parametrize("name", ["kafka", "mongo", "minio", "smtp", "secret_file", "base_url"])
def test_required_settings_are_checked(given: dict[str, Any], name: str):
    with pytest.raises(InvalidSettings, match=f"SIMPUL_MODE=distributed needs SIMPUL_{name.upper()}$"):
        load_settings(**{each: value for each, value in given.items() if each != name})


def test_distributed_mode_has_no_mail_viewer_and_creates_no_secret(given: dict[str, Any], tmp_path: Path):
    settings = load_settings(**given)
    assert not settings.mail_viewer
    assert load_secret(settings)
    absent = tmp_path / "absent"
    with pytest.raises(InvalidSettings, match="absent cannot be read"):
        load_secret(load_settings(**given | {"secret_file": absent}))
    assert not absent.exists()


@pytest.mark.parametrize(
    "password",
    ["minioadmin", "", "change-me-please", "simpul-simpul-simpul", "kort", "aaaaaaaaaaaaaaaa", "Password12345"],
)
def test_default_passwords_are_rejected(given: dict[str, Any], password: str):
    changed = given | {"minio": f"http://simpul:{password}@minio:9000/documents"}
    with pytest.raises(InvalidSettings, match="SIMPUL_MINIO"):
        s3_address(load_settings(**changed))
    changed = given | {"mongo": f"mongodb://simpul:{password}@mongo:27017/simpul"}
    with pytest.raises(InvalidSettings, match="SIMPUL_MONGO"):
        mongo_uri(load_settings(**changed))
    changed = given | {"kafka_user": "simpul", "kafka_password": password}
    with pytest.raises(InvalidSettings, match="SIMPUL_KAFKA_PASSWORD"):
        kafka_security(load_settings(**changed))


def test_passwords_may_come_from_files(given: dict[str, Any], tmp_path: Path):
    file = tmp_path / "password"
    file.write_text("ab/c@d:e?f#g%h1234\n")
    settings = load_settings(
        **given
        | {"mongo": "mongodb://simpul@mongo,other:27018/simpul?replicaSet=rs0", "mongo_password_file": file}
        | {"minio": "http://key@minio:9000/documents", "minio_password_file": file}
        | {"kafka_user": "simpul", "kafka_password_file": file}
    )
    assert kafka_security(settings).password == "ab/c@d:e?f#g%h1234"
    assert s3_address(settings).secret == "ab/c@d:e?f#g%h1234"
    assert mongo_uri(settings) == (
        "mongodb://simpul:ab%2Fc%40d%3Ae%3Ff%23g%25h1234@mongo,other:27018/simpul?replicaSet=rs0"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mongo", f"mongodb://simpul:{PASSWORD}/@mongo:27017/simpul", "must look like"),
        ("mongo", f"postgres://simpul:{PASSWORD}@mongo", "must look like"),
        ("mongo", "mongodb://mongo:27017/simpul", "a user and a password are needed"),
        ("minio", f"simpul:{PASSWORD}@minio", "must look like"),
        ("kafka", "kafka", "host:9092"),
        ("kafka", f"user:{PASSWORD}@kafka:9092", "host:9092"),
        ("kafka", "kafka:9092,other:x", "host:9092"),
    ],
)
def test_an_invalid_address_is_rejected_without_revealing_its_password(
    given: dict[str, Any], name: str, value: str, message: str
):
    settings = load_settings(**given | {name: value})
    with pytest.raises(InvalidSettings, match=f"SIMPUL_{name.upper()}.*{message}") as refusal:
        open_backend(settings, system_clock, random_id)
    assert PASSWORD not in str(refusal.value)


def test_a_local_database_needs_no_credentials(given: dict[str, Any]):
    settings = Settings(**given | {"mongo": "mongodb://127.0.0.1:27017,localhost:27018,[::1]:27019/simpul"})
    assert mongo_uri(settings)


def test_kafka_connections_are_plaintext_and_anonymous_by_default(given: dict[str, Any], tmp_path: Path):
    assert kafka_security(load_settings(**given)) == PLAINTEXT
    authority = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    options = {"kafka_tls": True, "kafka_ca_file": authority, "kafka_user": "simpul", "kafka_password": PASSWORD}
    security = kafka_security(load_settings(**given | options))
    assert security.client_options["security_protocol"] == "SASL_SSL"
    assert security.client_options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert security.tls is not None
    assert len(security.tls.get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kafka_password": PASSWORD}, "SIMPUL_KAFKA_USER: whose"),
        ({"kafka_user": "simpul"}, "SIMPUL_KAFKA_PASSWORD: its password is empty"),
        ({"kafka_user": "simpul", "kafka_password": PASSWORD, "kafka_sasl": "PLAIN"}, "SIMPUL_KAFKA_TLS=true first"),
        ({"workers": 2}, "SIMPUL_WORKERS is for SIMPUL_MODE=embedded; start more processes of each service"),
        ({"kafka_ca_file": "authority.pem"}, "SIMPUL_KAFKA_TLS=true alone"),
        ({"kafka_ca_file": "absent.pem", "kafka_tls": True}, "absent.pem holds no certificates"),
    ],
)
def test_inconsistent_settings_are_rejected(given: dict[str, Any], options: dict[str, Any], message: str):
    with pytest.raises(InvalidSettings, match=message) as refusal:
        open_backend(load_settings(**given | options), system_clock, random_id)
    assert PASSWORD not in str(refusal.value)
