"""docker-compose.yml: every setting is known, every image pinned, every container monitored, limited and unpublished."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from shared.backends.distributed import mongo_uri, s3_address
from shared.configuration_warnings import configuration_warnings
from shared.secrets import load_secret, reject_weak_password
from shared.settings import InvalidSettings, Settings, load_settings
from shared.web.http.client_address import parse_proxies
from simpul.cli.errors import Failed
from simpul.cli.main import COMMANDS
from simpul.cli.secrets import compose_settings
from simpul.generate.caddyfile import CONTAINER_PORT, OUTPUT_PATH, render_caddyfile
from simpul.registry import SERVICE_NAMES
from simpul.routing import DEFAULT_SERVICE, PATH_PREFIXES
from tests.support.paths import REPOSITORY

ROOT = REPOSITORY
Service = Mapping[str, Any]

WHOLE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Service] = WHOLE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("simpul:")}
ENDS = {"prepare"}
"""Containers that run once and end."""

VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
PLACES = {"MAILPIT_PORT", "GATEWAY_IP", "FRONT_SUBNET", "FRONT_RANGE"}
"""Variables beside those of `simpul secrets`: ports and networks that may be in use on a machine."""


def texts(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            yield from (str(key), *texts(value))
    elif isinstance(part, list):
        for value in part:
            yield from texts(value)
    else:
        yield str(part)


def made(url: str = "http://127.0.0.1:8080") -> dict[str, str]:
    lines = compose_settings(url, "127.0.0.1").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text after the interpolation by Compose."""
    return VARIABLE.sub(lambda found: values.get(found[1]) or (found[3] if found[2] == "-" else ""), text)


def settings_of(service: str, values: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("SIMPUL_")]:
        monkeypatch.delenv(name)
    for name, text in SERVICES[service]["environment"].items():
        monkeypatch.setenv(name, filled(str(text), values))
    return load_settings(_env_file=None)


def test_every_service_runs_in_its_own_container():
    assert {name: service["command"] for name, service in OURS.items() if name not in ENDS} == {
        name: ["simpul", "serve", name] for name in SERVICE_NAMES
    }


def test_all_services_run_the_image_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {service["image"] for service in OURS.values()} == {f"simpul:{version}"}
    assert f"docker build --tag simpul:{version} ." in (ROOT / "docs/deployment.md").read_text()
    assert [name for name, service in SERVICES.items() if "build" in service] == ["prepare"]


def test_every_command_exists():
    assert {service["command"][0] for service in OURS.values()} == {"simpul"}
    assert {service["command"][1] for service in OURS.values()} <= set(COMMANDS)
    assert SERVICES["prepare"]["command"][2:] == ["--replica-set", "rs0"]
    assert "--replSet rs0" in SERVICES["mongo"]["command"][-1]
    assert "replicaSet=rs0" in SERVICES["intake"]["environment"]["SIMPUL_MONGO"]


def test_every_setting_is_known():
    known = {f"SIMPUL_{name.upper()}" for name in Settings.model_fields}
    named = {name for text in texts(WHOLE) for name in re.findall(r"SIMPUL_\w+", text)}
    assert named - known == set()
    assert {name for name in made() if name.startswith("SIMPUL_")} - known == set()


def test_every_limit_for_anonymous_clients_can_be_set():
    section = (
        (ROOT / "docs/operations.md").read_text().partition("## Limits for anonymous clients")[2].partition("\n## ")[0]
    )
    limits = set(re.findall(r"SIMPUL_\w+", section))
    assert len(limits) >= 5
    for service in ("intake", "verification", "assignment", "notification"):
        assert limits - set(SERVICES[service]["environment"]) == set()


def test_every_variable_is_created_by_the_secrets_command():
    asked = {found[1] for text in texts(WHOLE) for found in VARIABLE.finditer(text)}
    optional = {found[1] for text in texts(WHOLE) for found in VARIABLE.finditer(text) if found[2] == "-"}
    assert asked - optional <= set(made())
    assert {name for name in asked - set(made()) if not name.startswith("SIMPUL_")} == PLACES
    assert set(made()) - asked == {"COMPOSE_PROFILES"}


def test_only_the_gateway_is_published_and_only_to_this_machine():
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"gateway"}
    assert [filled(port, {}).split(":")[0] for port in SERVICES["gateway"]["ports"]] == ["127.0.0.1"] * 3
    assert [filled(port, made()).split(":")[0] for port in SERVICES["gateway"]["ports"]] == ["127.0.0.1"] * 3


def test_the_gateway_cannot_reach_the_engines():
    engines = {name for name, service in SERVICES.items() if list(service["networks"]) == ["back"]} - ENDS
    assert engines == {"kafka", "mongo", "minio"}
    assert list(SERVICES["gateway"]["networks"]) == ["front"]
    assert WHOLE["networks"]["back"] == {"internal": True}


def test_services_trust_only_the_gateway(monkeypatch: pytest.MonkeyPatch):
    [proxy] = parse_proxies(settings_of("intake", made(), monkeypatch).trusted_proxies)
    [address] = (filled(text, {}) for text in texts(SERVICES["gateway"]["networks"]["front"]["ipv4_address"]))
    assert str(proxy) == f"{address}/32"
    [pool] = WHOLE["networks"]["front"]["ipam"]["config"]
    [taken] = parse_proxies(filled(pool["ip_range"], {}))
    assert proxy.network_address not in taken


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_pinned_monitored_and_limited(name: str):
    service = SERVICES[name]
    image, _, tag = service["image"].partition(":")
    assert image
    assert re.search(r"\d+\.\d+\.\d+|\d{4}-\d\d-\d\dT", tag), f"{name} is not pinned"
    assert service["mem_limit"]
    assert service["restart"] == ("on-failure:5" if name in ENDS else "unless-stopped")
    assert service["healthcheck"] == {"disable": True} if name in ENDS else service["healthcheck"]["test"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", OURS)
def test_services_do_not_write_to_their_image(name: str):
    assert OURS[name]["read_only"] is True


def test_uploads_are_buffered_on_disk():
    for service in OURS.values():
        assert "temporary:/tmp" in service["volumes"]
        assert "tmpfs" not in service


def test_health_checks_call_the_service_port():
    checks = {service["healthcheck"]["test"] for name, service in OURS.items() if name not in ENDS}
    assert len(checks) == 1
    assert f"http://127.0.0.1:{CONTAINER_PORT}/health/ready" in checks.pop()


def test_everything_starts_in_order():
    engines = {"kafka", "mongo", "minio"}
    assert SERVICES["prepare"]["depends_on"] == {name: {"condition": "service_healthy"} for name in engines}
    for name in SERVICE_NAMES:
        assert SERVICES[name]["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}
    assert set(SERVICES["gateway"]["depends_on"]) == set(SERVICE_NAMES)


def test_every_volume_is_declared():
    named = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert {name for name in named if not name.startswith(".")} == set(WHOLE["volumes"])
    assert [name for name in named if name.startswith(".") and not (ROOT / name).exists()] == []


def test_no_secret_has_a_default():
    secret = re.compile("SECRET|PASSWORD|KEY")
    asked = [found for text in texts(WHOLE) for found in VARIABLE.finditer(text) if secret.search(found[1])]
    assert {found[1] for found in asked} == {"SIMPUL_SECRET", "MONGO_PASSWORD", "MONGO_KEY", "MINIO_PASSWORD"}
    assert {found[2] for found in asked} == {"?"}
    given = {name: text for service in SERVICES.values() for name, text in service.get("environment", {}).items()}
    assert [name for name, text in given.items() if secret.search(name) and not VARIABLE.fullmatch(str(text))] == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "https://simpul.haltim.example", "https://simpul.example:8443"]
)
def test_generated_settings_are_accepted(url: str, monkeypatch: pytest.MonkeyPatch):
    values = made(url)
    settings = settings_of("intake", values, monkeypatch)
    assert settings.origin == url
    assert len(load_secret(settings)) >= 32
    assert values["MONGO_PASSWORD"] in mongo_uri(settings)
    assert s3_address(settings).secret == values["MINIO_PASSWORD"]
    assert list(configuration_warnings(settings)) == []


def test_generated_passwords_differ():
    one, other = made(), made()
    assert {name for name in one if one[name] == other[name]} == set(one) - {
        "SIMPUL_SECRET",
        "MONGO_PASSWORD",
        "MONGO_KEY",
        "MINIO_PASSWORD",
        "SIMPUL_METRICS_TOKEN",
    }


@pytest.mark.parametrize("password", ["", "changeme", "simpul-simpul-simpul", "minioadmin-minioadmin"])
def test_default_passwords_are_refused(password: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("MONGO_PASSWORD", "MINIO_PASSWORD"):
        with pytest.raises(InvalidSettings):
            reject_weak_password(password, name)
    settings = settings_of("intake", {**made(), "MONGO_PASSWORD": password, "MINIO_PASSWORD": password}, monkeypatch)
    for read in (mongo_uri, s3_address):
        with pytest.raises(InvalidSettings):
            read(settings)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080", {"GATEWAY_SITE": ":80", "GATEWAY_HTTP_PORT": "8080"}),
        ("http://simpul.example", {"GATEWAY_SITE": ":80", "GATEWAY_HTTP_PORT": "80"}),
        ("https://simpul.example/", {"GATEWAY_SITE": "simpul.example", "GATEWAY_HTTPS_PORT": "443"}),
        ("https://simpul.example:8443", {"GATEWAY_SITE": "simpul.example", "GATEWAY_HTTPS_PORT": "8443"}),
    ],
)
def test_the_gateway_serves_the_public_address(url: str, expected: dict[str, str]):
    assert expected.items() <= made(url).items()


@pytest.mark.parametrize(
    "url", ["simpul.example", "ftp://simpul.example", "https://simpul.example/simpul", "https://[1", ""]
)
def test_an_invalid_address_is_refused(url: str):
    with pytest.raises(Failed):
        made(url)


def test_the_caddyfile_follows_the_table_of_paths():
    assert OUTPUT_PATH.read_text() == render_caddyfile(), "run `make docs`"


def test_the_caddyfile_routes_every_path_to_its_service():
    ways = {name: paths.split() for name, paths in re.findall(r"@(\w+) path (.+)", render_caddyfile())}
    assert set(ways) == set(SERVICE_NAMES) - {DEFAULT_SERVICE}
    for prefix, owner in PATH_PREFIXES.items():
        assert [name for name, paths in ways.items() if {prefix, f"{prefix}/*"} & set(paths)] == [owner]
        # The first way that fits is taken, so none may begin inside of another.
        assert [other for other in PATH_PREFIXES if prefix.startswith(f"{other}/")] == []


def test_the_error_page_of_the_gateway_allows_only_its_style():
    text = render_caddyfile()
    [style] = re.findall("<style>(.+)</style>", text)
    [policy] = re.findall('Content-Security-Policy "(.+)"', text)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_the_image_runs_unprivileged_and_contains_no_secret():
    text = (ROOT / "Dockerfile").read_text()
    assert text.count("FROM ${PYTHON}") == 2
    assert "--require-hashes" in text
    assert text.rindex("USER simpul") > text.rindex("RUN")
    kept = (ROOT / ".dockerignore").read_text().split()
    assert kept[0] == "*"
    assert "!production.env" not in kept
