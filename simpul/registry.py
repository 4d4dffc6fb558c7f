"""The four services by name; a process imports the code of those that it builds."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.backends.platform import Platform
    from shared.runtime.service_runtime import ServiceApp

SERVICE_NAMES = ("intake", "verification", "assignment", "notification")


def build_services(platform: Platform, names: Sequence[str] = SERVICE_NAMES) -> list[ServiceApp]:
    """Build these services on this platform, in the order of SERVICE_NAMES."""
    return [importlib.import_module(f"services.{name}.app").build(platform) for name in SERVICE_NAMES if name in names]
