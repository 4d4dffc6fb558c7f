"""The event log of all services: the port and its adapters."""
