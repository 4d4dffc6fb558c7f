"""The lifecycle tests with two processes of each service, Kafka, MongoDB and MinIO."""

from __future__ import annotations

import pytest

from tests.e2e.http.test_request_lifecycle import (
    test_a_request_goes_through_every_state_and_everybody_is_told,
    test_a_request_may_end_early_and_is_told_so,
)

__all__ = [
    "test_a_request_goes_through_every_state_and_everybody_is_told",
    "test_a_request_may_end_early_and_is_told_so",
]

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]
