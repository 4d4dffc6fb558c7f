"""The state store: the port and its adapters."""
