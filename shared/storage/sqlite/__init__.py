"""The state store in SQLite."""
