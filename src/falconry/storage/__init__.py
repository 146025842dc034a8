"""The archive: conversations on disk. SQL lives only here; values of `falconry.messages` go in and come out."""
