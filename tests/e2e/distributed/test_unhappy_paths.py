"""The tests of invalid use with two processes of each service, Kafka, MongoDB and MinIO."""
# ruff: noqa: F403, F821

from __future__ import annotations

import pytest

from tests.e2e.http.test_access_keys import *
from tests.e2e.http.test_bad_files import *
from tests.e2e.http.test_invalid_input import *
from tests.e2e.http.test_invalid_steps import *

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]

# How an answer overtakes a body that is too large is a matter between the client and the gateway.
del test_eighty_megabytes_are_413_before_a_byte_of_them_is_sent
del test_who_sends_eighty_megabytes_all_the_same_reads_why_they_are_refused
