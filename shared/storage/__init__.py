"""One document per service and request: the port and its adapters."""
