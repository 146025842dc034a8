"""Personas and prompts: values, those that come with Falconry, and the file in which personas travel."""
