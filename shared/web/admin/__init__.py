"""Health checks, metrics, and the administrators' API and pages that belong to no service."""
