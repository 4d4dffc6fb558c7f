"""The HTTP server, middleware and limits."""
