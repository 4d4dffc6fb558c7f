"""Access control: every route declares public, applicant or roles, which is enforced before the body is read."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.web.api.problems import Problem
from shared.web.dependencies import current_principal, platform_of
from shared.web.http.routes import FlatRoute

logger = logging.getLogger(__name__)

Access = Literal["public", "applicant"] | frozenset[Role]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"

_CROSS_ORIGIN_DETAIL = "Permintaan ini tidak berasal dari halaman Simpul. Muat ulang halaman, lalu coba sekali lagi."


class SignedIn:
    """Dependency: a member of staff with one of the roles, or with any role if none is given."""

    def __init__(self, roles: frozenset[Role]) -> None:
        self.roles = roles

    async def __call__(self, request: Request) -> Principal:
        principal = await _authenticate(request)
        require_role(request, principal, self.roles)
        return principal.with_roles(self.roles)


class Public:
    """Dependency that admits everybody, so that a public route is public on purpose."""

    async def __call__(self) -> None:
        return None


class PreBodyDependency:
    """Dependency that is evaluated before the body is read, not only before the handler is called."""

    def __init__(self, require: Callable[[Request], Awaitable[None]]) -> None:
        self._require = require

    async def __call__(self, request: Request) -> None:
        await self._require(request)


_PUBLIC = Public()


def signed_in(*roles: Role) -> SignedIn:
    return SignedIn(frozenset(roles))


def public() -> Public:
    return _PUBLIC


async def tracking_token(request: Request) -> str:
    """The applicant's tracking token, which intake verifies (404 if it does not match). Raises Problem 401 without one."""
    token = _bearer_token(request)
    if not token:
        raise _unauthorized("Sertakan kunci pelacakan permohonan Anda.")
    return token


async def _authenticate(request: Request) -> Principal:
    """Authenticate the caller. A session cookie also needs a CSRF token, because browsers send cookies with any request."""
    if known := current_principal(request):
        return known
    bearer = _bearer_token(request)
    token = session_cookie(request) if bearer is None else bearer
    principal = await platform_of(request).identity.authenticate(token) if token else None
    if principal is None:
        raise _unauthorized("Silakan masuk terlebih dahulu.")
    if bearer is None and request.method not in SAFE_METHODS:
        require_csrf(request, principal, request.headers.get(CSRF_HEADER, ""))
    request.state.principal = principal
    return principal


def require_role(request: Request, principal: Principal, roles: frozenset[Role]) -> None:
    """Raise Problem 403 unless the principal has one of the roles; no roles means any."""
    if roles and not principal.has_role(*roles):
        logger.warning("%s may not %s %r", principal.username, request.method, request.url.path)
        raise Problem(403, "Peran Anda tidak berwenang untuk tindakan ini.")


def require_csrf(request: Request, principal: Principal, submitted_token: str) -> None:
    """Raise Problem 403 unless the session's CSRF token was sent, and the origin is ours if the browser names one."""
    require_same_origin(request)
    if not principal.verify_csrf(submitted_token):
        logger.warning("%s sent an invalid CSRF token to %r", principal.username, request.url.path)
        raise Problem(403, _CROSS_ORIGIN_DETAIL)


def require_same_origin(request: Request) -> None:
    """Raise Problem 403 if the browser says that a page of another site sent this request."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site not in (None, "same-origin") or (origin is not None and not _is_own_origin(request, origin)):
        logger.warning("refused a cross-origin request to %r", request.url.path)
        raise Problem(403, _CROSS_ORIGIN_DETAIL)


def _is_own_origin(request: Request, origin: str) -> bool:
    """Whether the origin is the configured one, or that of the Host header, which a page cannot choose for its visitors."""
    host = urlsplit(origin).netloc
    return origin == platform_of(request).settings.origin or (host != "" and host == request.headers.get("Host"))


def session_cookie(request: Request) -> str | None:
    return request.cookies.get(session_cookie_name(request)) or None


def session_cookie_name(request: Request) -> str:
    return "__Host-simpul" if platform_of(request).settings.tls else "simpul"


def _bearer_token(request: Request) -> str | None:
    """The token of `Authorization: Bearer`, "" if empty, None without such a header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _unauthorized(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})


def declared_access(dependant: Dependant) -> Access | None:
    """The access that a route declares, None if none. Raises ValueError for contradictory declarations."""
    found = {
        access for guard in _flatten_dependencies(dependant) if (access := _access_of_dependency(guard)) is not None
    }
    if len(found) > 1:
        raise ValueError(f"{dependant.path} declares contradictory access: {found}")
    return found.pop() if found else None


def _flatten_dependencies(dependant: Dependant) -> list[Callable[..., Any]]:
    deeper = [guard for dependency in dependant.dependencies for guard in _flatten_dependencies(dependency)]
    return [*([dependant.call] if dependant.call else []), *deeper]


def _access_of_dependency(guard: Callable[..., Any]) -> Access | None:
    if isinstance(guard, SignedIn):
        return guard.roles or frozenset(Role)
    if guard is tracking_token:
        return "applicant"
    return "public" if guard is _PUBLIC else None


def staff_guards(route: APIRoute) -> list[SignedIn]:
    """The `SignedIn` dependencies of a route. Raises TypeError if the route declares no access."""
    if declared_access(route.dependant) is None:
        raise TypeError(f"{route.path} declares no access: public, applicant or roles")
    return [guard for guard in _flatten_dependencies(route.dependant) if isinstance(guard, SignedIn)]


def pre_body_dependencies(route: APIRoute) -> list[PreBodyDependency]:
    """The other dependencies of a route that are evaluated before the body is read."""
    return [guard for guard in _flatten_dependencies(route.dependant) if isinstance(guard, PreBodyDependency)]


class GuardedRoute(FlatRoute):
    """A route that authorizes the caller before the body is read, and cannot be created without declaring access.

    FastAPI reads and parses the body before it evaluates dependencies. Use: `APIRouter(route_class=GuardedRoute)`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        guards = staff_guards(self)
        for_applicants = tracking_token in _flatten_dependencies(self.dependant)
        handle = super().get_route_handler()

        async def guarded_handler(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            if for_applicants:
                await tracking_token(request)
            return await handle(request)

        return guarded_handler
