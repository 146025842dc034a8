"""One program per client of somebody else's, run by that client's own Python against a base URL.

    python -m tests.compat.probes.openai_sdk http://127.0.0.1:7860 --model eyas

They import the client, `tests.compat.probes.report` and nothing of Falconry, and print one line of JSON per check.
"""
