"""Administrator pages on a deployment of their own, because an account's password changes."""
# ruff: noqa: F403

from __future__ import annotations

import pytest

from tests.e2e.browser.test_admin import *

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]
