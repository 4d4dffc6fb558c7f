"""The rules of assignment: state, commands and decisions, without I/O."""
