"""Measurements, each a script with its own help. What they printed last stands in docs/design.md."""
