"""The gateway routes every path to the service that serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from shared.backends.platform import Platform, open_platform
from shared.settings import Settings
from shared.web.http.routes import add_routes
from simpul.app import create_application
from simpul.registry import SERVICE_NAMES, build_services
from simpul.routing import ADMIN_SERVICE, DEFAULT_SERVICE, PATH_PREFIXES, service_for_path


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return open_platform(Settings(data=tmp_path_factory.mktemp("routing") / "data"))


def paths_of(app: FastAPI) -> set[str]:
    return {str(route.path) for route in iter_route_contexts(app.routes)}


def owned(platform: Platform) -> Iterator[tuple[str, str]]:
    for service in build_services(platform):
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        for router in service.routers:
            add_routes(app.router, router)
        yield from ((path, service.name) for path in paths_of(app))


def test_no_router_is_walked_for_a_request(platform: Platform):
    app = create_application(platform)
    assert {isinstance(route, APIRoute) for route in app.routes} == {True}
    assert len(app.routes) > 150


def _dependencies(dependant: Dependant) -> Iterator[Callable[..., object]]:
    for dependency in dependant.dependencies:
        assert dependency.call is not None
        yield dependency.call
        yield from _dependencies(dependency)


def test_no_dependency_of_a_request_is_called_in_another_thread(platform: Platform):
    app = create_application(platform)
    calls = {call for route in app.routes if isinstance(route, APIRoute) for call in _dependencies(route.dependant)}
    assert len(calls) > 50
    in_threads = [one for one in calls if not iscoroutinefunction(one) and not iscoroutinefunction(type(one).__call__)]
    assert in_threads == []


def test_every_path_is_routed_to_its_service(platform: Platform):
    assert [(path, service_for_path(path)) for path, owner in owned(platform) if service_for_path(path) != owner] == []


@pytest.mark.parametrize("name", SERVICE_NAMES)
def test_a_process_serves_every_path_routed_to_it(platform: Platform, name: str):
    everything = paths_of(create_application(platform))
    here = paths_of(create_application(platform, [name]))
    assert {path for path in everything if service_for_path(path) == name} <= here


def test_every_prefix_covers_a_path(platform: Platform):
    everything = paths_of(create_application(platform))
    assert [
        prefix for prefix in PATH_PREFIXES if not any(f"{path}/".startswith(f"{prefix}/") for path in everything)
    ] == []


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/", DEFAULT_SERVICE),
        ("/lacak/INT-2026-000001", DEFAULT_SERVICE),
        ("/static/simpul.css", DEFAULT_SERVICE),
        ("/akun-saya", ADMIN_SERVICE),
        ("/akun/baru", ADMIN_SERVICE),
        ("/akunx", DEFAULT_SERVICE),
        ("/surel-keluar/a/kirim-ulang", "notification"),
        ("/api/verification/requests/1", "verification"),
        ("//verifikasi", DEFAULT_SERVICE),
    ],
)
def test_a_path_belongs_to_one_service(path: str, service: str):
    assert service_for_path(path) == service
