"""The runtime of every service: commands, consumption, the outbox relay, timers and dead letters."""
