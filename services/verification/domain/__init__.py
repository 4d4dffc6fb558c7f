"""Commands, state and decisions of verification; pure functions without I/O."""
