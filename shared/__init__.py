"""What every service stands on: contracts, runtime, ports with their adapters, web frame, settings."""
