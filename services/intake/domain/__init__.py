"""Commands, state and decisions of intake; pure functions without I/O."""
