"""The rules of verification: state, commands and decisions, without I/O."""
