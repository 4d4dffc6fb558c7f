"""What an administrator does on pages, over services that no other test needs: an account gets another password."""
# ruff: noqa: F403

from __future__ import annotations

import pytest

from tests.e2e.browser.test_admin import *

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]
