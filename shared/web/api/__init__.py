"""The JSON API: problems, validation, idempotency, lists, live updates and documentation."""
