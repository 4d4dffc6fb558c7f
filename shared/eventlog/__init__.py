"""The one log of all events: the port and its adapters."""
