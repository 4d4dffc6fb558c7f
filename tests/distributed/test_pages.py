"""The journeys through pages in Chromium, over two processes of each service with Kafka, MongoDB and MinIO."""
# ruff: noqa: F403

from __future__ import annotations

import pytest

from tests.browser.test_applicants import *
from tests.browser.test_desks import *
from tests.browser.test_server_restarted import *
from tests.browser.test_whole_life_without_script import *

pytestmark = pytest.mark.slow
