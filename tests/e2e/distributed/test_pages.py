"""The browser tests with two processes of each service, Kafka, MongoDB and MinIO."""
# ruff: noqa: F403

from __future__ import annotations

import pytest

from tests.e2e.browser.test_applicants import *
from tests.e2e.browser.test_request_lifecycle_without_script import *
from tests.e2e.browser.test_server_restart import *
from tests.e2e.browser.test_staff_pages import *

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]
