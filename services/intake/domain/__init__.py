"""The rules of intake: state, commands and decisions, without I/O."""
