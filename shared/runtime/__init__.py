"""What every service runs on: commands, events, the outbox, timers and dead letters, written once."""
