"""Benchmarks: the cost of a complete lifecycle, compared with minimal baseline servers that do the same durable work."""
