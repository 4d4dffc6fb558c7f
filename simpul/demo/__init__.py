"""Sample requests that go through the HTTP API."""
