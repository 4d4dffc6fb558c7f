"""Sandbox for code that reads hostile files: children of one server process with limits of time and memory."""
