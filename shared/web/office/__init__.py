"""The documents of the office over HTTP: ready-made sentences."""
