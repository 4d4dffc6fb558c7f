"""The four services by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from services.assignment import app as assignment
from services.intake import app as intake
from services.notification import app as notification
from services.verification import app as verification
from shared.backends.platform import Platform
from shared.runtime.service_runtime import ServiceApp

BUILDERS: Mapping[str, Callable[[Platform], ServiceApp]] = {
    "intake": intake.build,
    "verification": verification.build,
    "assignment": assignment.build,
    "notification": notification.build,
}


def build_services(platform: Platform, names: Sequence[str] = tuple(BUILDERS)) -> list[ServiceApp]:
    """Build these services on this platform, in the order of BUILDERS."""
    return [builder(platform) for name, builder in BUILDERS.items() if name in names]
