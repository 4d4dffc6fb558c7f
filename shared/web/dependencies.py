"""From a request to the platform that its application stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request

if TYPE_CHECKING:
    from shared.backends.platform import Platform


def platform_of(request: Request) -> Platform:
    return cast("Platform", request.app.state.platform)
