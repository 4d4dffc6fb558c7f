"""The state store on SQLite (embedded mode)."""
