"""What the services share: contracts, runtime, ports with their adapters, web framework, settings."""
