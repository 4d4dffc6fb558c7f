"""Health, metrics and the administrator's pages that belong to no service."""
