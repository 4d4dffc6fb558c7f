"""The rules of notification: which emails are due and what became of each, without I/O."""
