"""Falconry: chat with any open LLM, on your own machine in one command."""

__version__ = "0.1.0"
