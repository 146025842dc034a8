"""Conversations as files: exports that are read again to the letter, and those of ChatGPT and Open WebUI."""
