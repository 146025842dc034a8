"""The dictionary: wire formats, written once and used from both sides, to ask and to answer. No I/O."""
