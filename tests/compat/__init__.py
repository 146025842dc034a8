"""Falconry as clients that others wrote see it. The light ones run with the tests, the heavy ones by `make compat`."""
